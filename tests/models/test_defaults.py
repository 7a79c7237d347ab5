"""What a configuration has if nothing is said: the parts of the family as in its paper, and the course's sizes."""

from dataclasses import FrozenInstanceError

import pytest

from seqbook.models import BARTConfig, BERTConfig, GPTConfig, PrefixLMConfig, RNNConfig, T5Config, TransformerConfig
from seqbook.models.heads import FineTunedConfig
from seqbook.nn.block import Block

SIZES = {"d_model": 128, "n_heads": 4, "dropout": 0.0, "max_len": 128}
STACK = SIZES | {"n_layers": 4, "d_ff": None}  # as many blocks as the two stacks of T5 and BART have together
GPT2 = STACK | {"activation": "gelu_tanh", "norm": "pre", "positions": "learned"}
BERT = {
    "activation": "gelu",
    "norm": "post",
    "positions": "learned",
    "eps": 1e-12,
    "first_position": 0,
    "n_segments": 2,
}
T5 = {"activation": "relu", "gated": False, "tied": True, "eps": 1e-6, "n_buckets": 32, "max_distance": 128}
TRANSFORMER = {"d_model": 256, "n_layers": 3, "n_heads": 8, "d_ff": 512, "norm": "pre", "positions": "sinusoidal"}
RNN = {"d_model": 256, "n_layers": 1, "context": "last", "bidirectional": False, "embedding_shortcut": False}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (GPTConfig, GPT2),
        (PrefixLMConfig, GPT2 | {"block_positions": False, "n_segments": None}),
        (BERTConfig, STACK | BERT | {"outputs": "masked", "pad_id": 0}),
        (T5Config, SIZES | T5 | {"n_layers": 2, "n_decoder_layers": None, "d_head": None, "d_ff": 512, "pad_id": 0}),
        (
            BARTConfig,
            SIZES | {"n_layers": 2, "n_decoder_layers": None, "d_ff": None, "activation": "gelu", "pad_id": 0},
        ),
        (TransformerConfig, TRANSFORMER | {"dropout": 0.0, "max_len": 128, "pad_id": 0}),
        (RNNConfig, RNN | {"dropout": 0.0, "max_len": 128, "pad_id": 0}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_defaults(config, expected):
    found = vars(config())
    assert {name: value for name, value in found.items() if not name.endswith("vocab_size")} == expected
    # A recipe takes the size of a vocabulary from the tokenizer.
    assert {value for name, value in found.items() if name.endswith("vocab_size")} == {0}
    with pytest.raises(FrozenInstanceError):
        config().max_len = 8
    with pytest.raises(TypeError, match="positional"):
        config(8)


@pytest.mark.parametrize("config", [BARTConfig, BERTConfig])
def test_the_configuration_reaches_every_block(config):
    model = config(vocab_size=12, d_model=16, dropout=0.3).build()
    blocks = [m for m in model.modules() if isinstance(m, Block)]
    assert {block.feed_forward.inner.out_features for block in blocks} == {64}
    assert {block.dropout.p for block in blocks} == {0.3}


def test_a_head():
    found = FineTunedConfig(backbone=GPTConfig())
    assert (found.head, found.n_classes, found.frozen) == ("classes", 0, False)
    with pytest.raises(FrozenInstanceError):
        found.head = "tags"
    with pytest.raises(TypeError, match="positional"):
        FineTunedConfig(GPTConfig())
