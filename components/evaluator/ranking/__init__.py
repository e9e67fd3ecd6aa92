"""Ranks held-out items with an exported model, and names their slices."""
