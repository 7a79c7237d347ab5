"""Trained models on the published page: what the browser loads, and the places where the figures stand."""

from seqbook.live.figure import figure

__all__ = ["figure"]
