"""Pretraining of encoder-decoders: the source is a corrupted text, and the target is what was lost, or the whole text.

spans: T5's corruption; noises: BART's; objective: both as objectives; filling: gaps of a text filled in by such models.
"""

from seqbook.objectives.corruption.objective import Denoising, DenoisingConfig, SpanCorruption, SpanCorruptionConfig

__all__ = ["Denoising", "DenoisingConfig", "SpanCorruption", "SpanCorruptionConfig"]
