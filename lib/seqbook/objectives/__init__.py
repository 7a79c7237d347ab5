"""One file per objective, which defines what is predicted from which columns of a corpus, the loss, and the scores."""

from collections.abc import Callable

from torch import nn

from seqbook.models import BART, BERT, GPT, T5
from seqbook.objectives.blank_infilling import BlankInfilling, BlankInfillingConfig
from seqbook.objectives.causal import Causal, CausalConfig
from seqbook.objectives.classification import ClassificationConfig
from seqbook.objectives.corruption import Denoising, DenoisingConfig, SpanCorruption, SpanCorruptionConfig
from seqbook.objectives.corruption.filling import fill_gaps, rewrite
from seqbook.objectives.denoisers import Denoisers, DenoisersConfig
from seqbook.objectives.filling import Filled, fill
from seqbook.objectives.masked import Masked, MaskedConfig
from seqbook.objectives.prefix import PrefixPairs, PrefixPairsConfig, PrefixTexts, PrefixTextsConfig
from seqbook.objectives.scoring import fill_by_scoring
from seqbook.objectives.seq2seq import Seq2Seq, Seq2SeqConfig
from seqbook.objectives.spans import SpansConfig
from seqbook.objectives.tagging import TaggingConfig
from seqbook.objectives.task_pairs import TaskPairsConfig
from seqbook.objectives.text_to_text import TextToText, TextToTextConfig
from seqbook.objectives.unilm import UniLM, UniLMConfig

# a new objective adds its own
CONFIGS = (
    Seq2SeqConfig,
    CausalConfig,
    MaskedConfig,
    ClassificationConfig,
    TaggingConfig,
    SpansConfig,
    SpanCorruptionConfig,
    DenoisingConfig,
    PrefixTextsConfig,
    PrefixPairsConfig,
    UniLMConfig,
    BlankInfillingConfig,
    DenoisersConfig,
    TextToTextConfig,
    TaskPairsConfig,
)

# How each network fills in a text with gaps, (model, tokenizer, texts, top) → Filled, if its objective does not say it; a
# new one adds its own
FILLING: dict[type[nn.Module], Callable[..., list[Filled]]] = {
    BERT: fill,
    T5: fill_gaps,
    BART: rewrite,
    GPT: fill_by_scoring,
}

__all__ = [
    "CONFIGS",
    "FILLING",
    "BlankInfilling",
    "BlankInfillingConfig",
    "Causal",
    "CausalConfig",
    "ClassificationConfig",
    "Denoisers",
    "DenoisersConfig",
    "Denoising",
    "DenoisingConfig",
    "Masked",
    "MaskedConfig",
    "PrefixPairs",
    "PrefixPairsConfig",
    "PrefixTexts",
    "PrefixTextsConfig",
    "Seq2Seq",
    "Seq2SeqConfig",
    "SpanCorruption",
    "SpanCorruptionConfig",
    "SpansConfig",
    "TaggingConfig",
    "TaskPairsConfig",
    "TextToText",
    "TextToTextConfig",
    "UniLM",
    "UniLMConfig",
]
