"""Attention: for each query, a weighted mean of the values, with weights that depend on the query."""

from contextlib import nullcontext

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from seqbook.nn import masks
from seqbook.nn.cache import Cache, KeysValues
from seqbook.nn.checks import check_positive
from seqbook.nn.positions import Rotary

# The keys that each query may attend to: those that are True, or all of them (None). "causal" means the same as
# masks.causal, but torch can then skip the scores of later keys.
MaskOrName = Bool[Tensor, "#batch #heads #query #key"] | str | None

SHORT = 24  # keys: up to this length, torch's plain kernel trains faster on a CPU than its memory-saving one


class Weights(nn.Module):
    """The softmax over the keys that the mask allows; zeros where it allows none. A module, so that `record` can read its
    output."""

    def forward(
        self, scores: Float[Tensor, "batch query key"], mask: Bool[Tensor, "#batch #query #key"]
    ) -> Float[Tensor, "batch query key"]:
        masks.check(mask, *scores.shape)
        weights = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1)
        return weights * mask.any(-1, keepdim=True)


class AdditiveAttention(nn.Module):
    """α_ij = softmax_j(vᵀ tanh(W s_i + U h_j)), c_i = Σ_j α_ij h_j {cite}`bahdanau2015neural`. Built in chapter 1.2.

    The score is a small network, trained with the rest of the model: 2·d_model² + d_model parameters.
    """

    def __init__(self, d_model: int):
        super().__init__()
        self.query = nn.Linear(d_model, d_model, bias=False)
        self.key = nn.Linear(d_model, d_model, bias=False)
        self.score = nn.Linear(d_model, 1, bias=False)
        self.weights = Weights()

    def forward(
        self,
        query: Float[Tensor, "batch query d_model"],
        memory: Float[Tensor, "batch key d_model"],
        mask: Bool[Tensor, "batch #query key"],
    ) -> Float[Tensor, "batch query d_model"]:
        hidden = torch.tanh(self.query(query)[:, :, None] + self.key(memory)[:, None])  # (B, T, S, D)
        scores = self.score(hidden).squeeze(-1)  # (B, T, S)
        return self.weights(scores, mask) @ memory


class DotProductAttention(nn.Module):
    """α_ij = softmax_j(s_i · h_j), c_i = Σ_j α_ij h_j {cite}`luong2015effective`. Built in chapter 1.2.

    It has no parameters, so training must place queries and memory in the same space.
    """

    def __init__(self):
        super().__init__()
        self.weights = Weights()

    def forward(
        self,
        query: Float[Tensor, "batch query d_model"],
        memory: Float[Tensor, "batch key d_model"],
        mask: Bool[Tensor, "batch #query key"],
    ) -> Float[Tensor, "batch query d_model"]:
        scores = query @ memory.transpose(1, 2)  # (B, T, S)
        return self.weights(scores, mask) @ memory


class Attention(nn.Module):
    """softmax(QKᵀ/√d_head + bias) V in several heads {cite}`vaswani2017attention`. Built step by step in chapter 2.1.

    Queries come from `x`. Keys and values come from `memory` (cross-attention) or from `x` itself (self-attention).

    d_head: width of a head (None: d_model / n_heads). n_kv_heads: number of heads of keys and values, each shared by
    n_heads / n_kv_heads heads of queries (None: n_heads) {cite}`ainslie2023gqa`. rotary: rotates the queries and keys of
    self-attention by their positions. bias: whether the projections have biases. scale: factor of the scores (None:
    1/√d_head; 1.0 leaves them unscaled).

    Raises:
        ValueError: d_model is not a multiple of n_heads, or n_heads not of n_kv_heads; in forward, a named mask other
            than "causal", or a mask that is not boolean or has another shape.
    """

    def __init__(
        self,
        d_model: int,
        n_heads: int,
        *,
        d_head: int | None = None,
        n_kv_heads: int | None = None,
        rotary: Rotary | None = None,
        bias: bool = True,
        scale: float | None = None,
    ):
        super().__init__()
        n_kv_heads = n_heads if n_kv_heads is None else n_kv_heads
        check_positive(d_model=d_model, n_heads=n_heads, n_kv_heads=n_kv_heads)
        if d_head is None and d_model % n_heads:
            raise ValueError(f"d_model={d_model} is not a multiple of n_heads={n_heads}")
        if n_heads % n_kv_heads:
            raise ValueError(f"n_heads={n_heads} is not a multiple of n_kv_heads={n_kv_heads}")
        self.d_head = d_model // n_heads if d_head is None else d_head
        self.shares_keys = n_kv_heads < n_heads
        self.rotary, self.scale = rotary, scale
        self.query = nn.Linear(d_model, n_heads * self.d_head, bias=bias)
        self.key_value = nn.Linear(d_model, 2 * n_kv_heads * self.d_head, bias=bias)
        self.out = nn.Linear(n_heads * self.d_head, d_model, bias=bias)

    def forward(
        self,
        x: Float[Tensor, "batch query d_model"],
        memory: Float[Tensor, "batch key d_model"] | None = None,
        mask: MaskOrName = None,
        bias: Float[Tensor, "#batch #heads #query #key"] | None = None,
        cache: Cache | None = None,
        position_ids: Int[Tensor, "batch query"] | None = None,
    ) -> Float[Tensor, "batch query d_model"]:
        """bias: added to the scores before the softmax. cache: self-attention appends the keys and values of `x` to it;
        cross-attention reads `memory` only in the first call, and later the cache. position_ids: the positions by which
        `rotary` rotates (None: the positions after those in the cache)."""
        if isinstance(mask, str) and mask != "causal":
            raise ValueError(f'mask={mask!r}: the only mask with a name is "causal"; make others with seqbook.nn.masks')
        seen = cache.length if cache is not None else 0
        q = self._heads(self.query(x))  # (B, H, T, D)
        if memory is not None and seen:
            k, v = cache.read()  # (B, H, S, D) each
        else:
            k, v = self.keys_values(x if memory is None else memory)
            if self.rotary is not None and memory is None:
                q, k = (self.rotary(t, seen, position_ids) for t in (q, k))
            if cache is not None:
                k, v = cache.append(k, v)

        if mask is not None and not isinstance(mask, str):
            masks.check(mask, *q.shape[:3], k.shape[2])
        causal = isinstance(mask, str)
        if causal:  # torch's own flag assumes that the first query is at the first key, and it allows no bias
            needs_mask = seen or bias is not None
            mask, causal = (masks.causal(k.shape[2], seen, k.device), False) if needs_mask else (None, True)
        if bias is not None:
            mask = bias if mask is None else bias.masked_fill(~mask, -torch.inf)

        short = self.training and k.is_cpu and k.shape[2] <= SHORT
        with sdpa_kernel(SDPBackend.MATH) if short else nullcontext():
            y = F.scaled_dot_product_attention(
                q, k, v, mask, is_causal=causal, scale=self.scale, enable_gqa=self.shares_keys
            )
        return self.out(y.transpose(1, 2).flatten(2))

    def keys_values(self, memory: Float[Tensor, "batch key d_model"]) -> KeysValues:
        """Two projections of the same vectors: the keys, which are compared with queries, and the values."""
        k, v = self.key_value(memory).chunk(2, dim=-1)
        return self._heads(k), self._heads(v)

    def _heads(self, t: Tensor) -> Tensor:
        return t.view(*t.shape[:-1], -1, self.d_head).transpose(1, 2)
