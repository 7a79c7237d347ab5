"""A Transformer block: self-attention, optional cross-attention, feed-forward network, each with a residual connection.

pre-norm                      post-norm
x ──┬───────────────┐         x ──┬───────────┐
    └ norm ─ part ──+── x         └── part ───+─ norm ── x
"""

from collections.abc import Callable
from typing import Literal, get_args

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seqbook.nn.attention import MaskOrName
from seqbook.nn.cache import Cache

Placement = Literal["pre", "post"]


class Block(nn.Module):
    """x ← norm(x + part(x)) {cite}`vaswani2017attention` or x ← x + part(norm(x)) {cite}`xiong2020layer`, part by part.

    The model builds the parts, so each family can use its own. Built in chapter 2.2.

    norm: makes one norm, for example partial(nn.LayerNorm, d_model). placement: "pre" or "post", the place of the norm.
    cross_attention: None in a block without a memory.

    Raises:
        ValueError: a placement that does not exist.
    """

    def __init__(
        self,
        attention: nn.Module,
        feed_forward: nn.Module,
        norm: Callable[[], nn.Module],
        *,
        placement: Placement,
        cross_attention: nn.Module | None = None,
        dropout: float = 0.0,
    ):
        super().__init__()
        if placement not in get_args(Placement):
            raise ValueError(f"norm={placement!r}: choose one of {', '.join(get_args(Placement))}")
        self.pre_norm = placement == "pre"
        self.attention, self.attention_norm = attention, norm()
        self.cross_attention = cross_attention
        if cross_attention is not None:
            self.cross_norm = norm()
        self.feed_forward, self.feed_forward_norm = feed_forward, norm()
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Float[Tensor, "batch query d_model"],
        mask: MaskOrName = None,
        memory: Float[Tensor, "batch source d_model"] | None = None,
        memory_mask: Bool[Tensor, "#batch #heads #query #source"] | None = None,
        bias: Float[Tensor, "#batch #heads #query #key"] | None = None,
        caches: tuple[Cache | None, Cache | None] = (None, None),
        position_ids: Int[Tensor, "batch query"] | None = None,
    ) -> Float[Tensor, "batch query d_model"]:
        """bias: added to the scores of self-attention. caches: of self-attention and cross-attention, during
        generation. position_ids: for self-attention with rotary positions.

        Raises:
            ValueError: a memory for a block without cross-attention, or no memory for a block with cross-attention.
        """
        if (self.cross_attention is None) != (memory is None):
            has, given = ("no", "given") if self.cross_attention is None else ("a", "missing")
            raise ValueError(f"this block has {has} cross-attention, but memory is {given}")
        own, cross = caches
        x = self._residual(
            x,
            self.attention_norm,
            lambda y: self.attention(y, mask=mask, bias=bias, cache=own, position_ids=position_ids),
        )
        if memory is not None:
            x = self._residual(
                x, self.cross_norm, lambda y: self.cross_attention(y, memory, mask=memory_mask, cache=cross)
            )
        return self._residual(x, self.feed_forward_norm, self.feed_forward)

    def _residual(self, x: Tensor, norm: nn.Module, part: Callable[[Tensor], Tensor]) -> Tensor:
        if self.pre_norm:
            return x + self.dropout(part(norm(x)))
        return norm(x + self.dropout(part(x)))
