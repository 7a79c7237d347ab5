"""What works on the published page: trained models that the browser loads, and the picker of chapter 7.1."""

from seqbook.live.figure import figure
from seqbook.live.picker import picker

__all__ = ["figure", "picker"]
