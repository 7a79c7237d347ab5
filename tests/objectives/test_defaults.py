"""What an objective has if nothing is said: the numbers of the papers."""

import pytest

from seqbook.objectives.blank_infilling import BlankInfillingConfig
from seqbook.objectives.causal import CausalConfig
from seqbook.objectives.corruption import DenoisingConfig, SpanCorruptionConfig
from seqbook.objectives.masked import MaskedConfig
from seqbook.objectives.prefix import PrefixPairsConfig, PrefixTextsConfig
from seqbook.objectives.unilm import UniLMConfig


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (CausalConfig(), {"kind": "word", "max_vocab_size": 30_000}),
        (PrefixTextsConfig(), {"kind": "word", "max_vocab_size": 30_000}),
        (PrefixPairsConfig(), {"label_smoothing": 0.0, "beams": 1, "prefix": "bidirectional", "loss_on": "target"}),
        (MaskedConfig(), {"rate": 0.15}),
        (SpanCorruptionConfig(), {"rate": 0.15, "mean_length": 3.0}),
        (DenoisingConfig(), {"rate": 0.3, "mean_length": 3.0, "noise": "mix"}),
        (UniLMConfig(), {"rate": 0.15, "shares": (1 / 3, 1 / 3, 1 / 6, 1 / 6)}),
        (BlankInfillingConfig(), {"rate": 0.15, "shares": (0.5, 0.3, 0.2), "shuffle": True}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_defaults(config, expected):
    assert {name: getattr(config, name) for name in expected} == expected
