"""The commands beside the runners, and what all commands share."""
