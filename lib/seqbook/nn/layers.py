"""The small layers around attention: token embeddings, and the feed-forward network."""

from collections.abc import Callable
from functools import partial
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqbook.nn.checks import check_positive
from seqbook.nn.positions import Table

Activation = Literal["relu", "gelu", "gelu_tanh", "silu", "tanh"]
_FUNCTIONS = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),  # the approximation that GPT was trained with
    "silu": F.silu,
    "tanh": F.tanh,
}


def activation_function(name: Activation) -> Callable[[Tensor], Tensor]:
    """The function with this name.

    Raises:
        ValueError: a name that does not exist.
    """
    if name not in _FUNCTIONS:
        raise ValueError(f"activation={name!r}: choose one of {', '.join(get_args(Activation))}")
    return _FUNCTIONS[name]


class FeedForward(nn.Module):
    """f(x W₁ + b₁) W₂ + b₂, applied to each position separately {cite}`vaswani2017attention`. Built in chapter 2.2.

    activation: the function f; max(0, ·) in 2017, and x Φ(x), approximated with tanh, in GPT
    {cite}`hendrycks2016gaussian`.

    Raises:
        ValueError: d_ff below one, or an activation that does not exist.
    """

    def __init__(self, d_model: int, d_ff: int, activation: Activation = "relu"):
        super().__init__()
        check_positive(d_ff=d_ff)
        self.activation = activation_function(activation)
        self.inner = nn.Linear(d_model, d_ff)
        self.out = nn.Linear(d_ff, d_model)

    def forward(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        return self.out(self.activation(self.inner(x)))


class Embedding(nn.Module):
    """U' = scale · U W_e + W_p: one vector per token, plus one vector per position if the model adds them.

    positions: the table W_p (None: the model uses positions elsewhere, for example as rotations). std: the standard
    deviation of the initial weights (None: torch's default, 1). pad_id: the row of padding is 0 and stays 0 (None: the
    vocabulary has no padding).
    """

    def __init__(
        self,
        vocab_size: int,
        d_model: int,
        *,
        positions: Table | None = None,
        scale: float = 1.0,
        std: float | None = None,
        pad_id: int | None = None,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.tokens = token_embedding(vocab_size, d_model, std, pad_id)
        self.positions, self.scale = positions, scale
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        ids: Int[Tensor, "batch time"],
        offset: int | Int[Tensor, " batch"] = 0,
        position_ids: Int[Tensor, "batch time"] | None = None,
    ) -> Float[Tensor, "batch time d_model"]:
        """The vectors of tokens at the positions offset, offset + 1, …, or at `position_ids`. `offset` may be different
        in each row."""
        x = self.tokens(ids) * self.scale  # (B, T, D)
        if self.positions is not None and position_ids is not None:
            x = x + self.positions.table[position_ids]
        elif self.positions is not None:
            x = x + self.positions(ids.shape[1], offset)
        return self.dropout(x)

    def logits(
        self, hidden: Float[Tensor, "*batch d_model"], bias: Float[Tensor, " vocab"] | None = None
    ) -> Float[Tensor, "*batch vocab"]:
        """hidden W_eᵀ + bias: the vectors of the input tokens also score the next token {cite}`press2017using`."""
        return F.linear(hidden, self.tokens.weight, bias)


def token_embedding(vocab_size: int, d_model: int, std: float | None, pad_id: int | None = None) -> nn.Embedding:
    """Torch's embedding, initialised with the standard deviation `std`.

    With torch's default, 1, the gates of an LSTM are saturated at first, and their gradients are small.
    """
    vectors = nn.Embedding(vocab_size, d_model, padding_idx=pad_id)
    if std is not None:
        nn.init.normal_(vectors.weight, std=std)
    if pad_id is not None:
        with torch.no_grad():
            vectors.weight[pad_id] = 0
    return vectors
