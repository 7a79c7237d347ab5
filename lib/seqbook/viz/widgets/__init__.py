"""Widgets that work on a page without a kernel. Beside each of them is a still picture that shows the same thing."""

from seqbook.viz.widgets.filling import filling, filling_explorer
from seqbook.viz.widgets.heads import head_explorer
from seqbook.viz.widgets.perturbation import perturbation_explorer
from seqbook.viz.widgets.sampling import sampling, sampling_explorer
from seqbook.viz.widgets.stepper import decoder_stepper
from seqbook.viz.widgets.window import window_curves, window_explorer

__all__ = [
    "decoder_stepper",
    "filling",
    "filling_explorer",
    "head_explorer",
    "perturbation_explorer",
    "sampling",
    "sampling_explorer",
    "window_curves",
    "window_explorer",
]
