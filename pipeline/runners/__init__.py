"""Run a pipeline on this machine, or compile and submit it to a cluster."""
