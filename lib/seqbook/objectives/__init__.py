"""One file per objective, which defines what is predicted from which columns of a corpus, the loss, and the scores."""

from seqbook.objectives.causal import Causal, CausalConfig
from seqbook.objectives.classification import ClassificationConfig
from seqbook.objectives.masked import Masked, MaskedConfig
from seqbook.objectives.seq2seq import Seq2Seq, Seq2SeqConfig

CONFIGS = (Seq2SeqConfig, CausalConfig, MaskedConfig, ClassificationConfig)  # a new objective adds its own

__all__ = [
    "CONFIGS",
    "Causal",
    "CausalConfig",
    "ClassificationConfig",
    "Masked",
    "MaskedConfig",
    "Seq2Seq",
    "Seq2SeqConfig",
]
