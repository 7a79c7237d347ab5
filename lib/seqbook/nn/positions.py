"""Positions, because attention without a mask has no order: a vector added to the token's vector, or a rotation."""

from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

Positions = Literal["sinusoidal", "learned", "rotary"]


class Table(nn.Module):
    """One vector per position, which is added to the token's vector. `table` is (max_len, d_model)."""

    def forward(
        self, length: int, offset: int | Int[Tensor, " batch"] = 0
    ) -> Float[Tensor, "length d_model"] | Float[Tensor, "batch length d_model"]:
        """The vectors of the positions offset … offset + length − 1. `offset` may be different in each row.

        An offset of −n means that n positions of padding come first. They get the first vector, and no token attends to
        them.
        """
        if isinstance(offset, int):
            return self.table[offset : offset + length]
        positions = offset[:, None] + torch.arange(length, device=offset.device)  # (B, T)
        return self.table[positions.clamp(min=0)]


class Sinusoidal(Table):
    """PE(t, 2f) = sin(t / 10000^(2f/d)), PE(t, 2f+1) = cos(t / 10000^(2f/d)) {cite}`vaswani2017attention`.

    Each pair of features is like the hand of a clock. The hands turn by 1 to 1/10000 radian per position. Built in
    chapter 2.1.

    Raises:
        ValueError: an odd d_model.
    """

    def __init__(self, d_model: int, max_len: int):
        super().__init__()
        if d_model % 2:
            raise ValueError(f"d_model={d_model} must be even: sine and cosine come in pairs")
        angles = _angles(d_model, max_len)
        self.register_buffer("table", torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1), persistent=False)


class Learned(Table):
    """One trained vector per position {cite}`gehring2017convolutional`, as in GPT and BERT."""

    def __init__(self, d_model: int, max_len: int):
        super().__init__()
        self.table = nn.Parameter(torch.randn(max_len, d_model) * 0.02)


class Rotary(nn.Module):
    """Rotates queries and keys by angles that grow with their position {cite}`su2024roformer`. Used in chapter 2.2.

    Features f and f + D/2 form a two-dimensional vector. At position t it is rotated by t / 10000^(2f/D) radian. The
    dot product of two such vectors depends on the angle between them, so a score depends on the distance between the
    two positions.

    Raises:
        ValueError: an odd d_head.
    """

    def __init__(self, d_head: int, max_len: int):
        super().__init__()
        if d_head % 2:
            raise ValueError(f"d_head={d_head} must be even: features are rotated in pairs")
        angles = _angles(d_head, max_len).repeat(1, 2)  # the same angle for both features of a pair
        sign = torch.ones(d_head).index_fill(0, torch.arange(d_head // 2), -1.0)
        self.register_buffer("cos", angles.cos(), persistent=False)  # (max_len, D)
        self.register_buffer("sin", angles.sin() * sign, persistent=False)

    def forward(
        self,
        t: Float[Tensor, "batch heads length d_head"],
        offset: int = 0,
        position_ids: Int[Tensor, "batch length"] | None = None,
    ) -> Float[Tensor, "batch heads length d_head"]:
        """`t` at the positions offset … offset + length − 1, or at `position_ids`, rotated: (a, b) → (a cos − b sin,
        b cos + a sin)."""
        if position_ids is None:
            cos, sin = (table[offset : offset + t.shape[2]] for table in (self.cos, self.sin))  # (T, D)
        else:
            cos, sin = (table[position_ids][:, None] for table in (self.cos, self.sin))  # (B, 1, T, D)
        return torch.addcmul(t * cos, t.roll(t.shape[-1] // 2, -1), sin)


def build(kind: Positions, d_model: int, d_head: int, max_len: int) -> tuple[Table | None, Rotary | None]:
    """The part for one kind of positions: a table for the model's embedding, or a rotation for its attention.

    Raises:
        ValueError: a kind that does not exist, or an odd width.
    """
    match kind:
        case "sinusoidal":
            return Sinusoidal(d_model, max_len), None
        case "learned":
            return Learned(d_model, max_len), None
        case "rotary":
            return None, Rotary(d_head, max_len)
    raise ValueError(f"positions={kind!r}: choose one of {', '.join(get_args(Positions))}")


def _angles(width: int, max_len: int) -> Tensor:
    """The angle (radian) of each pair f of features at each position t: t / 10000^(2f/width), (max_len, width / 2)."""
    rates = 10_000.0 ** (-torch.arange(0, width, 2) / width)
    return torch.arange(max_len)[:, None] * rates
