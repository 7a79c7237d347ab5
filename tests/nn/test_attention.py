import math

import pytest
import torch
import torch.nn.functional as F

from seqbook.nn.attention import AdditiveAttention, DotProductAttention

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
