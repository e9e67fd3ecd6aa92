"""Tells people and scripts what a run did."""
