"""Data: the built-in micro-world, real corpora, tokenizers, and the loader that makes batches."""
