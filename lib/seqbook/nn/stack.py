"""A stack of blocks with its final norm, and the state that generation stores for it.

GPT, BERT and a prefix decoder each have one stack; an encoder-decoder has two.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seqbook.nn.attention import MaskOrName
from seqbook.nn.block import Block
from seqbook.nn.cache import Cache


@dataclass(frozen=True)
class State:
    """What is stored between the steps of generation. `prefill` makes it; `decode` adds a token to its caches in place.

    caches: for each block, one for self-attention and one for cross-attention. memory, memory_mask: what
    cross-attention reads, and which of it is padding (None: there is no memory, or no padding). padding: the number of
    positions at the left of each row that are padding (None: none).
    """

    caches: list[tuple[Cache, Cache]]
    memory: Float[Tensor, "batch source d_model"] | None = field(default=None, kw_only=True)
    memory_mask: Bool[Tensor, "batch 1 1 source"] | None = field(default=None, kw_only=True)
    padding: Int[Tensor, " batch"] | None = field(default=None, kw_only=True)

    @property
    def length(self) -> int:
        """The number of positions read so far, padding included."""
        return self.caches[0][0].length

    def select(self, rows: Int[Tensor, " rows"]) -> "State":
        """A copy with these rows of the batch, in this order; a row may occur several times (for beam search)."""
        tensors = {name: getattr(self, name) for name in ("memory", "memory_mask", "padding")}
        chosen = {name: t if t is None else t.index_select(0, rows) for name, t in tensors.items()}
        return replace(self, caches=[(own.select(rows), cross.select(rows)) for own, cross in self.caches], **chosen)


class Stack(nn.Module):
    """x → block → … → block → norm.

    norm: for pre-norm blocks, because their last sum is not normalised yet; nn.Identity() for post-norm blocks.
    relative: makes the bias that self-attention adds to its scores in every block, relative(n_queries, n_keys) → (1,
    heads, query, key).
    """

    def __init__(self, blocks: Iterable[Block], norm: nn.Module, *, relative: nn.Module | None = None):
        super().__init__()
        self.blocks, self.norm, self.relative = nn.ModuleList(blocks), norm, relative

    def forward(
        self,
        x: Float[Tensor, "batch query d_model"],
        mask: MaskOrName = None,
        memory: Float[Tensor, "batch source d_model"] | None = None,
        memory_mask: Bool[Tensor, "#batch #heads #query #source"] | None = None,
        state: State | None = None,
        position_ids: Int[Tensor, "batch query"] | None = None,
    ) -> Float[Tensor, "batch query d_model"]:
        """With a `state`, the positions of `x` follow those read so far, and the memory comes from the state.

        The mask has one row per new position, and one column per position in the cache and per new position.
        position_ids: the positions for rotary positions (None: 0, 1, 2, …).
        """
        caches, seen = [(None, None)] * len(self.blocks), 0
        if state is not None:
            caches, seen, memory, memory_mask = state.caches, state.length, state.memory, state.memory_mask
        bias = None if self.relative is None else self.relative(x.shape[1], seen + x.shape[1])
        for block, pair in zip(self.blocks, caches, strict=True):
            x = block(x, mask, memory, memory_mask, bias, pair, position_ids)
        return self.norm(x)

    def new_state(self, **given: Tensor | None) -> State:
        """An empty state with this memory or padding."""
        return State([(Cache(), Cache()) for _ in self.blocks], **given)
