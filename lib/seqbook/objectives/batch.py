"""What every objective hands to the loop: the model's inputs, the labels, and the loss between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from datasets import Dataset
from jaxtyping import Float, Int
from torch import Tensor

from seqbook.tokenizer import Tokenizer

IGNORED = -100  # a label that no loss is taken at


@dataclass(frozen=True)
class Batch:
    """`inputs` as the model's forward takes them, `labels` shaped as its logits without the vocabulary."""

    inputs: tuple[Tensor, ...]
    labels: Int[Tensor, "batch time"]

    def to(self, device: torch.device) -> "Batch":
        return Batch(tuple(t.to(device) for t in self.inputs), self.labels.to(device))

    @property
    def n_tokens(self) -> int:
        """The number of labels that count."""
        return int((self.labels != IGNORED).sum())

    @property
    def n_labels(self) -> int:
        """What the loss, a sum, is divided by: here each token is a label."""
        return self.n_tokens


class Objective(Protocol):
    """Text in, `Batch` out, loss from logits: what `train.fit`, `metrics` and `runs` need to know of a task.

    tokenizers: by the names of the files in which a run keeps them.
    """

    tokenizers: dict[str, Tokenizer]

    def columns(self, **texts: Sequence[str]) -> dict[str, Sequence[list[int]]]:
        """Ids as the columns of a dataset, a row an example."""

    def examples(self, rows: Dataset) -> Sequence[tuple[list[int], ...]]:
        """The examples of a dataset with these columns."""

    def lengths(self, example: tuple[list[int], ...]) -> tuple[int, ...]:
        """The lengths (tokens) by which examples of one batch should be alike."""

    def collate(self, examples: list[tuple[list[int], ...]]) -> Batch:
        """Pad examples to one length."""

    def nats(self, logits: Float[Tensor, "batch time vocab"], labels: Int[Tensor, "batch time"]) -> Float[Tensor, ""]:
        """−Σ log P(label) over the labels that count, in nats: what models are compared by."""

    def loss(self, logits: Float[Tensor, "batch time vocab"], labels: Int[Tensor, "batch time"]) -> Float[Tensor, ""]:
        """What training makes small: `nats`, or more than that."""


def summed_nats(
    logits: Float[Tensor, "batch time vocab"], labels: Int[Tensor, "batch time"], label_smoothing: float = 0.0
) -> Float[Tensor, ""]:
    """−Σ log P(label), in nats, over the labels that are not `IGNORED`.

    With label smoothing ε the target is (1 − ε) on the label and ε spread over the vocabulary {cite}`szegedy2016rethinking`.
    """
    return F.cross_entropy(
        logits.float().flatten(0, 1),
        labels.flatten(),
        ignore_index=IGNORED,
        reduction="sum",
        label_smoothing=label_smoothing,
    )


def encode(tokenizer: Tokenizer, texts: Sequence[str], limit: int) -> list[list[int]]:
    """The ids of each text.

    Raises:
        ValueError: a text without tokens, or one of more than `limit`; names it and its length.
    """
    ids = tokenizer.encode_batch(texts)
    for text, i in zip(texts, ids, strict=True):
        if not 0 < len(i) <= limit:
            raise ValueError(f"{text[:80]!r} is {len(i)} tokens long: it must have 1 to {limit}")
    return ids


def pad(sequences: list[list[int]], value: int) -> Int[Tensor, "batch time"]:
    """One row a sequence, filled up at the end with `value`."""
    longest = max(map(len, sequences))
    return torch.tensor([s + [value] * (longest - len(s)) for s in sequences])
