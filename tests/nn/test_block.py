from functools import partial

import jaxtyping
import pytest
import torch
from torch import nn

from seqbook.nn import masks
from seqbook.nn.attention import Attention
from seqbook.nn.block import Block
from seqbook.nn.cache import Cache
from seqbook.nn.layers import FeedForward

PAD = 0
IDS = torch.tensor([[5, 6, 7, 8, 3], [9, 4, 5, PAD, PAD]])
PLACEMENTS = ("pre", "post")

both_placements = pytest.mark.parametrize("placement", PLACEMENTS)


def build(placement, cross, **changes):
    block = Block(
        Attention(16, 4),
        FeedForward(16, 24),
        partial(nn.LayerNorm, 16),
        placement=placement,
        cross_attention=Attention(16, 4) if cross else None,
        **changes,
    )
    for parameter in block.parameters():  # biases of 0 and gains of 1 would hide a mistake
        nn.init.normal_(parameter, std=0.3)
    return block


@both_placements
def test_equals_torchs_encoder_layer(placement, copy_block):
    block, x = build(placement, cross=False), torch.randn(2, 5, 16)
    theirs = nn.TransformerEncoderLayer(16, 4, 24, dropout=0.0, batch_first=True, norm_first=placement == "pre")
    copy_block(theirs, block)
    expected = theirs(x, src_key_padding_mask=IDS == PAD)
    torch.testing.assert_close(block(x, masks.padding(IDS, PAD)), expected)


@both_placements
def test_equals_torchs_decoder_layer(placement, copy_block):
    block, x, memory = build(placement, cross=True), torch.randn(2, 7, 16), torch.randn(2, 5, 16)
    theirs = nn.TransformerDecoderLayer(16, 4, 24, dropout=0.0, batch_first=True, norm_first=placement == "pre")
    copy_block(theirs, block)
    hidden = {"tgt_mask": ~masks.causal(7)[0, 0], "memory_key_padding_mask": IDS == PAD}
    expected = theirs(x, memory, **hidden, tgt_is_causal=False)
    torch.testing.assert_close(block(x, masks.causal(7), memory, masks.padding(IDS, PAD)), expected)


@pytest.mark.parametrize("chunks", [[1] * 20, [4, 1, 13, 2]])
@pytest.mark.parametrize("cross", [True, False])
@both_placements
def test_with_caches_equals_without(placement, cross, chunks):
    block, x = build(placement, cross), torch.randn(2, 20, 16)
    source = (torch.randn(2, 5, 16), masks.padding(IDS, PAD)) if cross else (None, None)
    bias = torch.randn(1, 4, 20, 20)
    caches, found = (Cache(), Cache()), []
    for part in x.split(chunks, dim=1):
        seen, now = caches[0].length, caches[0].length + part.shape[1]
        found.append(block(part, masks.causal(now, seen), *source, bias[:, :, seen:now, :now], caches))
    torch.testing.assert_close(torch.cat(found, dim=1), block(x, masks.causal(20), *source, bias))


@both_placements
def test_dropout_in_train_mode_only(placement):
    block, plain = build(placement, cross=True, dropout=0.5), build(placement, cross=True)
    plain.load_state_dict(block.state_dict())
    x, memory = torch.randn(2, 7, 16), torch.randn(2, 5, 16)
    assert not torch.equal(block(x, None, memory), block(x, None, memory))
    torch.testing.assert_close(block.eval()(x, None, memory), plain.eval()(x, None, memory), rtol=0, atol=0)


@both_placements
def test_everything_dropped_leaves_the_residual(placement):
    block, x = build(placement, cross=True, dropout=1.0), torch.randn(2, 7, 16)
    found = block(x, None, torch.randn(2, 5, 16))
    expected = x
    if placement == "post":
        for part in (block.attention_norm, block.cross_norm, block.feed_forward_norm):
            expected = part(expected)
    torch.testing.assert_close(found, expected)


def test_a_block_without_cross_attention_has_no_weights_for_it():
    assert not [name for name, _ in build("pre", cross=False).named_parameters() if "cross" in name]


@both_placements
def test_each_part_is_the_one_that_was_given(placement):
    """A family brings its own parts: here RMSNorm with its ε, no biases, fewer heads of keys, d_head apart."""
    feed_forward = nn.Sequential(nn.Linear(16, 24, bias=False), nn.SiLU(), nn.Linear(24, 16, bias=False))
    parts = Attention(16, 4, n_kv_heads=2, d_head=6, bias=False, scale=1.0), feed_forward
    block = Block(*parts, partial(nn.RMSNorm, 16, eps=0.5), placement=placement)
    assert (block.attention, block.feed_forward) == parts
    norms = [block.attention_norm, block.feed_forward_norm]
    for norm in norms:
        nn.init.normal_(norm.weight)
    x, bias = torch.randn(2, 5, 16), torch.randn(1, 4, 5, 5)
    expected = x
    for norm, part in zip(norms, (lambda y: block.attention(y, mask="causal", bias=bias), parts[1]), strict=True):
        expected = expected + part(rms(expected, norm)) if placement == "pre" else rms(expected + part(expected), norm)
    torch.testing.assert_close(block(x, "causal", bias=bias), expected)
    assert not [name for name, _ in block.named_parameters() if "bias" in name]


def rms(x, norm):
    return x / (x.square().mean(-1, keepdim=True) + 0.5).sqrt() * norm.weight


def test_memory_and_cross_attention_belong_together():
    x, memory = torch.randn(2, 7, 16), torch.randn(2, 5, 16)
    with pytest.raises(ValueError, match="this block has no cross-attention, but memory is given"):
        build("pre", cross=False)(x, None, memory)
    with pytest.raises(ValueError, match="this block has a cross-attention, but memory is missing"):
        build("pre", cross=True)(x)


def test_a_placement_that_does_not_exist_is_refused(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as readers have it: beartype would be the first
    with pytest.raises(ValueError, match="norm='between': choose one of pre, post"):
        build("between", cross=False)


def test_a_dropout_that_is_not_a_probability_is_refused():
    with pytest.raises(ValueError, match=r"1\.5"):
        build("pre", cross=False, dropout=1.5)
