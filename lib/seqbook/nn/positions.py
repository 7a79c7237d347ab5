"""Where a token stands, as a vector to add to what it is: attention alone knows no order."""

import torch
from jaxtyping import Float
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
        rates = 10_000.0 ** (-torch.arange(0, d_model, 2) / d_model)  # (D/2), radians a position
        angles = torch.arange(max_len)[:, None] * rates
        self.register_buffer("table", torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1), persistent=False)

    def forward(self, length: int, offset: int = 0) -> Float[Tensor, "length d_model"]:
        """Vectors of the positions offset … offset + length − 1."""
        return self.table[offset : offset + length]


class Learned(nn.Module):
    """A vector for each position, trained with the rest {cite}`gehring2017convolutional`. Used from GPT and BERT on."""

    def __init__(self, d_model: int, max_len: int):
        super().__init__()
        self.table = nn.Parameter(torch.randn(max_len, d_model) * 0.02)

    def forward(self, length: int, offset: int = 0) -> Float[Tensor, "length d_model"]:
        """Vectors of the positions offset … offset + length − 1."""
        return self.table[offset : offset + length]
