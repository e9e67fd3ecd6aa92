"""Reads and opens the records of ML Metadata."""
