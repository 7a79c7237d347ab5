"""One file per objective, which defines what is predicted from which columns of a corpus, the loss, and the scores."""

from seqbook.objectives.blank_infilling import BlankInfilling, BlankInfillingConfig
from seqbook.objectives.causal import Causal, CausalConfig
from seqbook.objectives.classification import ClassificationConfig
from seqbook.objectives.denoisers import Denoisers, DenoisersConfig
from seqbook.objectives.masked import Masked, MaskedConfig
from seqbook.objectives.prefix import PrefixPairs, PrefixPairsConfig, PrefixTexts, PrefixTextsConfig
from seqbook.objectives.seq2seq import Seq2Seq, Seq2SeqConfig
from seqbook.objectives.spans import SpansConfig
from seqbook.objectives.tagging import TaggingConfig
from seqbook.objectives.unilm import UniLM, UniLMConfig

# a new objective adds its own
CONFIGS = (
    Seq2SeqConfig,
    CausalConfig,
    MaskedConfig,
    ClassificationConfig,
    TaggingConfig,
    SpansConfig,
    PrefixTextsConfig,
    PrefixPairsConfig,
    UniLMConfig,
    BlankInfillingConfig,
    DenoisersConfig,
)

__all__ = [
    "CONFIGS",
    "BlankInfilling",
    "BlankInfillingConfig",
    "Causal",
    "CausalConfig",
    "ClassificationConfig",
    "Denoisers",
    "DenoisersConfig",
    "Masked",
    "MaskedConfig",
    "PrefixPairs",
    "PrefixPairsConfig",
    "PrefixTexts",
    "PrefixTextsConfig",
    "Seq2Seq",
    "Seq2SeqConfig",
    "SpansConfig",
    "TaggingConfig",
    "UniLM",
    "UniLMConfig",
]
