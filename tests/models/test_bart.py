"""BART's own parts. That its logits are those of transformers' BART is tested in tests/pretrained/test_bart.py."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seqbook.models.bart import BART, BARTConfig

SIZES = {"vocab_size": 12, "d_model": 16, "n_layers": 2, "n_heads": 4, "d_ff": 24, "max_len": 24}
SOURCE = torch.tensor([[5, 6, 7, 8, 9], [9, 4, 3, 0, 0], [11, 11, 1, 2, 0]])  # 0 is padding
TARGET = torch.tensor([[2, 5, 6, 7], [2, 9, 4, 0], [2, 3, 0, 0]])


def build(**changes):
    model = BART(BARTConfig(**SIZES | changes))
    for name, parameter in model.named_parameters():
        # Biases of 0 and gains of 1 would hide a mistake, and so would vectors too small to differ.
        nn.init.normal_(parameter, mean=float("norm" in name and "weight" in name), std=0.3)
    return model


@pytest.mark.parametrize("side", ["source", "target"])
def test_each_stack_begins_with_a_norm_of_tokens_and_positions_from_row_2_on(side):
    model = build()
    table, norm = getattr(model, f"{side}_positions").table, getattr(model, f"{side}_norm")
    assert table.shape == (26, 16)
    ids, embed = torch.randint(1, 12, (3, 24)), getattr(model, f"embed_{side}")
    expected = F.layer_norm(model.embedding.tokens.weight[ids] + table[2:], (16,), norm.weight, norm.bias)
    torch.testing.assert_close(embed(ids), expected)
    if side == "target":
        torch.testing.assert_close(embed(ids[:, 7:9], 7), expected[:, 7:9])
    with torch.no_grad():
        table[:2] = 100  # never read
    torch.testing.assert_close(embed(ids), expected)


def test_blocks_are_post_norm_and_no_norm_ends_a_stack():
    model = build()
    for stack in (model.encoder, model.decoder):
        assert isinstance(stack.norm, nn.Identity)
        assert not any(block.pre_norm for block in stack.blocks)
    last = model.encoder.blocks[-1].feed_forward_norm
    h = (model.encode(SOURCE)[0] - last.bias) / last.weight
    torch.testing.assert_close(h.mean(-1), torch.zeros(3, 5), rtol=0, atol=1e-4)


def test_the_output_layer_is_tied_and_its_bias_is_not_trained():
    model = build()
    before = model(SOURCE, TARGET)
    model.out_bias[3] = 1.5
    difference = torch.zeros(12).index_fill(0, torch.tensor([3]), 1.5)
    torch.testing.assert_close(model(SOURCE, TARGET) - before, difference.expand(3, 4, 12))
    assert "out_bias" in model.state_dict()
    assert "out_bias" not in dict(model.named_parameters())
    with torch.no_grad():
        model.embedding.tokens.weight[10] += 1  # not in the texts: only the scores of this token change
    changed = model(SOURCE, TARGET) - difference != before
    assert changed.any(0).any(0)[10]
    attention, feed_forward, norm = 4 * (16 * 16 + 16), 16 * 24 + 24 + 24 * 16 + 16, 2 * 16
    embeddings = 12 * 16 + 2 * (26 * 16 + norm)
    expected = embeddings + 2 * (attention + feed_forward + 2 * norm) + 2 * (2 * attention + feed_forward + 3 * norm)
    assert sum(p.numel() for p in model.parameters()) == expected


def test_the_initial_weights():
    model = BART(BARTConfig(vocab_size=50, d_model=768, n_layers=1, max_len=30))
    assert model.encoder.blocks[0].attention.out.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert model.source_positions.table.std().item() == pytest.approx(0.02, rel=0.05)
    assert model.embedding.tokens.weight[1:].std().item() == pytest.approx(0.02, rel=0.05)
    assert (model.embedding.tokens.weight[0] == 0).all()
    for block in (*model.encoder.blocks, *model.decoder.blocks):
        assert not any(p.any() for name, p in block.named_parameters() if name.endswith("bias"))


def test_as_an_input_padding_is_not_trained():
    model = build()
    model.embedding(SOURCE).sum().backward()
    assert not model.embedding.tokens.weight.grad[0].any()


def test_gradients_reach_every_parameter():
    model = build()
    source, target = torch.randint(1, 12, (8, 24)), torch.randint(1, 12, (8, 24))
    model(source, target).log_softmax(-1)[:, :, 4].sum().backward()
    for name, parameter in model.named_parameters():
        reached = parameter.grad.abs() > 1e-7
        if name.endswith("key_value.bias"):  # a key's bias moves all scores of a query alike: its gradient is noise
            reached = reached[16:]
        if "positions" in name:
            assert not reached[:2].any()
            reached = reached[2:]
        assert reached.float().mean() > 0.9, name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_heads": 5}, "d_model=16 is not a multiple of n_heads=5"),
        ({"pad_id": 12}, "pad_id=12 is outside the vocabulary of 12"),
        ({"pad_id": 14}, "pad_id=14 is outside the vocabulary of 12"),
        ({"pad_id": -1}, "pad_id=-1 is outside the vocabulary of 12"),
    ],
)
def test_refuses_sizes_that_do_not_fit_each_other(changes, message):
    with pytest.raises(ValueError, match=message):
        build(**changes)
