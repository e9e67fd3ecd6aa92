"""Models that score an item by its weights to the user's items."""
