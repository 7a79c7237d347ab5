"""Trained models on the published page: what the browser loads, and the places where the figures stand."""

from seqbook.live.figure import expect, figure

__all__ = ["expect", "figure"]
