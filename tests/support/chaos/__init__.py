"""Small pipelines that are broken at random."""
