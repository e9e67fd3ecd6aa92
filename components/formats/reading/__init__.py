"""Reads raw files: text line by line or as columns, gzip and Parquet, into canonical tables."""
