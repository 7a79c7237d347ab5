"""What encoder-decoders have in common: which ids are refused, in a forward and where generation begins, and dropout."""

import pytest
import torch

from seqbook.models import BARTConfig, T5Config, TransformerConfig

SIZES = {"vocab_size": 12, "d_model": 16, "n_layers": 1, "n_heads": 4, "d_ff": 24, "max_len": 24}


@pytest.mark.parametrize("config", [BARTConfig, T5Config])
@pytest.mark.parametrize("call", ["forward", "prefill"])
@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ([[4, 12]], [[1]], "source_ids has the id 12, outside the vocabulary of 12"),
        ([[4], [0]], [[1], [1]], r"source_ids has empty sequences .* in rows \[1\]"),
        ([[4]], [[1, 12]], "target_ids has the id 12, outside the vocabulary of 12"),
        ([[4]], [[1] * 25], "target_ids is 25 tokens long, .* max_len=24"),
    ],
)
def test_refuses_ids_by_name(config, call, source, target, message):
    with pytest.raises(ValueError, match=message):
        getattr(config(**SIZES).build(), call)(torch.tensor(source), torch.tensor(target))


@pytest.mark.parametrize("config", [T5Config, TransformerConfig])
def test_dropout_falls_on_every_branch(config):
    """Without them, pre-norm blocks leave x as it is."""
    sizes = {name: 12 for name in vars(config()) if name.endswith("vocab_size")}
    model = config(**sizes, d_model=16, n_layers=2, n_heads=2, d_ff=24, dropout=1.0).build()
    x, memory = torch.randn(2, 5, 16), torch.randn(2, 3, 16)
    for block in model.encoder.blocks:
        assert torch.equal(block(x), x)
    for block in model.decoder.blocks:
        assert torch.equal(block(x, None, memory), x)
