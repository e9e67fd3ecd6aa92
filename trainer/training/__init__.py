"""Trains, validates and resumes a model."""
