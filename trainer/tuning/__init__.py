"""Searches hyper-parameters on the valid split."""
