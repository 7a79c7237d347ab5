"""Figures, drawings, tables and widgets in one style, numbers for the text, and a way to read attention weights out of
a model."""

from seqbook.nn.record import record
from seqbook.viz import drawings
from seqbook.viz.architecture import architecture
from seqbook.viz.figures import alignment, bars, curves, grid, heads, masks, panels, scatter, training
from seqbook.viz.glue import glue, glue_all
from seqbook.viz.tables import table, texts
from seqbook.viz.widgets import (
    decoder_stepper,
    filling,
    filling_explorer,
    head_explorer,
    perturbation_explorer,
    sampling,
    sampling_explorer,
    window_curves,
    window_explorer,
)

__all__ = [
    "alignment",
    "architecture",
    "bars",
    "curves",
    "decoder_stepper",
    "drawings",
    "filling",
    "filling_explorer",
    "glue",
    "glue_all",
    "grid",
    "head_explorer",
    "heads",
    "masks",
    "panels",
    "perturbation_explorer",
    "record",
    "sampling",
    "sampling_explorer",
    "scatter",
    "table",
    "texts",
    "training",
    "window_curves",
    "window_explorer",
]
