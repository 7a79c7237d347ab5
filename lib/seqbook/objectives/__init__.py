"""One file per objective, which defines what is predicted from which columns of a corpus, the loss, and the scores."""

from seqbook.objectives.causal import Causal, CausalConfig
from seqbook.objectives.classification import ClassificationConfig
from seqbook.objectives.masked import Masked, MaskedConfig
from seqbook.objectives.seq2seq import Seq2Seq, Seq2SeqConfig
from seqbook.objectives.spans import SpansConfig
from seqbook.objectives.tagging import TaggingConfig

# a new objective adds its own
CONFIGS = (Seq2SeqConfig, CausalConfig, MaskedConfig, ClassificationConfig, TaggingConfig, SpansConfig)

__all__ = [
    "CONFIGS",
    "Causal",
    "CausalConfig",
    "ClassificationConfig",
    "Masked",
    "MaskedConfig",
    "Seq2Seq",
    "Seq2SeqConfig",
    "SpansConfig",
    "TaggingConfig",
]
