"""Attention: each query takes a weighted mean of the memory, with weights that it chooses itself."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


class AdditiveAttention(nn.Module):
    """α_ij = softmax_j(vᵀ tanh(W s_i + U h_j)), c_i = Σ_j α_ij h_j {cite}`bahdanau2015neural`. Built in chapter 1.2.

    The score is a small network of its own, trained with the rest: 2·d_model² + d_model parameters.
    """

    def __init__(self, d_model: int):
        super().__init__()
        self.query = nn.Linear(d_model, d_model, bias=False)
        self.key = nn.Linear(d_model, d_model, bias=False)
        self.score = nn.Linear(d_model, 1, bias=False)
        self.weights = nn.Softmax(dim=-1)  # a module of its own, so that viz.record can read what it returns

    def forward(
        self,
        query: Float[Tensor, "batch query d_model"],
        memory: Float[Tensor, "batch key d_model"],
        mask: Bool[Tensor, "batch #query key"],
    ) -> Float[Tensor, "batch query d_model"]:
        hidden = torch.tanh(self.query(query)[:, :, None] + self.key(memory)[:, None])  # (B, T, S, D)
        scores = self.score(hidden).squeeze(-1)  # (B, T, S)
        return self.weights(scores.masked_fill(~mask, -torch.inf)) @ memory


class DotProductAttention(nn.Module):
    """α_ij = softmax_j(s_i · h_j), c_i = Σ_j α_ij h_j {cite}`luong2015effective`. Built in chapter 1.2.

    It has no parameters: queries and memory must learn to live in one space.
    """

    def __init__(self):
        super().__init__()
        self.weights = nn.Softmax(dim=-1)

    def forward(
        self,
        query: Float[Tensor, "batch query d_model"],
        memory: Float[Tensor, "batch key d_model"],
        mask: Bool[Tensor, "batch #query key"],
    ) -> Float[Tensor, "batch query d_model"]:
        scores = query @ memory.transpose(1, 2)  # (B, T, S)
        return self.weights(scores.masked_fill(~mask, -torch.inf)) @ memory
