"""T5's own parts. That its logits are those of transformers' T5 is tested in tests/pretrained/test_t5.py."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seqbook.models.t5 import T5, T5Config, T5FeedForward
from seqbook.viz import record

SIZES = {"vocab_size": 12, "d_model": 16, "n_layers": 2, "n_heads": 4, "d_ff": 24, "max_len": 24}
SOURCE = torch.tensor([[5, 6, 7, 8, 9], [9, 4, 3, 0, 0], [11, 11, 1, 2, 0]])  # 0 is padding
TARGET = torch.tensor([[0, 5, 6, 7], [0, 9, 4, 0], [0, 2, 0, 0]])  # and begins each target


def build(**changes):
    model = T5(T5Config(**SIZES | changes))
    for name, parameter in model.named_parameters():
        # Gains of 1 would hide a mistake, and so would vectors too small to differ.
        nn.init.normal_(parameter, mean=float("norm" in name), std=0.3)
    return model


@pytest.mark.parametrize("gated", [False, True])
def test_the_feed_forward_network(gated):
    part, x = T5FeedForward(16, 24, "gelu_tanh", gated), torch.randn(3, 5, 16)
    if gated:
        expected = (F.gelu(x @ part.gate.weight.T, approximate="tanh") * (x @ part.inner.weight.T)) @ part.out.weight.T
    else:
        expected = F.gelu(x @ part.inner.weight.T, approximate="tanh") @ part.out.weight.T
    torch.testing.assert_close(part(x), expected)


def test_there_is_no_bias_and_every_norm_is_an_rms_norm_with_the_eps():
    model = build(eps=1e-3, gated=True, tied=False)
    assert not [name for name, _ in model.named_parameters() if "bias" in name]
    norms = [m for m in model.modules() if "Norm" in type(m).__name__]
    assert len(norms) == 2 * 2 + 1 + 3 * 2 + 1
    assert {(type(norm), norm.eps) for norm in norms} == {(nn.RMSNorm, 1e-3)}


def test_all_blocks_of_a_stack_share_one_bias_and_no_score_is_scaled():
    model = build(n_buckets=8, max_distance=6)
    names = [name for name, _ in model.named_parameters() if "relative" in name]
    assert names == ["encoder.relative.table", "decoder.relative.table"]
    with record(model) as maps:
        model(SOURCE[:1], TARGET[:1])
    x, bias = model.embedding(SOURCE[:1]), model.encoder.relative(5, 5)
    for block in model.encoder.blocks:
        y, attention = block.attention_norm(x), block.attention
        q, k = (t.unflatten(-1, (4, 4)).transpose(1, 2) for t in (attention.query(y), attention.key_value(y)[..., :16]))
        (found,) = maps[next(name for name, m in model.named_modules() if m is attention)]
        torch.testing.assert_close(found, (q @ k.transpose(2, 3) + bias).softmax(-1))
        x = block(x, None, bias=bias)
    for i, block in enumerate(model.decoder.blocks):  # no bias in cross-attention: it has no distances
        (found,) = maps[f"decoder.blocks.{i}.cross_attention"]
        assert found.shape == (1, 4, 4, 5)
        assert block.cross_attention.scale == 1.0


def test_the_encoder_tells_left_from_right_and_the_decoder_counts_back():
    encoder, decoder = (stack.relative(3, 3)[0, 0] for stack in (build().encoder, build().decoder))
    assert encoder.unique().numel() == 5  # key − query is −2, −1, 0, 1 or 2
    assert decoder.unique().numel() == 3  # the future, which a mask hides, is in the bucket of 0


def test_without_positions_in_its_vectors_the_encoder_sees_distances_alone():
    """The same tokens further to the right, after padding that nothing attends to, have the same hidden states."""
    model = build()
    shifted = F.pad(SOURCE[:1], (3, 0))
    torch.testing.assert_close(model.encode(shifted)[0][:, 3:], model.encode(SOURCE[:1])[0])


@pytest.mark.parametrize("tied", [True, False])
def test_the_output_layer(tied):
    model = build(tied=tied)
    memory, mask = model.encode(SOURCE)
    h = model.decoder(model.embedding(TARGET), "causal", memory, mask)
    weight = model.embedding.tokens.weight / 4 if tied else model.out.weight  # √16
    torch.testing.assert_close(model(SOURCE, TARGET), h @ weight.T)
    attention, feed_forward, norm = 4 * 16 * 16, 2 * 16 * 24, 16
    encoder, decoder = 2 * (attention + feed_forward + 2 * norm), 2 * (2 * attention + feed_forward + 3 * norm)
    expected = encoder + decoder + 2 * (norm + 32 * 4) + 12 * 16 * (1 if tied else 2)
    assert sum(p.numel() for p in model.parameters()) == expected


@pytest.mark.parametrize("tied", [True, False])
def test_the_initial_weights(tied):
    model = T5(
        T5Config(vocab_size=400, d_model=256, n_layers=2, n_heads=4, d_head=32, d_ff=1024, tied=tied, gated=True)
    )
    for stack in (model.encoder, model.decoder):
        assert stack.relative.table.std().item() == pytest.approx(1 / 16, rel=0.25)  # 128 numbers
        block = stack.blocks[1]
        for part in filter(None, (block.attention, block.cross_attention)):
            assert part.query.weight.std().item() == pytest.approx((256 * 32) ** -0.5, rel=0.05)
            assert part.key_value.weight.std().item() == pytest.approx(1 / 16, rel=0.05)
            assert part.out.weight.std().item() == pytest.approx((4 * 32) ** -0.5, rel=0.05)
        for part in (block.feed_forward.inner, block.feed_forward.gate):
            assert part.weight.std().item() == pytest.approx(1 / 16, rel=0.05)
        assert block.feed_forward.out.weight.std().item() == pytest.approx(1 / 32, rel=0.05)
    assert model.embedding.tokens.weight.std().item() == pytest.approx(1, rel=0.05)


def test_an_untrained_model_finds_all_tokens_about_equally_probable_if_it_is_not_tied():
    """A tied one begins by repeating what it reads, because its token vectors are large."""
    model = T5(T5Config(vocab_size=400, d_model=256, d_head=32, tied=False))
    source, target = torch.randint(1, 400, (4, 20)), torch.randint(1, 400, (4, 20))
    logits = model(source, target)
    assert F.cross_entropy(logits.flatten(0, 1), torch.randint(400, (80,))).item() == pytest.approx(
        math.log(400), abs=1
    )
    tied = T5(T5Config(vocab_size=400, d_model=256, d_head=32))
    assert (tied(source, target).argmax(-1) == target).float().mean() > 0.9


def test_gradients_reach_every_parameter():
    model = build(gated=True, tied=False)
    source, target = torch.randint(1, 12, (8, 24)), torch.randint(1, 12, (8, 24))
    model(source, target).log_softmax(-1)[:, :, 4].sum().backward()
    for name, parameter in model.named_parameters():
        reached = parameter.grad.abs() > 1e-7
        if "relative" not in name and name != "embedding.tokens.weight":
            assert reached.float().mean() > 0.9, name
        assert reached.any(), name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_heads": 5}, "d_model=16 is not a multiple of n_heads=5"),
        ({"pad_id": 12}, "pad_id=12 is outside the vocabulary of 12"),
        ({"pad_id": 13}, "pad_id=13 is outside the vocabulary of 12"),
        ({"pad_id": -1}, "pad_id=-1 is outside the vocabulary of 12"),
        ({"n_buckets": 2}, "n_buckets=2 and max_distance=128: give at least 4 buckets"),
        ({"max_distance": 16}, "max_distance=16: .* a max_distance above 16"),
    ],
)
def test_refuses_sizes_that_do_not_fit_each_other(changes, message):
    with pytest.raises(ValueError, match=message):
        build(**changes)


def test_a_larger_vocabulary_keeps_the_pretrained_weights():
    pretrained, grown = build(), build(vocab_size=15, max_len=40, dropout=0.1).eval()
    new = grown.embedding.tokens.weight[12:].clone()
    grown.load_pretrained(pretrained)
    torch.testing.assert_close(grown(SOURCE, TARGET)[..., :12], pretrained(SOURCE, TARGET))
    torch.testing.assert_close(grown.embedding.tokens.weight[12:], new)
    untied = build(vocab_size=15, tied=False)
    untied.load_pretrained(build(tied=False))


def test_the_same_vocabulary_is_copied_whole():
    pretrained, again = build(), build()
    again.load_pretrained(pretrained)
    assert torch.equal(again(SOURCE, TARGET), pretrained(SOURCE, TARGET))


@pytest.mark.parametrize(
    ("here", "there", "message"),
    [
        ({"n_layers": 1}, {}, r"n_layers=2 in pretraining, 1 here"),
        ({"tied": False}, {}, r"tied=True in pretraining, False here"),
        ({"activation": "gelu"}, {}, r"activation=relu in pretraining, gelu here"),
        ({}, {"vocab_size": 20}, r"vocabulary has 20 tokens, this one only 12"),
    ],
)
def test_what_does_not_fit_is_not_loaded(here, there, message):
    with pytest.raises(ValueError, match=message):
        build(**here).load_pretrained(build(**there))


def test_another_network_is_not_loaded():
    with pytest.raises(ValueError, match=r"is a Linear, not a T5"):
        build().load_pretrained(nn.Linear(2, 2))


def test_hidden_states_where_both_stacks_read_the_text():
    model = build().eval()
    ids = torch.tensor([[5, 6, 7, 8]])
    h = model.hidden(ids)
    torch.testing.assert_close(model.logits(h), model(ids, ids))
    changed = model.hidden(torch.tensor([[5, 6, 7, 9]]))
    assert not torch.allclose(h[:, :3], changed[:, :3])  # through the encoder, which reads everything
    torch.testing.assert_close(model.hidden(torch.tensor([[5, 6, 7, 8, 0, 0]]))[:, :4], h)
