"""Tell people and scripts what a run did."""
