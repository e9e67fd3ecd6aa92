"""What the commands share, and the commands beside the runners."""
