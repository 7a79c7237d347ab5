"""Figures and widgets in the book's one style, numbers for its text, and a way to read attention weights out of a model."""

from seqbook.nn.record import record
from seqbook.viz.architecture import architecture
from seqbook.viz.figures import alignment, curves, heads, masks, scatter, training
from seqbook.viz.glue import glue
from seqbook.viz.widgets import decoder_stepper, head_explorer, mask_explorer

__all__ = [
    "alignment",
    "architecture",
    "curves",
    "decoder_stepper",
    "glue",
    "head_explorer",
    "heads",
    "mask_explorer",
    "masks",
    "record",
    "scatter",
    "training",
]
