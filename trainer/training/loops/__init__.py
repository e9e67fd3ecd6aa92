"""The loops that train: by gradients, by parameter servers, by solving."""
