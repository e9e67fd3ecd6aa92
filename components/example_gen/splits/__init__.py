"""Assigns interactions to splits and cuts the rows of each split."""
