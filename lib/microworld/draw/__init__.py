"""Draws at random what happens: one sampler for rich sentences, one for simple deeds that are varied."""
