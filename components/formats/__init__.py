"""Formats: adapters from a dataset's raw files to canonical Arrow tables.

`FORMATS` maps names to adapters, `get` looks one up, `detect` recognizes a
folder. Called by the example generators and by the runners.
"""
