"""Strategies, and the processes that train together."""
