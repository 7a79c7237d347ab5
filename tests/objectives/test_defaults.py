"""What an objective has if nothing is said: the numbers of the papers, and otherwise the course's."""

from dataclasses import FrozenInstanceError, fields

import pytest

from seqbook.objectives.blank_infilling import BlankInfillingConfig
from seqbook.objectives.causal import CausalConfig
from seqbook.objectives.chain import ChainConfig
from seqbook.objectives.classification import ClassificationConfig
from seqbook.objectives.corruption import DenoisingConfig, SpanCorruptionConfig
from seqbook.objectives.denoisers import DenoisersConfig
from seqbook.objectives.layouts import LayoutConfig
from seqbook.objectives.masked import MaskedConfig
from seqbook.objectives.prefix import PrefixPairsConfig, PrefixTextsConfig
from seqbook.objectives.recall import RecallConfig
from seqbook.objectives.rows import TextRowsConfig
from seqbook.objectives.seq2seq import Seq2SeqConfig
from seqbook.objectives.spans import SpansConfig
from seqbook.objectives.tagging import TaggingConfig
from seqbook.objectives.task_pairs import TaskPairsConfig
from seqbook.objectives.text_to_text import TextToTextConfig
from seqbook.objectives.unilm import UniLMConfig

TOKENS = {"kind": "word", "max_vocab_size": 30_000}
PAIRS = {"source": "en", "target": "zh", "max_vocab_size": 30_000, "label_smoothing": 0.0, "beams": 1}
PREFIX_PAIRS = PAIRS | {"kind": "word", "prefix": "bidirectional", "loss_on": "target"}
SEQ2SEQ = PAIRS | {"source_kind": "word", "target_kind": "character", "reverse_source": False}
CLASSIFICATION = {
    "layout": "gpt",
    "transformation": "classification",
    "texts": (),
    "classes": (),
    "lm_weight": 0.0,
}
MASKED = {
    "rate": 0.15,
    "mask_share": 0.8,
    "random_share": 0.1,
    "masking": "dynamic",
    "whole_words": False,
    "pairs": False,
}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (CausalConfig, TOKENS),
        (TextRowsConfig, TOKENS),
        (PrefixTextsConfig, TOKENS),
        (PrefixPairsConfig, PREFIX_PAIRS),
        (Seq2SeqConfig, SEQ2SEQ),
        (MaskedConfig, TOKENS | MASKED),
        (SpanCorruptionConfig, TOKENS | {"rate": 0.15, "mean_length": 3.0, "n_sentinels": 100}),
        (DenoisingConfig, TOKENS | {"rate": 0.3, "mean_length": 3.0, "noise": "mix"}),
        (UniLMConfig, TOKENS | {"rate": 0.15, "shares": (1 / 3, 1 / 3, 1 / 6, 1 / 6)}),
        (BlankInfillingConfig, TOKENS | {"rate": 0.15, "shares": (0.5, 0.3, 0.2), "shuffle": True}),
        (DenoisersConfig, TOKENS | {"mixture": "u-palm", "shares": (0.25, 0.5, 0.25), "n_sentinels": 32}),
        (LayoutConfig, {"layout": "gpt"}),
        (ClassificationConfig, CLASSIFICATION),
        (SpansConfig, {"layout": "gpt", "longest_answer": 8}),
        (TaggingConfig, {"layout": "gpt", "entities": ("PER", "LOC", "ORG")}),
        (TaskPairsConfig, {"task": "translation", "network": "encoder-decoder", "instruction": ""}),
        (TextToTextConfig, {"task": "sentiment"}),
        (ChainConfig, {"n_letters": 16, "n_chains": 4, "hops": 2}),
        (RecallConfig, {"n_words": 20, "n_pairs": 6, "n_entries": 32}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_defaults(config, expected):
    found = config()
    assert {field.name: getattr(found, field.name) for field in fields(config)} == expected
    with pytest.raises(FrozenInstanceError):
        setattr(found, fields(config)[0].name, "other")
    with pytest.raises(TypeError, match="positional"):
        config("other")
