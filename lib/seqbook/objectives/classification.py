"""Fine-tuning {cite:p}`radford2018improving`: each labelled example becomes one sequence of tokens, or several.

A layout, GPT's or BERT's, sets the special tokens around the texts, and says whose hidden state the head reads. With
GPT, training minimises L_task + λ·L_LM, where L_LM is the language model's loss on the same sequences. In multiple
choice, all sequences of an example begin with the same story, which a causal network reads only once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, ClassVar, Literal, NamedTuple

import torch
import torch.nn.functional as F
from datasets import Dataset, DatasetDict
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqbook import metrics
from seqbook.data.tokenizer import Tokenizer
from seqbook.models.heads import Outputs
from seqbook.objectives.batch import IGNORED, Batch, encode, pad
from seqbook.objectives.layouts import LAYOUTS, LayoutConfig

Transformation = Literal["classification", "entailment", "similarity", "multiple_choice"]
Example = tuple[list[list[int]], int]


@dataclass(frozen=True, kw_only=True)
class ClassificationConfig(LayoutConfig):
    """transformation: how the columns of the task become sequences; texts: the columns that it reads (empty: the
    columns with the default names); classes: the labels, in the order of their numbers (empty: the labels are numbers);
    lm_weight: λ, the weight of the language model's loss.

    Raises:
        ValueError: with BERT's layout, a language model's loss or multiple choice, which need a causal network.
    """

    transformation: Transformation = "classification"
    texts: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    lm_weight: float = 0.0

    def __post_init__(self):
        if self.lm_weight < 0:
            raise ValueError(f"lm_weight={self.lm_weight} must be 0 or more")
        if self.layout == "bert" and (self.lm_weight or self.transformation == "multiple_choice"):
            raise ValueError(
                f"layout='bert' with transformation={self.transformation!r} and lm_weight={self.lm_weight}: multiple "
                f"choice and the language model's loss need a causal network, so take layout='gpt', or leave them out"
            )

    def reads(self) -> dict[str, str]:
        roles = TRANSFORMATIONS[self.transformation].reads
        if self.texts and len(self.texts) != len(roles):
            raise ValueError(f"texts={self.texts}: {self.transformation} reads {len(roles)}, {', '.join(roles)}")
        return dict(zip(roles, self.texts or roles, strict=True)) | {"label": "label"}

    def build(self, tokenizers: dict[str, Tokenizer], max_len: int) -> "FineTuning":
        return TRANSFORMATIONS[self.transformation](**tokenizers, config=self, max_len=max_len)


class Labels(NamedTuple):
    """The class of each example, and the next token at each position of its sequences, which only GPT's loss uses."""

    task: Int[Tensor, " batch"]
    lm: Int[Tensor, "batch *positions"]


@dataclass(frozen=True)
class TaskBatch(Batch):
    """The model's inputs, and labels of both kinds. The loss is averaged over examples, not over tokens."""

    labels: Labels

    @property
    def n_tokens(self) -> int:
        return int((self.labels.lm != IGNORED).sum())

    @property
    def n_labels(self) -> int:
        return len(self.labels.task)


