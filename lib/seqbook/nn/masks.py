"""Attention masks. Boolean, True = may attend, with a shape that broadcasts to (batch, heads, query, key).

A mask is the same in train mode and eval mode. All masks of the course are made here. A query that may attend to nothing gets
zeros as the mean of no values, in every kind of attention. Built in chapter 2.1.
"""

import torch
from jaxtyping import Bool, Int
from torch import Tensor

Mask = Bool[Tensor, "batch 1 #query key"]


def padding(ids: Int[Tensor, "batch key"], pad_id: int) -> Mask:
    """No query may attend to padding."""
    return (ids != pad_id)[:, None, None, :]


def causal(max_len: int, offset: int = 0, device: torch.device | None = None) -> Mask:
    """Each position may attend to itself and to earlier positions.

    `offset` is the number of positions in the key-value cache: the queries start there, and the keys start at 0.
    """
    key = torch.arange(max_len, device=device)
    return (key <= key[offset:, None])[None, None]


def prefix(prefix_lengths: Int[Tensor, " batch"], max_len: int, offset: int = 0) -> Mask:
    """Bidirectional inside the prefix, causal after it. Length 0 gives GPT's mask, and max_len gives BERT's.

    `offset`: as in `causal`.
    """
    key = torch.arange(max_len, device=prefix_lengths.device)
    return causal(max_len, offset, prefix_lengths.device) | (key < prefix_lengths[:, None, None, None])


def left_padding(lengths: Int[Tensor, " batch"], max_len: int, offset: int = 0) -> Mask:
    """Hide the first `lengths` keys of each row, which are padding, so that prompts of different lengths end together.

    Each padding position may still attend to itself, because a softmax over no keys gives NaN. `offset`: as in
    `causal`. Combine it with another mask with `&`, for example causal(n) & left_padding(lengths, n).
    """
    key = torch.arange(max_len, device=lengths.device)
    return (key >= lengths[:, None, None, None]) | (key == key[offset:, None])


def check(mask: object, *shape: int) -> None:
    """Check that a mask is boolean and broadcasts to `shape`.

    Raises:
        ValueError: it does not; the message contains its dtype or its shape.
    """
    if torch.compiler.is_compiling():  # an exported graph has no fixed sizes to compare
        return
    if not isinstance(mask, Tensor):
        fault = f"is {type(mask).__name__}, no tensor"
    elif mask.dtype != torch.bool:
        fault = f"has dtype {mask.dtype}"
    else:
        fault = "is on the device meta, without values" if mask.is_meta else ""
    if fault:
        raise ValueError(f"the mask {fault}: give a boolean one, with True where a query may attend to a key")
    if mask.dim() != len(shape) or any(n not in (1, size) for n, size in zip(mask.shape, shape, strict=True)):
        raise ValueError(f"the mask has shape {tuple(mask.shape)}, which does not broadcast to {shape}")


def branches(branch: Int[Tensor, "batch time"]) -> Mask:
    """Causal, for a row with a beginning and several continuations of it: no continuation may attend to another.

    branch  0 0 1 1 2 2          0 for the beginning, 1, 2, … for each continuation; queries in rows, keys in columns
    0       x . . . . .
    0       x x . . . .
    1       x x x . . .
    1       x x x x . .
    2       x x . . x .
    2       x x . . x x
    """
    key, query = branch[:, None, None, :], branch[:, None, :, None]
    return causal(branch.shape[1], device=branch.device) & ((key == 0) | (key == query))
