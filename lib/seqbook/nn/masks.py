"""Which position may see which. Boolean, True = may attend, shaped to broadcast over (batch, heads, query, key).

A mask says the same in train and eval mode. Built in chapter 2.1.
"""

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from seqbook.nn.checks import PAD

Mask = Bool[Tensor, "batch 1 query key"]


def padding(ids: Int[Tensor, "batch key"]) -> Mask:
    """Hide the keys that are padding, from every query."""
    return (ids != PAD)[:, None, None, :]


def left_padding(lengths: Int[Tensor, " batch"], max_len: int) -> Mask:
    """Hide the first `lengths` keys of each row: the padding of prompts that are to end together."""
    return (torch.arange(max_len, device=lengths.device) >= lengths[:, None])[:, None, None, :]


def causal(max_len: int, offset: int = 0, device: torch.device | None = None) -> Mask:
    """Each position sees itself and what came before it.

    `offset` is the number of positions already in the cache: the queries start there, the keys at 0.
    """
    key = torch.arange(max_len, device=device)
    return (key <= key[offset:, None])[None, None]


def prefix(prefix_lengths: Int[Tensor, " batch"], max_len: int, offset: int = 0) -> Mask:
    """Full sight inside the prefix, causal after it: 0 gives GPT's mask, max_len gives BERT's.

    `offset` as in `causal`.
    """
    key = torch.arange(max_len, device=prefix_lengths.device)
    return causal(max_len, offset, prefix_lengths.device) | (key < prefix_lengths[:, None, None, None])
