"""Open and read the records of ML Metadata."""
