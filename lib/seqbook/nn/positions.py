"""Where a token stands: attention alone knows no order. As a vector that is added to the token's, or as a rotation."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class Sinusoidal(nn.Module):
    """PE(p, 2i) = sin(p / 10000^(2i/d)), PE(p, 2i+1) = cos(p / 10000^(2i/d)) {cite}`vaswani2017attention`.

    Each pair of features is a clock hand; hands turn at rates from 1 to 1/10000 radian a position. Built in chapter 2.1.

    Raises:
        ValueError: an odd d_model.
    """

    def __init__(self, d_model: int, max_len: int):
        super().__init__()
        if d_model % 2:
            raise ValueError(f"d_model={d_model} must be even: sine and cosine come in pairs")
        angles = _angles(d_model, max_len)
        self.register_buffer("table", torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1), persistent=False)

    def forward(self, length: int, offset: int = 0) -> Float[Tensor, "length d_model"]:
        """Vectors of the positions offset … offset + length − 1."""
        return self.table[offset : offset + length]


class Learned(nn.Module):
    """A vector for each position, trained with the rest {cite}`gehring2017convolutional`. Used from GPT and BERT on."""

    def __init__(self, d_model: int, max_len: int):
        super().__init__()
        self.table = nn.Parameter(torch.randn(max_len, d_model) * 0.02)

    def forward(
        self, length: int, offset: int | Int[Tensor, " batch"] = 0
    ) -> Float[Tensor, "length d_model"] | Float[Tensor, "batch length d_model"]:
        """Vectors of the positions offset … offset + length − 1, of each row's own with an offset for each.

        An offset of −n stands for n positions of padding on the left: they get the first vector, which nobody sees.
        """
        if isinstance(offset, int):
            return self.table[offset : offset + length]
        positions = offset[:, None] + torch.arange(length, device=offset.device)  # (B, T)
        return self.table[positions.clamp(min=0)]


class Rotary(nn.Module):
    """Queries and keys turned by an angle that grows with their position {cite}`su2024roformer`. Used in chapter 2.2.

    Feature i and feature i + D/2 are a clock hand; hand i of position p is turned by p / 10000^(2i/D) radian. A dot
    product of two hands depends on the angle between them, so a score depends on how far apart the two positions are.

    Raises:
        ValueError: an odd d_head.
    """

    def __init__(self, d_head: int, max_len: int):
        super().__init__()
        if d_head % 2:
            raise ValueError(f"d_head={d_head} must be even: a hand has two features")
        angles = _angles(d_head, max_len).repeat(1, 2)  # of both features of each hand
        sign = torch.ones(d_head).index_fill(0, torch.arange(d_head // 2), -1.0)
        self.register_buffer("cos", angles.cos(), persistent=False)  # (max_len, D)
        self.register_buffer("sin", angles.sin() * sign, persistent=False)

    def forward(
        self, t: Float[Tensor, "batch heads length d_head"], offset: int = 0
    ) -> Float[Tensor, "batch heads length d_head"]:
        """`t` of the positions offset … offset + length − 1, turned: (a, b) → (a cos − b sin, b cos + a sin)."""
        cos, sin = (table[offset : offset + t.shape[2]] for table in (self.cos, self.sin))
        return torch.addcmul(t * cos, t.roll(t.shape[-1] // 2, -1), sin)


def _angles(width: int, max_len: int) -> Tensor:
    """How far, in radians, each clock hand has turned at each position: p / 10000^(2i/width), (max_len, width / 2)."""
    rates = 10_000.0 ** (-torch.arange(0, width, 2) / width)
    return torch.arange(max_len)[:, None] * rates
