"""Samplers of random events: one for sentences of all kinds, and one for simple deeds that tasks then vary."""
