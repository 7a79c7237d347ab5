"""What every objective provides for the training loop: the model's inputs, the labels, and the loss."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from datasets import Dataset, DatasetDict
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqbook.data.tokenizer import Tokenizer

IGNORED = -100  # no loss is computed for this label


@dataclass(frozen=True)
class Batch:
    """`inputs`: the arguments of the model's forward. `labels`: shaped like its logits, without the last axis; a subclass
    may have a named tuple of tensors."""

    inputs: tuple[Tensor, ...]
    labels: Int[Tensor, "batch time"]

    def to(self, device: torch.device) -> "Batch":
        labels = self.labels
        moved = labels.to(device) if isinstance(labels, Tensor) else type(labels)(*(t.to(device) for t in labels))
        return replace(self, inputs=tuple(t.to(device) for t in self.inputs), labels=moved)

    @property
    def n_tokens(self) -> int:
        """The number of tokens that are predicted."""
        return int((self.labels != IGNORED).sum())

    @property
    def n_labels(self) -> int:
        """The number of labels, by which the summed loss is divided. Here this is the number of predicted tokens."""
        return self.n_tokens


class ObjectiveConfig(Protocol):
    """The settings of an objective in a recipe: a frozen dataclass with three methods.

    fills: the names of the model's settings that are set from the tokenizers, such as vocab_size.
    """

    fills: tuple[str, ...]

    def reads(self) -> dict[str, str]:
        """The columns of the corpus that the objective reads, as {role: column}."""

    def tokenizers(self, texts: dict[str, Sequence], pretrained: dict[str, Tokenizer]) -> dict[str, Tokenizer]:
        """The tokenizers, trained on the training split's {role: texts} or taken from the pretrained model."""

    def build(self, tokenizers: dict[str, Tokenizer], max_len: int) -> "Objective":
        """The objective with these tokenizers."""


class Objective(Protocol):
    """A task: it turns columns of a corpus into examples, examples into a `Batch`, and logits into a loss and scores.

    Each objective has its own implementation. `training.fit`, `metrics` and `runs` use only these methods. An objective
    whose labels are classes also has n_right(outputs, labels), the number of examples that are right.
    """

    config: ObjectiveConfig
    tokenizers: dict[str, Tokenizer]  # by the names of their files in a run's folder

    def sizes(self) -> dict[str, int]:
        """The values of the model's settings that `config.fills` lists."""

    def tokenize(self, **columns: Sequence) -> dict[str, Sequence]:
        """The ids of the texts of each role, as new columns of the dataset."""

    def examples(self, rows: Dataset) -> Sequence:
        """The examples of a dataset with those columns."""

    def lengths(self, example: Any) -> tuple[int, ...]:
        """The lengths (tokens) of each example. The examples of one batch should have similar lengths."""

    def collate(self, examples: list, generator: torch.Generator | None = None) -> Batch:
        """Pad examples to the same length. Objectives with random choices, such as masking, use `generator`."""

    def nll(self, logits: Any, labels: Any) -> Float[Tensor, ""]:
        """−Σ log P(label), in nats, which is used to compare models."""

    def loss(self, logits: Any, labels: Any) -> Float[Tensor, ""]:
        """What training minimises: `nll`, or `nll` with label smoothing or an auxiliary loss."""

    def scores(self, model: nn.Module, splits: DatasetDict) -> dict[str, Any]:
        """The scores of the model on the held-out splits. The names of the test scores have no prefix."""


def summed_nll(
    logits: Float[Tensor, "batch time vocab"], labels: Int[Tensor, "batch time"], label_smoothing: float = 0.0
) -> Float[Tensor, ""]:
    """−Σ log P(label), in nats, over the labels that are not `IGNORED`.

    With label smoothing ε, the target distribution is (1 − ε) on the label plus ε spread over the vocabulary
    {cite}`szegedy2016rethinking`.
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
        ValueError: a text without tokens, or with more than `limit`; names it and its length.
    """
    ids = tokenizer.encode_batch(texts)
    for text, i in zip(texts, ids, strict=True):
        if not 0 < len(i) <= limit:
            raise ValueError(f"{text[:80]!r} is {len(i)} tokens long: it must have 1 to {limit}")
    return ids


def pad(sequences: Sequence[list[int]], value: int) -> Int[Tensor, "batch time"]:
    """One row per sequence, padded at the end with `value`."""
    longest = max(map(len, sequences))
    return torch.tensor([s + [value] * (longest - len(s)) for s in sequences])
