"""The input that every model refuses, with one wording for all models."""

import torch
from jaxtyping import Int
from torch import Tensor


def check_ids(
    ids: Int[Tensor, "batch time"],
    vocab_size: int,
    max_len: int,
    name: str,
    pad_id: int | None = None,
    position_ids: Int[Tensor, "batch time"] | None = None,
) -> None:
    """Refuse ids without an embedding, and sequences that are empty or too long.

    pad_id: the id of padding (None: the model has none, so every id counts as a token). position_ids: where the tokens
    stand (None: one after the other), of which the last one says how long the longest sequence is.

    Raises:
        ValueError: names the values found and the limit.
    """
    if torch.compiler.is_compiling():  # an exported graph can't branch on the values of its input
        return
    if ids.shape[0] == 0 or ids.shape[1] == 0:
        raise ValueError(f"{name} has shape {tuple(ids.shape)}: it needs at least one sequence of at least one token")
    length = ids.shape[1] if position_ids is None else int(position_ids.max()) + 1
    if length > max_len:
        raise ValueError(f"{name} is {length} tokens long, the model takes at most max_len={max_len}: shorten it")
    low, high = int(ids.min()), int(ids.max())
    if low < 0 or high >= vocab_size:
        wrong = low if low < 0 else high
        raise ValueError(f"{name} has the id {wrong}, outside the vocabulary of {vocab_size} (0 to {vocab_size - 1})")
    if pad_id is None:
        return
    empty = (ids != pad_id).sum(1) == 0
    if empty.any():
        raise ValueError(f"{name} has empty sequences (padding alone) in rows {empty.nonzero().flatten().tolist()[:5]}")


def check_room(length: int, max_len: int) -> None:
    """Refuse to decode a token past the model's last position.

    Raises:
        ValueError: names both numbers.
    """
    if length >= max_len:
        raise ValueError(f"{length} tokens have been read: the model takes at most max_len={max_len}")


def check_positive(**sizes: int) -> None:
    """Refuse sizes below one.

    Raises:
        ValueError: names the size and its value.
    """
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name}={size} must be at least 1")
