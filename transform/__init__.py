"""What TFX's Transform component computes: vocabularies and indices."""
