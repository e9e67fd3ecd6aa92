"""Encoders of ordered histories, and the loss that trains all their positions at once."""
