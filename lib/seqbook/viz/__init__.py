"""Figures in the book's one style, numbers for its text, and a way to read attention weights out of any model."""

from seqbook.viz.figures import alignment, curves, scatter, training
from seqbook.viz.glue import glue
from seqbook.viz.record import record

__all__ = ["alignment", "curves", "glue", "record", "scatter", "training"]
