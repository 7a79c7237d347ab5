"""One floor of a stack: look around, look at the source, think; each adds to what was there."""

from typing import Literal

from jaxtyping import Bool, Float
from torch import Tensor, nn

from seqbook.nn.attention import Attention, Mask
from seqbook.nn.cache import Cache
from seqbook.nn.layers import Activation, FeedForward
from seqbook.nn.positions import Rotary

Placement = Literal["before", "after"]


class Block(nn.Module):
    """Self-attention, cross-attention if wanted, feed-forward, each with a residual. Built in chapter 2.2.

    norm "after": x ← norm(x + f(x)) {cite}`vaswani2017attention`; "before": x ← x + f(norm(x)) {cite}`xiong2020layer`.

    Raises:
        ValueError: sizes that don't divide; a norm placement or an activation that doesn't exist.
    """

    def __init__(
        self,
        d_model: int,
        n_heads: int,
        d_ff: int,
        *,
        norm: Placement,
        activation: Activation = "relu",
        rotary: Rotary | None = None,
        dropout: float = 0.0,
        cross: bool = False,
    ):
        super().__init__()
        if norm not in ("before", "after"):
            raise ValueError(f"norm={norm!r}: choose one of before, after")
        self.norm_first = norm == "before"
        self.attention, self.attention_norm = Attention(d_model, n_heads, rotary=rotary), nn.LayerNorm(d_model)
        self.cross = cross
        if cross:
            self.cross_attention, self.cross_norm = Attention(d_model, n_heads), nn.LayerNorm(d_model)
        self.feed_forward, self.feed_forward_norm = FeedForward(d_model, d_ff, activation), nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Float[Tensor, "batch query d_model"],
        mask: Mask = None,
        memory: Float[Tensor, "batch source d_model"] | None = None,
        memory_mask: Bool[Tensor, "#batch #heads #query #source"] | None = None,
        caches: tuple[Cache | None, Cache | None] = (None, None),
    ) -> Float[Tensor, "batch query d_model"]:
        """`caches`: of self-attention and of cross-attention, for generation.

        Raises:
            ValueError: a memory for a block without cross-attention, or none for one with it.
        """
        if self.cross != (memory is not None):
            raise ValueError(f"cross={self.cross}, but memory is {'missing' if self.cross else 'given'}")
        own, other = caches
        x = self._residual(x, self.attention_norm, lambda y: self.attention(y, mask=mask, cache=own))
        if memory is not None:
            x = self._residual(
                x, self.cross_norm, lambda y: self.cross_attention(y, memory, mask=memory_mask, cache=other)
            )
        return self._residual(x, self.feed_forward_norm, self.feed_forward)

    def _residual(self, x: Tensor, norm: nn.LayerNorm, part) -> Tensor:
        if self.norm_first:
            return x + self.dropout(part(norm(x)))
        return norm(x + self.dropout(part(x)))