class FineTuning:
    """Examples are (sequences of ids, number of the class). Each subclass makes the sequences in its method `rows`.

    tokenizer: the pretrained network's tokenizer, with the special tokens of the layout.

    Raises:
        ValueError: a tokenizer without the special tokens.
    """

    reads: ClassVar[tuple[str, ...]]  # the columns of the task, without the label

    def __init__(self, tokenizer: Tokenizer, config: ClassificationConfig = ClassificationConfig(), *, max_len: int):
        self.tokenizers = {"tokenizer": tokenizer}
        self.tokenizer, self.config, self.max_len = tokenizer, config, max_len
        self.layout = LAYOUTS[config.layout](tokenizer)

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.config.classes)

    def sizes(self) -> dict[str, int]:
        return self.layout.sizes() | {"n_classes": max(1, len(self.classes))}

    def rows(self, **texts: Sequence[Any]) -> list[list[list[int]]]:
        """The sequences of each example, from the columns of the task."""
        raise NotImplementedError

    def tokenize(self, **texts: Sequence[Any]) -> dict[str, list[list[list[int]]]]:
        """`rows` as a new column of the dataset; the label does not change.

        Raises:
            ValueError: a text without tokens, or a sequence over max_len; names it and its length.
        """
        del texts["label"]
        made = self.rows(**texts)
        self.layout.check_lengths([row for example in made for row in example], self.max_len)
        return {"rows": made}

    def encode(self, **columns: Sequence[Any]) -> list[Example]:
        """Examples from the columns of the task, including the label.

        Raises:
            ValueError: as `tokenize`; a label that is not a class.
        """
        return list(zip(self.tokenize(**columns)["rows"], self.numbers(columns["label"]), strict=True))

    def examples(self, rows: Dataset) -> list[Example]:
        """The examples of a dataset with these columns."""
        return list(zip(rows["rows"][:], self.numbers(rows["label"][:]), strict=True))

    def numbers(self, labels: Sequence[str | int]) -> list[int]:
        """The number of each label's class.

        Raises:
            ValueError: a label that is not a class.
        """
        for label in set(labels) - set(self.classes or labels):
            raise ValueError(f"label {label!r} is not one of the classes {', '.join(self.classes)}")
        return [self.classes.index(label) for label in labels] if self.classes else list(labels)

    def lengths(self, example: Example) -> tuple[int]:
        return (max(map(len, example[0])),)

    def collate(self, examples: list[Example], generator: torch.Generator | None = None) -> TaskBatch:
        n = len(examples[0][0])
        flat = [row for rows, _ in examples for row in rows]
        ids, following = pad(flat, self.tokenizer.pad_id), pad([[*row[1:], IGNORED] for row in flat], IGNORED)
        extract = torch.tensor([self.layout.extract(row) for row in flat])
        inputs = [ids, extract]
        if self.layout.has_segments:
            inputs.append(pad([self.layout.segments(row) for row in flat], 0))
        labels = Labels(torch.tensor([label for _, label in examples]), following.unflatten(0, (-1, n)))
        return TaskBatch(tuple(t.unflatten(0, (-1, n)) for t in inputs), labels)

    def nll(self, outputs: Outputs, labels: Labels) -> Float[Tensor, ""]:
        """−Σ log P(class), in nats."""
        return F.cross_entropy(outputs.task.float(), labels.task, reduction="sum")

    def n_right(self, outputs: Outputs, labels: Labels) -> int:
        """The number of examples whose most probable class is their label."""
        return int((outputs.task.argmax(-1) == labels.task).sum())

    def loss(self, outputs: Outputs, labels: Labels) -> Float[Tensor, ""]:
        """Σ (L_task + λ·L_LM) over the examples, in nats. L_LM is the mean over the tokens of an example."""
        nll = self.nll(outputs, labels)
        if self.config.lm_weight == 0:
            return nll
        tokens = F.cross_entropy(
            outputs.lm.float().flatten(0, -2), labels.lm.flatten(), ignore_index=IGNORED, reduction="none"
        )
        tokens = tokens.view_as(labels.lm).flatten(1).sum(1) / (labels.lm != IGNORED).flatten(1).sum(1)  # (B,)
        return nll + self.config.lm_weight * tokens.sum()

    def scores(self, model: nn.Module, splits: DatasetDict) -> dict[str, Any]:
        """Accuracy, loss (nats per example), and the accuracy of the majority class of the training split."""
        train = self.numbers(splits["train"]["label"][:])
        most = max(sorted(set(train)), key=train.count)

        def of(rows: Dataset) -> dict[str, float]:
            examples = self.examples(rows)
            share = [label for _, label in examples].count(most) / len(examples)
            return metrics.evaluate(model, self, examples) | {"majority": share}

        return metrics.on_unseen(splits, of)

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        return encode(self.tokenizer, texts, self.max_len - 2)


