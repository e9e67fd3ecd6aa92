"""What a training reads: interactions, catalog, vocabularies, batches and negatives."""
