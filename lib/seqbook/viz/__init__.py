"""Figures in the book's one style, and a way to read attention weights out of any model."""

from seqbook.viz.figures import alignment, curves, scatter, training
from seqbook.viz.record import record

__all__ = ["alignment", "curves", "record", "scatter", "training"]
