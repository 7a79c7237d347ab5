"""What BART and T5 have in common: which ids are refused, in a forward and where generation begins."""

import pytest
import torch

from seqbook.models import BARTConfig, T5Config

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
