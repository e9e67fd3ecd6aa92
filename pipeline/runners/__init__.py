"""Runs a pipeline on this machine, or compiles and submits it to a cluster."""
