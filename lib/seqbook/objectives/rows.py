"""Rows of a prefix decoder: one sequence with the length of its prefix, and a label where something is predicted.

What the objectives of prefix language modelling, UniLM, GLM and UL2 share. They differ in how a text becomes a row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from seqbook.objectives.batch import IGNORED, Batch, pad


class Row(NamedTuple):
    """The inputs of `PrefixLM.forward` and the labels, one of each per position (prefix_length: one number)."""

    ids: list[int]
    labels: list[int]
    prefix_length: int
    position_ids: list[int] | None = None
    block_position_ids: list[int] | None = None
    segments: list[int] | None = None


@dataclass(frozen=True)
class PrefixBatch(Batch):
    """A batch in which an input may be None, because the rows don't have it."""

    inputs: tuple[Tensor | None, ...]

    def to(self, device: torch.device) -> "PrefixBatch":
        moved = (t if t is None else t.to(device) for t in self.inputs)
        return PrefixBatch(tuple(moved), self.labels.to(device))


def collate(rows: Sequence[Row], pad_id: int) -> PrefixBatch:
    """The rows, padded at the end, where no token attends to them. Inputs that no later input follows are left out."""
    ids, prefixes = pad([row.ids for row in rows], pad_id), torch.tensor([row.prefix_length for row in rows])
    columns = zip(*(row[3:] for row in rows), strict=True)
    inputs = [ids, prefixes, *(None if column[0] is None else pad(column, 0) for column in columns)]
    while inputs[-1] is None:
        inputs.pop()
    return PrefixBatch(tuple(inputs), pad([row.labels for row in rows], IGNORED))


def row_of(prefix: list[int], target: list[int], *, bidirectional: bool = True, whole: bool = False) -> Row:
    """The row `prefix target`, in which each token of the target is predicted from all tokens before it.

    bidirectional: whether the prefix has the bidirectional mask; whole: whether its tokens are predicted too, from the
    second one on, which is only right for a causal mask.
    """
    sequence = [*prefix, *target]
    n_ignored = 0 if whole else len(prefix) - 1
    labels = [IGNORED] * n_ignored + sequence[n_ignored + 1 :]
    return Row(sequence[:-1], labels, len(prefix) if bidirectional else 0)


def sequence_of(row: Row) -> list[int]:
    """`prefix target` again, from a row of `row_of`."""
    return [*row.ids, row.labels[-1]]


def pad_left(prompts: Sequence[list[int]], value: int) -> tuple[Int[Tensor, "batch time"], Int[Tensor, " batch"]]:
    """One row per prompt, padded at the beginning, so that all end at the same position; and how much padding it has."""
    longest = max(map(len, prompts))
    padding = [longest - len(prompt) for prompt in prompts]
    ids = [[value] * n + list(prompt) for n, prompt in zip(padding, prompts, strict=True)]
    return torch.tensor(ids), torch.tensor(padding)
