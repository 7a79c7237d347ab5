import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seqbook.nn import masks
from seqbook.nn.attention import AdditiveAttention, Attention, DotProductAttention
from seqbook.nn.cache import Cache

PAD = 0
KINDS = {"additive": lambda: AdditiveAttention(6), "dot": DotProductAttention}


@pytest.fixture
def inputs():
    """Query, memory, and a mask that hides the last two keys of the second row."""
    mask = torch.ones(2, 1, 5, dtype=torch.bool)
    mask[1, :, 3:] = False
    return torch.randn(2, 4, 6), torch.randn(2, 5, 6), mask


def weights_of(attention, *inputs):
    found = []
    handle = attention.weights.register_forward_hook(lambda _module, _inputs, output: found.append(output))
    attention(*inputs)
    handle.remove()
    return found[0]


def score(attention, s, h):
    """One query against one key, as the papers write it."""
    if isinstance(attention, DotProductAttention):
        return sum(a * b for a, b in zip(s.tolist(), h.tolist(), strict=True))
    hidden = torch.tanh(attention.query.weight @ s + attention.key.weight @ h)
    return (attention.score.weight[0] @ hidden).item()


@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_formula_written_with_loops(kind, inputs):
    attention = KINDS[kind]()
    query, memory, mask = inputs
    expected = torch.zeros(2, 4, 6)
    for b in range(2):
        keys = [j for j in range(5) if mask[b, 0, j]]
        for i in range(4):
            exponentials = [math.exp(score(attention, query[b, i], memory[b, j])) for j in keys]
            for j, e in zip(keys, exponentials, strict=True):
                expected[b, i] += e / sum(exponentials) * memory[b, j]
    torch.testing.assert_close(attention(*inputs), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_sum_to_one_and_are_zero_at_hidden_keys(kind, inputs):
    weights = weights_of(KINDS[kind](), *inputs)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 4))
    hidden = ~inputs[2].expand_as(weights)
    assert hidden.sum() == 8
    assert (weights[hidden] == 0).all()
    assert (weights[~hidden] > 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_nothing(kind, inputs):
    attention = KINDS[kind]()
    query, memory, mask = inputs
    longer = torch.cat([memory, torch.full((2, 3, 6), 1e4)], dim=1)
    padded = attention(query, longer, F.pad(mask, (0, 3)))
    torch.testing.assert_close(padded, attention(query, memory, mask))


def test_dot_product_equals_torch(inputs):
    query, memory, mask = inputs
    expected = F.scaled_dot_product_attention(query, memory, memory, attn_mask=mask, scale=1.0)
    torch.testing.assert_close(DotProductAttention()(query, memory, mask), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_a_mask_may_differ_from_query_to_query(kind, inputs):
    query, memory, _ = inputs
    mask = torch.ones(4, 5, dtype=torch.bool).tril()[None].expand(2, 4, 5)
    attention = KINDS[kind]()
    torch.testing.assert_close(attention(query, memory, mask)[:, 0], memory[:, 0])
    shorter = attention(query[:, 1:2], memory[:, :2], mask[:, 1:2, :2])
    torch.testing.assert_close(attention(query, memory, mask)[:, 1:2], shorter)


def mask_of(kind, n_heads, query, key):
    """A mask for two rows, None included; no query is left without a key."""
    ids = torch.tensor([[4] * key, [4] * (key - 2) + [PAD] * 2])
    per_head = torch.rand(2, n_heads, query, key) < 0.5
    per_head[..., 0] = True
    return {
        "none": lambda: None,
        "padding": lambda: masks.padding(ids, PAD),
        "causal": lambda: masks.causal(key),
        "causal by name": lambda: "causal",
        "prefix": lambda: masks.prefix(torch.tensor([3, 1]), key),
        "per head": lambda: per_head,
        "padding, per head": lambda: masks.padding(ids, PAD) & per_head,
        "all": lambda: masks.prefix(torch.tensor([3, 1]), key) & masks.padding(ids, PAD) & per_head,
    }[kind]()


@pytest.mark.parametrize("n_heads", [1, 2, 4])
@pytest.mark.parametrize(
    ("memory", "kind"),
    [("self", kind) for kind in ("none", "padding", "causal", "causal by name", "prefix", "per head", "all")]
    + [("cross", kind) for kind in ("none", "padding", "per head", "padding, per head")],
)
def test_equals_torch(memory, kind, n_heads, copy_attention):
    ours, theirs = Attention(16, n_heads), nn.MultiheadAttention(16, n_heads, batch_first=True)
    for layer in (ours.query, ours.key_value, ours.out):
        nn.init.normal_(layer.bias)
    copy_attention(theirs, ours)
    x = torch.randn(2, 7, 16)
    read = x if memory == "self" else torch.randn(2, 5, 16)
    mask = mask_of(kind, n_heads, 7, read.shape[1])
    told = masks.causal(7) if mask == "causal" else mask
    hidden = None if told is None else ~told.expand(2, n_heads, 7, -1).flatten(0, 1)
    expected, _ = theirs(x, read, read, attn_mask=hidden)
    torch.testing.assert_close(ours(x, None if memory == "self" else read, mask), expected)


@pytest.mark.parametrize("n_kv_heads", [1, 2, 4])
@pytest.mark.parametrize("cached", [False, True], ids=["at once", "cached"])
def test_shared_keys_equal_keys_repeated_for_each_query(n_kv_heads, cached):
    shared, full = Attention(16, 4, n_kv_heads=n_kv_heads), Attention(16, 4)
    for name in ("query", "out"):
        getattr(full, name).load_state_dict(getattr(shared, name).state_dict())
    repeated = {}
    for name, t in shared.key_value.state_dict().items():
        heads = t.unflatten(0, (2, n_kv_heads, 4))  # keys and values, their heads, d_head
        repeated[name] = heads.repeat_interleave(4 // n_kv_heads, dim=1).flatten(0, 2)
    full.key_value.load_state_dict(repeated)
    assert shared.key_value.weight.shape == (2 * n_kv_heads * 4, 16)
    x, mask = torch.randn(2, 7, 16), masks.prefix(torch.tensor([3, 1]), 7)
    caches = (Cache(), Cache()) if cached else (None, None)
    torch.testing.assert_close(shared(x, mask=mask, cache=caches[0]), full(x, mask=mask, cache=caches[1]))
    if cached:
        assert caches[0].read()[0].shape == (2, n_kv_heads, 7, 4)


@pytest.mark.parametrize("chunks", [[1] * 20, [3, 1, 14, 2]])
@pytest.mark.parametrize("n_kv_heads", [1, 4])
@pytest.mark.parametrize("named", [False, True], ids=["tensor", "by name"])
def test_self_attention_with_a_cache_equals_all_at_once(chunks, n_kv_heads, named):
    attention, cache, x = Attention(16, 4, n_kv_heads=n_kv_heads), Cache(), torch.randn(2, 20, 16)
    found = []
    for part in x.split(chunks, dim=1):
        seen = cache.length
        mask = "causal" if named else masks.causal(seen + part.shape[1], seen)
        found.append(attention(part, mask=mask, cache=cache))
    torch.testing.assert_close(torch.cat(found, dim=1), attention(x, mask=masks.causal(20)))


def test_cross_attention_with_a_cache_reads_the_memory_once():
    attention, cache = Attention(16, 4), Cache()
    x, memory, hidden = torch.randn(2, 3, 16), torch.randn(2, 5, 16), mask_of("padding", 4, 3, 5)
    found = [attention(x[:, :1], memory, hidden, cache=cache)]
    found += [attention(x[:, i : i + 1], torch.zeros_like(memory), hidden, cache=cache) for i in (1, 2)]
    torch.testing.assert_close(torch.cat(found, dim=1), attention(x, memory, hidden))
    assert cache.length == 5


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("mask", [masks.causal(7), "causal"], ids=["tensor", "by name"])
def test_no_position_sees_the_future(training, mask):
    attention, x = Attention(16, 4).train(training), torch.randn(1, 7, 16)
    changed = x.clone()
    changed[:, 5] += 1
    before, after = attention(x, mask=mask), attention(changed, mask=mask)
    torch.testing.assert_close(before[:, :5], after[:, :5], rtol=0, atol=0)
    assert (before[:, 5:] != after[:, 5:]).any(-1).all()


def test_heads_may_be_wider_than_their_share_of_the_model():
    attention, x = Attention(16, 4, d_head=6), torch.randn(2, 7, 16)
    assert attention.query.weight.shape == (24, 16)
    assert attention.key_value.weight.shape == (48, 16)
    assert attention.out.weight.shape == (16, 24)
    k, v = attention.keys_values(x)
    assert k.shape == v.shape == (2, 4, 7, 6)
    assert attention(x).shape == x.shape
    assert Attention(15, 4, d_head=6)(x[..., :15]).shape == (2, 7, 15)  # d_model need not be a multiple of n_heads then


@pytest.mark.parametrize("n_kv_heads", [1, 4])
@pytest.mark.parametrize("scale", [None, 1.0, 0.3])
@pytest.mark.parametrize("kind", ["none", "causal", "causal by name", "prefix", "all"])
def test_a_bias_is_added_to_the_scaled_scores(kind, scale, n_kv_heads):
    attention, x, bias = (
        Attention(16, 4, n_kv_heads=n_kv_heads, scale=scale),
        torch.randn(2, 7, 16),
        torch.randn(1, 4, 7, 7),
    )
    q = attention.query(x).unflatten(-1, (4, 4)).transpose(1, 2)
    k, v = (t.repeat_interleave(4 // n_kv_heads, dim=1) for t in attention.keys_values(x))
    scores = torch.einsum("bhtd,bhsd->bhts", q, k) * (0.5 if scale is None else scale) + bias
    mask = mask_of(kind, 4, 7, 7)
    seen = mask_of("causal", 4, 7, 7) if kind == "causal by name" else mask
    weights = (scores if seen is None else scores.masked_fill(~seen, -1e9)).softmax(-1)
    expected = attention.out((weights @ v).transpose(1, 2).flatten(2))
    torch.testing.assert_close(attention(x, mask=mask, bias=bias), expected)


@pytest.mark.parametrize("named", [False, True], ids=["tensor", "by name"])
def test_with_a_cache_the_bias_has_one_row_per_new_position(named):
    attention, cache, x, bias = Attention(16, 4), Cache(), torch.randn(2, 20, 16), torch.randn(1, 4, 20, 20)
    found = []
    for part in x.split([3, 1, 14, 2], dim=1):
        seen, now = cache.length, cache.length + part.shape[1]
        mask = "causal" if named else masks.causal(now, seen)
        found.append(attention(part, mask=mask, bias=bias[:, :, seen:now, :now], cache=cache))
    torch.testing.assert_close(torch.cat(found, dim=1), attention(x, mask=masks.causal(20), bias=bias))


@pytest.mark.parametrize("name", ["banded", "prefix"])
def test_a_mask_by_another_name_is_refused(name):
    with pytest.raises(ValueError, match=rf"mask='{name}'.*seqbook.nn.masks"):
        Attention(16, 4)(torch.randn(1, 7, 16), mask=name)


def test_biases_can_be_left_out():
    attention = Attention(16, 4, bias=False)
    assert {name for name, _ in attention.named_parameters()} == {"query.weight", "key_value.weight", "out.weight"}
    assert (attention(torch.zeros(1, 3, 16)) == 0).all()


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"d_model": 0}, "d_model=0 must"),
        ({"n_heads": 0}, "n_heads=0 must"),
        ({"n_kv_heads": 0}, "n_kv_heads=0 must"),
        ({"n_heads": 5}, "d_model=16 is not a multiple of n_heads=5"),
        ({"n_kv_heads": 3}, "n_heads=4 is not a multiple of n_kv_heads=3"),
        ({"n_kv_heads": 8}, "n_heads=4 is not a multiple of n_kv_heads=8"),
    ],
)
def test_refuses_sizes_by_name(sizes, message):
    with pytest.raises(ValueError, match=message):
        Attention(**{"d_model": 16, "n_heads": 4} | sizes)


def nothing_for_the_second_query(n_keys):
    """In the first row of the batch. In the second row, it may attend to the first key."""
    mask = torch.ones(2, 4, n_keys, dtype=torch.bool)
    mask[:, 1] = False
    mask[1, 1, 0] = True
    return mask


@pytest.mark.parametrize("kind", KINDS)
def test_a_query_that_may_attend_to_nothing_gets_zeros(kind, inputs):
    query, memory, _ = inputs
    query.requires_grad_()
    found = KINDS[kind]()(query, memory, nothing_for_the_second_query(5))
    assert found[0, 1].abs().max() == 0
    assert found[:, 0].abs().min() > 0
    torch.testing.assert_close(found[1, 1], memory[1, 0])
    found.sum().backward()
    assert query.grad.isfinite().all()


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("bias", [None, torch.ones(1, 1, 4, 4)])
def test_in_several_heads_too(training, bias):
    attention = Attention(8, 2, bias=False).train(training)
    x = torch.randn(2, 4, 8, requires_grad=True)
    found = attention(x, mask=nothing_for_the_second_query(4)[:, None], bias=bias)
    assert found[0, 1].abs().max() == 0
    assert found[1, 1].abs().min() > 0
    found.sum().backward()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (torch.ones(2, 1, 4, 4), "the mask has dtype torch.float32: give a boolean one"),
        (torch.ones(2, 1, 4, 4, dtype=torch.long), "the mask has dtype torch.int64"),
        (torch.ones(2, 1, 4, 5, dtype=torch.bool), r"shape \(2, 1, 4, 5\), which does not broadcast to \(2, 2, 4, 4\)"),
        (torch.ones(4, 4, dtype=torch.bool), r"shape \(4, 4\), which does not broadcast"),
        (torch.ones(1, 2, 2, 4, 4, dtype=torch.bool), r"shape \(1, 2, 2, 4, 4\), which does not broadcast"),
        (torch.ones(3, 1, 1, 4, dtype=torch.bool), r"shape \(3, 1, 1, 4\), which does not broadcast"),
    ],
)
def test_a_mask_of_another_kind_is_refused(mask, message):
    with pytest.raises(ValueError, match=message):
        masks.check(mask, 2, 2, 4, 4)


def test_attention_checks_its_mask():
    with pytest.raises(ValueError, match="does not broadcast"):
        Attention(8, 2)(torch.randn(2, 4, 8), mask=torch.ones(2, 1, 4, 5, dtype=torch.bool))


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_attentions_check_theirs(kind):
    with pytest.raises(ValueError, match="the mask is on the device meta"):  # which a check of its shape lets pass
        KINDS[kind]().weights(torch.zeros(2, 1, 5), torch.ones(2, 1, 5, dtype=torch.bool, device="meta"))


def test_additive_attention_has_the_parameters_that_the_formula_names():
    assert sum(p.numel() for p in AdditiveAttention(6).parameters()) == 2 * 6**2 + 6
