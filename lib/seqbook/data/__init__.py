"""Data: the built-in micro-world, real corpora, and the loader that batches them."""
