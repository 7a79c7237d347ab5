"""What works on the published page: trained models that the browser loads, what readers expect before a result, and the
picker of chapter 7.1."""

from seqbook.live.expect import expect, outcome
from seqbook.live.figure import figure
from seqbook.live.picker import picker

__all__ = ["expect", "figure", "outcome", "picker"]
