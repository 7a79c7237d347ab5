from functools import partial

import pytest
import torch
from torch import nn

from seqbook.nn import masks
from seqbook.nn.attention import Attention
from seqbook.nn.block import Block
from seqbook.nn.layers import FeedForward
from seqbook.nn.stack import Stack


class Relative(nn.Module):
    """Any bias of 4 heads and 24 positions, that counts how often it is asked for."""

    def __init__(self):
        super().__init__()
        self.table, self.asked = nn.Parameter(torch.randn(1, 4, 24, 24)), 0

    def forward(self, n_queries, n_keys):
        self.asked += 1
        return self.table[:, :, n_keys - n_queries : n_keys, :n_keys]


def build(cross=False, relative=None, norm=None, placement="pre"):
    blocks = (
        Block(
            Attention(16, 4),
            FeedForward(16, 24),
            partial(nn.LayerNorm, 16),
            placement=placement,
            cross_attention=Attention(16, 4) if cross else None,
        )
        for _ in range(2)
    )
    return Stack(blocks, nn.LayerNorm(16) if norm is None else norm, relative=relative)


@pytest.mark.parametrize("cross", [False, True])
def test_the_blocks_follow_each_other_and_the_norm_comes_last(cross):
    stack, x, relative = build(cross), torch.randn(2, 7, 16), Relative()
    nn.init.normal_(stack.norm.weight)
    source = (torch.randn(2, 5, 16), torch.rand(2, 1, 1, 5) < 0.7) if cross else (None, None)
    mask = masks.prefix(torch.tensor([3, 0]), 7)
    for shared in (None, relative):
        stack.relative, expected = shared, x
        for block in stack.blocks:
            expected = block(expected, mask, *source, None if shared is None else shared(7, 7))
        torch.testing.assert_close(stack(x, mask, *source), stack.norm(expected))


def test_one_bias_serves_all_blocks():
    stack = build(relative=Relative())
    stack(torch.randn(2, 7, 16), "causal")
    assert stack.relative.asked == 1
    assert [name for name, _ in stack.named_parameters() if "relative" in name] == ["relative.table"]


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("cross", [False, True])
@pytest.mark.parametrize("chunks", [[1] * 20, [3, 1, 14, 2]])
def test_with_a_state_equals_all_at_once(chunks, cross, relative):
    stack, x = build(cross, Relative() if relative else None), torch.randn(2, 20, 16)
    source = (
        (torch.randn(2, 5, 16), torch.tensor([[True] * 5, [True] * 2 + [False] * 3])[:, None, None]) if cross else ()
    )
    state, found = stack.new_state(**dict(zip(("memory", "memory_mask"), source, strict=False))), []
    for part in x.split(chunks, dim=1):
        assert state.length == sum(h.shape[1] for h in found)
        found.append(stack(part, "causal", state=state))
    torch.testing.assert_close(torch.cat(found, dim=1), stack(x, "causal", *source))


def test_a_selection_of_a_state_has_these_rows_of_everything():
    memory, hidden, padding = torch.randn(3, 5, 16), torch.rand(3, 1, 1, 5) < 0.7, torch.tensor([0, 2, 1])
    stack, rows = build(cross=True), torch.tensor([2, 0, 0, 1])
    state = stack.new_state(memory=memory, memory_mask=hidden, padding=padding)
    stack(torch.randn(3, 4, 16), "causal", state=state)
    other = state.select(rows)
    assert other.length == state.length == 4
    for name, tensor in (("memory", memory), ("memory_mask", hidden), ("padding", padding)):
        assert getattr(state, name) is tensor
        assert torch.equal(getattr(other, name), tensor[rows])
    for pair, chosen in zip(state.caches, other.caches, strict=True):
        for cache, copy in zip(pair, chosen, strict=True):
            assert all(torch.equal(b, a[rows]) for a, b in zip(cache.read(), copy.read(), strict=True))


def test_a_new_state_is_empty():
    stack = build()
    state = stack.new_state()
    assert (state.length, state.memory, state.memory_mask, state.padding) == (0, None, None, None)
    assert len(state.caches) == 2
    assert stack.new_state().caches[0][0] is not state.caches[0][0]
    assert state.select(torch.tensor([0, 0])).length == 0


def test_the_length_of_a_state_of_one_block():
    stack = Stack(build().blocks[:1], nn.Identity())
    state = stack.new_state()
    stack(torch.randn(2, 7, 16), "causal", state=state)
    assert state.length == 7