class Classification(FineTuning):
    """`<bos> text <extract>`, or `[CLS] text [SEP]`."""

    reads = ("text",)

    def rows(self, text: Sequence[str]) -> list[list[list[int]]]:
        return [[self.layout.single(ids)] for ids in self._encode(text)]


class Entailment(FineTuning):
    """`<bos> premise <delimiter> hypothesis <extract>`, or `[CLS] premise [SEP] hypothesis [SEP]`."""

    reads = ("premise", "hypothesis")

    def rows(self, premise: Sequence[str], hypothesis: Sequence[str]) -> list[list[list[int]]]:
        pairs = zip(self._encode(premise), self._encode(hypothesis), strict=True)
        return [[self.layout.pair(first, second)] for first, second in pairs]


class Similarity(FineTuning):
    """`<bos> first <delimiter> second <extract>` and `<bos> second <delimiter> first <extract>`, or the same with BERT's tokens."""

    reads = ("first", "second")

    def rows(self, first: Sequence[str], second: Sequence[str]) -> list[list[list[int]]]:
        pairs = zip(self._encode(first), self._encode(second), strict=True)
        return [[self.layout.pair(one, other), self.layout.pair(other, one)] for one, other in pairs]


class MultipleChoice(FineTuning):
    """`<bos> context <delimiter> choice <extract>` for each choice. The common beginning is read only once."""

    reads = ("context", "choices")

    def lengths(self, example: Example) -> tuple[int]:
        return (len(pack(example[0]).ids),)

    def collate(self, examples: list[Example], generator: torch.Generator | None = None) -> TaskBatch:
        packed = [pack(rows) for rows, _ in examples]
        inputs = (
            pad([row.ids for row in packed], self.tokenizer.pad_id),
            torch.tensor([row.extract for row in packed]),
            pad([row.branches for row in packed], 0),
            pad([row.position_ids for row in packed], 0),
        )
        labels = Labels(torch.tensor([label for _, label in examples]), pad([row.following for row in packed], IGNORED))
        return TaskBatch(inputs, labels)

    def rows(self, context: Sequence[str], choices: Sequence[Sequence[str]]) -> list[list[list[int]]]:
        pairs = zip(self._encode(context), choices, strict=True)
        return [[self.layout.pair(ids, choice) for choice in self._encode(answers)] for ids, answers in pairs]


class Packed(NamedTuple):
    """Several sequences packed into one by `pack`. All fields except `extract` have one entry per position."""

    ids: list[int]
    branches: list[int]
    position_ids: list[int]
    following: list[int]
    extract: list[int]


def pack(rows: Sequence[list[int]]) -> Packed:
    """Several sequences packed into one, in which their common beginning occurs only once.

        sequences       ids           a b x e b y e     a b is common: its last token begins each branch, so
        a b x e         branches      0 1 1 1 2 2 2     that the token after it is predicted once in each branch
        a b y e         position_ids  0 1 2 3 1 2 3     as in the sequence
                        following     b x e · y e ·     the next token in the sequence, · is `IGNORED`
                        extract             3     6     where the sequences end

    With `masks.branches`, each branch attends to the common beginning and to itself. So in a causal network each token
    has the same hidden state as in its own sequence.
    """
    n_common = sum(1 for _ in takewhile(lambda ids: len(set(ids)) == 1, zip(*rows, strict=False)))
    first = n_common - 1
    ids, following = rows[0][:first], rows[0][1:n_common]
    branches, position_ids, extract = [0] * first, list(range(first)), []
    for branch, row in enumerate(rows, 1):
        ids, following = [*ids, *row[first:]], [*following, *row[n_common:], IGNORED]
        branches += [branch] * (len(row) - first)
        position_ids += range(first, len(row))
        extract.append(len(ids) - 1)
    return Packed(ids, branches, position_ids, following, extract)


TRANSFORMATIONS = {
    "classification": Classification,
    "entailment": Entailment,
    "similarity": Similarity,
    "multiple_choice": MultipleChoice,
}
