"""Attention: each query takes a weighted mean of the memory, with weights that it chooses itself."""

from contextlib import nullcontext

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from seqbook.nn import masks
from seqbook.nn.cache import Cache, KeysValues
from seqbook.nn.checks import check_positive
from seqbook.nn.positions import Rotary

# Which keys each query sees: those that are True; all (None); or "causal", those up to itself. That is what masks.causal
# says too, but torch computes no scores of later keys if it is told by name.
Mask = Bool[Tensor, "#batch #heads #query #key"] | str | None

SHORT = 24  # keys: up to here torch's plain kernel trains faster on a CPU than the one that never holds all the weights


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


class Attention(nn.Module):
    """softmax(QKᵀ/√d_head + mask) V in several heads {cite}`vaswani2017attention`. Built step by step in chapter 2.1.

    Queries come from `x`, keys and values from `memory` (cross-attention) or from `x` itself (self-attention).

    n_kv_heads: heads of keys and values, each shared by n_heads / n_kv_heads queries (None: as many as queries)
        {cite}`ainslie2023gqa`.
    rotary: turns the queries and keys of self-attention by their positions (None: it knows no order).

    Raises:
        ValueError: d_model is not a multiple of n_heads, or n_heads not one of n_kv_heads; in forward, a mask by a name
            other than "causal".
    """

    def __init__(
        self,
        d_model: int,
        n_heads: int,
        *,
        n_kv_heads: int | None = None,
        rotary: Rotary | None = None,
        bias: bool = True,
    ):
        super().__init__()
        n_kv_heads = n_heads if n_kv_heads is None else n_kv_heads
        check_positive(d_model=d_model, n_heads=n_heads, n_kv_heads=n_kv_heads)
        if d_model % n_heads:
            raise ValueError(f"d_model={d_model} is not a multiple of n_heads={n_heads}")
        if n_heads % n_kv_heads:
            raise ValueError(f"n_heads={n_heads} is not a multiple of n_kv_heads={n_kv_heads}")
        self.d_head = d_model // n_heads
        self.shares_keys = n_kv_heads < n_heads
        self.rotary = rotary
        self.query = nn.Linear(d_model, d_model, bias=bias)
        self.key_value = nn.Linear(d_model, 2 * n_kv_heads * self.d_head, bias=bias)
        self.out = nn.Linear(d_model, d_model, bias=bias)

    def forward(
        self,
        x: Float[Tensor, "batch query d_model"],
        memory: Float[Tensor, "batch key d_model"] | None = None,
        mask: Mask = None,
        cache: Cache | None = None,
    ) -> Float[Tensor, "batch query d_model"]:
        """What each query gathers. With a `cache`, self-attention adds `x` to the positions seen so far, and
        cross-attention reads `memory` the first time alone."""
        if isinstance(mask, str) and mask != "causal":
            raise ValueError(
                f'mask={mask!r}: "causal" is the only one that has a name; the others are in seqbook.nn.masks'
            )
        seen = cache.length if cache is not None else 0
        q = self._heads(self.query(x))  # (B, H, T, D)
        if memory is not None and seen:
            k, v = cache.read()  # (B, H, S, D) each
        else:
            k, v = self.keys_values(x if memory is None else memory)
            if self.rotary is not None and memory is None:
                q, k = self.rotary(q, seen), self.rotary(k, seen)
            if cache is not None:
                k, v = cache.append(k, v)
        causal = isinstance(mask, str)
        if causal:  # torch counts queries from the first key on: behind a cache it needs the mask itself
            mask, causal = (masks.causal(k.shape[2], seen, k.device), False) if seen else (None, True)
        short = self.training and k.is_cpu and k.shape[2] <= SHORT
        with sdpa_kernel(SDPBackend.MATH) if short else nullcontext():
            y = F.scaled_dot_product_attention(q, k, v, mask, is_causal=causal, enable_gqa=self.shares_keys)
        return self.out(y.transpose(1, 2).flatten(2))

    def keys_values(self, memory: Float[Tensor, "batch key d_model"]) -> KeysValues:
        """Two projections of the same vectors: what a position is found by, and what it gives."""
        k, v = self.key_value(memory).chunk(2, dim=-1)
        return self._heads(k), self._heads(v)

    def _heads(self, t: Tensor) -> Tensor:
        return t.view(*t.shape[:-1], -1, self.d_head).transpose(1, 2)
