"""The four ways of {cite:t}`radford2018improving` to hand a task to a language model: as one row of tokens, or several.

Every row begins with `<bos>` and ends with `<extract>`, where the head reads; `<delimiter>` stands between two texts. What
is minimised is L_task + λ·L_LM, where L_LM is the language model's loss on the same rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from datasets import Dataset
from jaxtyping import Float, Int
from torch import Tensor

from seqbook.models.finetuned import Outputs
from seqbook.objectives.batch import IGNORED, Batch, encode, pad
from seqbook.tokenizer import BOS, PAD, Tokenizer

DELIMITER, EXTRACT = "<delimiter>", "<extract>"
Example = tuple[list[list[int]], int]


class Labels(NamedTuple):
    """The right class of each example, and the next token at each place of its rows."""

    task: Int[Tensor, " batch"]
    lm: Int[Tensor, "batch sequences time"]


@dataclass(frozen=True)
class TaskBatch(Batch):
    """Rows of ids and where each ends, with labels of both kinds; the loss is a mean over examples, not over tokens."""

    labels: Labels

    def to(self, device: torch.device) -> "TaskBatch":
        return TaskBatch(tuple(t.to(device) for t in self.inputs), Labels(*(t.to(device) for t in self.labels)))

    @property
    def n_tokens(self) -> int:
        return int((self.labels.lm != IGNORED).sum())

    @property
    def n_labels(self) -> int:
        return len(self.labels.task)


class FineTuning:
    """Examples as (rows of ids, number of the right class). A subclass says in `rows` what the rows are made of.

    tokenizer: a language model's, with the two special tokens added; classes: what the labels mean, in the order of their
    numbers (none: the label is itself a number); lm_weight: λ.

    Raises:
        ValueError: a tokenizer without the special tokens, a negative λ.
    """

    def __init__(self, tokenizer: Tokenizer, *, max_len: int, classes: Sequence[str] = (), lm_weight: float = 0.0):
        if lm_weight < 0:
            raise ValueError(f"lm_weight={lm_weight} must be 0 or more")
        self.tokenizers = {"tokenizer": tokenizer}
        self.tokenizer, self.max_len = tokenizer, max_len
        self.classes, self.lm_weight = tuple(classes), lm_weight
        self.delimiter, self.extract = (tokenizer.special_id(name) for name in (DELIMITER, EXTRACT))

    def rows(self, **texts: Sequence[Any]) -> list[list[list[int]]]:
        """For each example its rows of ids, from the columns of the task."""
        raise NotImplementedError

    def columns(self, **texts: Sequence[Any]) -> dict[str, list[list[list[int]]]]:
        """`rows` as a column of a dataset; the label stays in its own.

        Raises:
            ValueError: a text without tokens, a row over max_len; names it and its length.
        """
        del texts["label"]
        made = self.rows(**texts)
        for example in made:
            for row in example:
                if len(row) > self.max_len:
                    raise ValueError(
                        f"{self.tokenizer.decode(row)[:80]!r} is {len(row)} tokens long with its special tokens: "
                        f"it must have at most max_len={self.max_len}"
                    )
        return {"rows": made}

    def encode(self, **columns: Sequence[Any]) -> list[Example]:
        """Examples from the columns of the task, the label among them.

        Raises:
            ValueError: as `columns`; a label that is no class.
        """
        return list(zip(self.columns(**columns)["rows"], self.numbers(columns["label"]), strict=True))

    def examples(self, rows: Dataset) -> list[Example]:
        """The examples of a dataset with these columns."""
        return list(zip(rows["rows"][:], self.numbers(rows["label"][:]), strict=True))

    def numbers(self, labels: Sequence[str | int]) -> list[int]:
        """The number of each label's class.

        Raises:
            ValueError: a label that is no class.
        """
        for label in set(labels) - set(self.classes or labels):
            raise ValueError(f"label {label!r} is none of the classes {', '.join(self.classes)}")
        return [self.classes.index(label) for label in labels] if self.classes else list(labels)

    def lengths(self, example: Example) -> tuple[int]:
        return (max(map(len, example[0])),)

    def collate(self, examples: list[Example]) -> TaskBatch:
        n = len(examples[0][0])
        flat = [row for rows, _ in examples for row in rows]
        ids, following = pad(flat, PAD), pad([[*row[1:], IGNORED] for row in flat], IGNORED)
        extract = torch.tensor([len(row) - 1 for row in flat])
        labels = Labels(torch.tensor([label for _, label in examples]), following.unflatten(0, (-1, n)))
        return TaskBatch((ids.unflatten(0, (-1, n)), extract.unflatten(0, (-1, n))), labels)

    def nats(self, outputs: Outputs, labels: Labels) -> Float[Tensor, ""]:
        """−Σ log P(class), in nats: what models are compared by."""
        return F.cross_entropy(outputs.task.float(), labels.task, reduction="sum")

    def loss(self, outputs: Outputs, labels: Labels) -> Float[Tensor, ""]:
        """Σ (L_task + λ·L_LM) over the examples, L_LM being a mean over the tokens of an example, in nats."""
        nats = self.nats(outputs, labels)
        if self.lm_weight == 0:
            return nats
        tokens = F.cross_entropy(
            outputs.lm.float().flatten(0, 2), labels.lm.flatten(), ignore_index=IGNORED, reduction="none"
        )
        tokens = tokens.view_as(labels.lm).sum((1, 2)) / (labels.lm != IGNORED).sum((1, 2))  # (B,)
        return nats + self.lm_weight * tokens.sum()

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        return encode(self.tokenizer, texts, self.max_len - 2)

    def _pair(self, first: list[int], second: list[int]) -> list[int]:
        return [BOS, *first, self.delimiter, *second, self.extract]


class Classification(FineTuning):
    """`<bos> text <extract>`."""

    def rows(self, text: Sequence[str]) -> list[list[list[int]]]:
        return [[[BOS, *ids, self.extract]] for ids in self._encode(text)]


class Entailment(FineTuning):
    """`<bos> premise <delimiter> hypothesis <extract>`."""

    def rows(self, premise: Sequence[str], hypothesis: Sequence[str]) -> list[list[list[int]]]:
        pairs = zip(self._encode(premise), self._encode(hypothesis), strict=True)
        return [[self._pair(first, second)] for first, second in pairs]


class Similarity(FineTuning):
    """`<bos> first <delimiter> second <extract>` and the same with second before first."""

    def rows(self, first: Sequence[str], second: Sequence[str]) -> list[list[list[int]]]:
        pairs = zip(self._encode(first), self._encode(second), strict=True)
        return [[self._pair(one, other), self._pair(other, one)] for one, other in pairs]


class MultipleChoice(FineTuning):
    """`<bos> context <delimiter> choice <extract>` for each choice."""

    def rows(self, context: Sequence[str], choices: Sequence[Sequence[str]]) -> list[list[list[int]]]:
        pairs = zip(self._encode(context), choices, strict=True)
        return [[self._pair(ids, choice) for choice in self._encode(answers)] for ids, answers in pairs]
