import jaxtyping
import pytest
import torch
from torch import nn

from seqbook.nn import masks
from seqbook.nn.block import Block
from seqbook.nn.cache import Cache
from seqbook.tokenizer import PAD

IDS = torch.tensor([[5, 6, 7, 8, 3], [9, 4, 5, PAD, PAD]])
NORMS = ("before", "after")


def build(norm, cross, **changes):
    block = Block(16, 4, 24, norm=norm, cross=cross, **changes)
    for parameter in block.parameters():  # biases of 0 and gains of 1 would hide a mistake
        nn.init.normal_(parameter, std=0.3)
    return block


@pytest.mark.parametrize("norm", NORMS)
def test_equals_torchs_encoder_layer(norm, copy_block):
    block, x = build(norm, cross=False), torch.randn(2, 5, 16)
    theirs = nn.TransformerEncoderLayer(16, 4, 24, dropout=0.0, batch_first=True, norm_first=norm == "before")
    copy_block(theirs, block)
    expected = theirs(x, src_key_padding_mask=IDS == PAD)
    torch.testing.assert_close(block(x, masks.padding(IDS)), expected)


@pytest.mark.parametrize("norm", NORMS)
def test_equals_torchs_decoder_layer(norm, copy_block):
    block, x, memory = build(norm, cross=True), torch.randn(2, 7, 16), torch.randn(2, 5, 16)
    theirs = nn.TransformerDecoderLayer(16, 4, 24, dropout=0.0, batch_first=True, norm_first=norm == "before")
    copy_block(theirs, block)
    hidden = {"tgt_mask": ~masks.causal(7)[0, 0], "memory_key_padding_mask": IDS == PAD}
    expected = theirs(x, memory, **hidden, tgt_is_causal=False)
    torch.testing.assert_close(block(x, masks.causal(7), memory, masks.padding(IDS)), expected)


@pytest.mark.parametrize("chunks", [[1] * 20, [4, 1, 13, 2]])
@pytest.mark.parametrize("cross", [True, False])
@pytest.mark.parametrize("norm", NORMS)
def test_with_caches_equals_without(norm, cross, chunks):
    block, x = build(norm, cross), torch.randn(2, 20, 16)
    source = (torch.randn(2, 5, 16), masks.padding(IDS)) if cross else (None, None)
    caches, found = (Cache(), Cache()), []
    for part in x.split(chunks, dim=1):
        seen = caches[0].length
        found.append(block(part, masks.causal(seen + part.shape[1], seen), *source, caches))
    torch.testing.assert_close(torch.cat(found, dim=1), block(x, masks.causal(20), *source))


@pytest.mark.parametrize("norm", NORMS)
def test_dropout_in_train_mode_only(norm):
    block, plain = build(norm, cross=True, dropout=0.5), build(norm, cross=True)
    plain.load_state_dict(block.state_dict())
    x, memory = torch.randn(2, 7, 16), torch.randn(2, 5, 16)
    assert not torch.equal(block(x, None, memory), block(x, None, memory))
    torch.testing.assert_close(block.eval()(x, None, memory), plain.eval()(x, None, memory), rtol=0, atol=0)


@pytest.mark.parametrize("norm", NORMS)
def test_everything_dropped_leaves_the_residual(norm):
    block, x = build(norm, cross=True, dropout=1.0), torch.randn(2, 7, 16)
    found = block(x, None, torch.randn(2, 5, 16))
    expected = x
    if norm == "after":
        for part in (block.attention_norm, block.cross_norm, block.feed_forward_norm):
            expected = part(expected)
    torch.testing.assert_close(found, expected)


def test_a_block_without_cross_attention_has_no_weights_for_it():
    assert not [name for name, _ in build("before", cross=False).named_parameters() if "cross" in name]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"norm": "between"}, "norm='between': choose one of before, after"),
        ({"n_heads": 5}, "d_model=16 is not a multiple of n_heads=5"),
        ({"d_ff": 0}, "d_ff=0 must"),
        ({"dropout": 1.5}, "1.5"),
    ],
)
def test_refuses_what_does_not_fit_by_name(changes, message, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as readers have it: beartype would be the first
    with pytest.raises(ValueError, match=message):
        Block(**{"d_model": 16, "n_heads": 4, "d_ff": 24, "norm": "before"} | changes)
