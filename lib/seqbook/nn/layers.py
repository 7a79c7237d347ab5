"""The small parts of a stack: embeddings, and the network that each position goes through by itself."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seqbook.nn.checks import PAD, check_positive


class FeedForward(nn.Module):
    """max(0, x W₁ + b₁) W₂ + b₂, at each position alike {cite}`vaswani2017attention`. Built in chapter 2.2."""

    def __init__(self, d_model: int, d_ff: int):
        super().__init__()
        check_positive(d_ff=d_ff)
        self.inner = nn.Linear(d_model, d_ff)
        self.out = nn.Linear(d_ff, d_model)

    def forward(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        return self.out(self.inner(x).relu())


def embedding(vocab_size: int, d_model: int, std: float = 0.1) -> nn.Embedding:
    """A vector a token, of deviation `std`; that of padding is 0, and no loss moves it where it is read.

    Torch's own start, of deviation 1, drives an LSTM's gates to their ends, where they learn little.
    """
    vectors = nn.Embedding(vocab_size, d_model, padding_idx=PAD)
    nn.init.normal_(vectors.weight, std=std)
    with torch.no_grad():
        vectors.weight[PAD] = 0
    return vectors
