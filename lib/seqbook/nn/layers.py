"""The small parts of a stack: embeddings, and the network that each position goes through by itself."""

from functools import partial
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from seqbook.nn.checks import PAD, check_positive

Activation = Literal["relu", "gelu", "gelu_tanh", "silu", "tanh"]
_FUNCTIONS = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),  # the curve that GPT was trained with
    "silu": F.silu,
    "tanh": F.tanh,
}


class FeedForward(nn.Module):
    """f(x W₁ + b₁) W₂ + b₂, at each position alike {cite}`vaswani2017attention`. Built in chapter 2.2.

    activation: f; max(0, ·) in 2017, x Φ(x), approximated by a tanh, in GPT {cite}`hendrycks2016gaussian`.

    Raises:
        ValueError: d_ff below one, or an activation that doesn't exist.
    """

    def __init__(self, d_model: int, d_ff: int, activation: Activation = "relu"):
        super().__init__()
        check_positive(d_ff=d_ff)
        if activation not in _FUNCTIONS:
            raise ValueError(f"activation={activation!r}: choose one of {', '.join(get_args(Activation))}")
        self.activation = _FUNCTIONS[activation]
        self.inner = nn.Linear(d_model, d_ff)
        self.out = nn.Linear(d_ff, d_model)

    def forward(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        return self.out(self.activation(self.inner(x)))


def embedding(vocab_size: int, d_model: int, std: float = 0.1) -> nn.Embedding:
    """A vector a token, of deviation `std`; that of padding is 0, and no loss moves it where it is read.

    Torch's own start, of deviation 1, drives an LSTM's gates to their ends, where they learn little.
    """
    vectors = nn.Embedding(vocab_size, d_model, padding_idx=PAD)
    nn.init.normal_(vectors.weight, std=std)
    with torch.no_grad():
        vectors.weight[PAD] = 0
    return vectors
