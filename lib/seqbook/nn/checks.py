"""Checks of the input of all models, with the same error messages for all of them."""

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
    """Check that all ids have an embedding, and that no sequence is empty or too long.

    pad_id: the id of padding (None: the model has none, so every id counts as a token). position_ids: the positions of
    the tokens (None: 0, 1, 2, …); the largest one gives the length of the longest sequence.

    Raises:
        ValueError: a check fails; the message contains the values and the limit.
    """
    if torch.compiler.is_compiling():  # an exported graph cannot branch on the values of its input
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
    """Check that the model has a position for one more token.

    Raises:
        ValueError: it has none; the message contains both numbers.
    """
    if length >= max_len:
        raise ValueError(f"{length} tokens have been read: the model takes at most max_len={max_len}")


def check_numbers(logits: Tensor) -> None:
    """Check that a model has computed numbers: of NaN, no token is the most probable one.

    Raises:
        ValueError: a logit is NaN.
    """
    if logits.isnan().any():
        raise ValueError(
            "the model computes NaN: a weight is NaN or too large, as after a training that diverged "
            "(seqbook.weights.watch(model) finds the first layer)"
        )


def check_positive(**sizes: int) -> None:
    """Check that all sizes are at least one.

    Raises:
        ValueError: a size is smaller; the message contains its name and value.
    """
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name}={size} must be at least 1")
