"""Reads raw files into Arrow tables and writes serialized examples."""
