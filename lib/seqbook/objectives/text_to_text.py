"""Every task as text: the source names the task and has its input, and the target is the answer {cite}`raffel2020exploring`.

    translation  translate to Chinese: Anna met Ben.                       安娜见了本。
    entailment   entailment premise: Anna met Ben. hypothesis: Ben ran.    neutral
    ner          names: Anna met Ben in Rome.                              person Anna, person Ben, place Rome

So one network without a head can learn all tasks. `FORMATS` has the texts of each. Built in chapter 5.1.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, get_args

import torch
from datasets import Dataset, DatasetDict
from jaxtyping import Int
from torch import Tensor, nn

from seqbook import metrics
from seqbook.data.tokenizer import Tokenizer
from seqbook.objectives.batch import IGNORED, Batch, encode, pad
from seqbook.objectives.seq2seq import Example, Seq2Seq

Task = Literal["translation", "sentiment", "entailment", "similarity", "multiple_choice", "ner", "qa"]
LONGEST_ANSWER = 100  # tokens
KINDS = {"PER": "person", "LOC": "place", "ORG": "organisation"}


class Format(NamedTuple):
    """How a task becomes text. columns: what is read of the task; source, target: functions of one row's columns."""

    columns: tuple[str, ...]
    source: Callable[..., str]
    target: Callable[..., str]


def choices(context: str, choices: Sequence[str]) -> str:
    numbered = " ".join(f"{i}: {choice}" for i, choice in enumerate(choices, 1))
    return f"choose {numbered} context: {context}"


def names(tokens: Sequence[str], tags: Sequence[str]) -> str:
    """The names of a text and their kinds, in order; "none" if there is no name."""
    found: list[str] = []
    for word, tag in zip(tokens, tags, strict=True):
        place, _, kind = tag.partition("-")
        if place == "B":
            found.append(f"{KINDS[kind]} {word}")
        elif place == "I":
            found[-1] += f" {word}"
    return ", ".join(found) or "none"


def label(label: str, **_: Any) -> str:
    return label


FORMATS: dict[Task, Format] = {
    "translation": Format(("en", "zh"), lambda en, **_: f"translate to Chinese: {en}", lambda zh, **_: zh),
    "sentiment": Format(("text", "label"), lambda text, **_: f"sentiment: {text}", label),
    "entailment": Format(
        ("premise", "hypothesis", "label"),
        lambda premise, hypothesis, **_: f"entailment premise: {premise} hypothesis: {hypothesis}",
        label,
    ),
    "similarity": Format(
        ("first", "second", "label"),
        lambda first, second, **_: f"similarity first: {first} second: {second}",
        label,
    ),
    "multiple_choice": Format(
        ("context", "choices", "label"),
        lambda label, **row: choices(**row),
        lambda choices, label, **_: choices[label],
    ),
    "ner": Format(("tokens", "tags"), lambda tokens, **_: f"names: {' '.join(tokens)}", names),
    "qa": Format(
        ("context", "question", "answer"),
        lambda context, question, **_: f"question: {question} context: {context}",
        lambda answer, **_: answer,
    ),
}


@dataclass(frozen=True, kw_only=True)
class TextToTextConfig:
    """task: which task of the micro-world is read; the corpus must be this task's.

    Raises:
        ValueError: an unknown task.
    """

    task: Task = "sentiment"
    fills: ClassVar[tuple[str, ...]] = ("vocab_size", "pad_id")

    def __post_init__(self):
        if self.task not in FORMATS:
            raise ValueError(f"task={self.task!r}: choose one of {', '.join(get_args(Task))}")

    def reads(self) -> dict[str, str]:
        return {column: column for column in FORMATS[self.task].columns}

    def tokenizers(self, texts: dict[str, Sequence], pretrained: dict[str, Tokenizer]) -> dict[str, Tokenizer]:
        """The pretrained tokenizer, with the words of the task that it lacks."""
        sources, targets = as_text(self.task, **texts)
        return {"tokenizer": pretrained["tokenizer"].with_words([*sources, *targets])}

    def build(self, tokenizers: dict[str, Tokenizer], max_len: int) -> "TextToText":
        return TextToText(**tokenizers, config=self, max_len=max_len)


def as_text(task: Task, **columns: Sequence[Any]) -> tuple[list[str], list[str]]:
    """The sources and the targets of a task's rows."""
    form = FORMATS[task]
    rows = [dict(zip(form.columns, row, strict=True)) for row in zip(*(columns[c] for c in form.columns), strict=True)]
    return [form.source(**row) for row in rows], [form.target(**row) for row in rows]


class TextToText(Seq2Seq):
    """Examples are (source, target) ids, as in `Seq2Seq`, with one vocabulary. Both end with `<eos>`, and the decoder begins
    with `<pad>`, as in T5."""

    loss = Seq2Seq.nll  # without label smoothing

    def __init__(self, tokenizer: Tokenizer, config: TextToTextConfig = TextToTextConfig(), *, max_len: int):
        self.tokenizers = {"tokenizer": tokenizer}
        self.tokenizer = self.source_tokenizer = self.target_tokenizer = tokenizer
        self.config, self.max_len = config, max_len

    def sizes(self) -> dict[str, int]:
        return {"vocab_size": len(self.tokenizer), "pad_id": self.tokenizer.pad_id}

    def encode(self, sources: Sequence[str], targets: Sequence[str]) -> list[Example]:
        """One example per pair of texts.

        Raises:
            ValueError: a text without tokens, a source over max_len, or a target over `LONGEST_ANSWER`; names it.
        """
        answers = encode(self.tokenizer, targets, min(LONGEST_ANSWER, self.max_len) - 1)
        return list(zip(self.encode_sources(sources), answers, strict=True))

    def encode_sources(self, texts: Sequence[str]) -> list[list[int]]:
        return encode(self.tokenizer, texts, self.max_len - 1)

    def tokenize(self, **columns: Sequence[Any]) -> dict[str, Sequence[list[int]]]:
        source_ids, target_ids = zip(*self.encode(*as_text(self.config.task, **columns)), strict=True)
        return {"source_ids": source_ids, "target_ids": target_ids}

    def lengths(self, example: Example) -> tuple[int, int]:
        return len(example[1]) + 1, len(example[0]) + 1

    def collate(self, examples: list[Example], generator: torch.Generator | None = None) -> Batch:
        sources, targets = zip(*examples, strict=True)
        pad_id, eos = self.tokenizer.pad_id, self.tokenizer.eos_id
        decoder_inputs = pad([[pad_id, *y] for y in targets], pad_id)
        return Batch((self.collate_sources(sources), decoder_inputs), pad([[*y, eos] for y in targets], IGNORED))

    def collate_sources(self, sources: Sequence[list[int]]) -> Int[Tensor, "batch source"]:
        return pad([[*x, self.tokenizer.eos_id] for x in sources], self.tokenizer.pad_id)

    def prompt(self, sources: Sequence[list[int]]) -> tuple[Int[Tensor, "batch source"], Int[Tensor, "batch 1"]]:
        return self.collate_sources(sources), torch.full((len(sources), 1), self.tokenizer.pad_id)

    def longest(self, source_len: int) -> int:
        return min(LONGEST_ANSWER, self.max_len)

    def scores(self, model: nn.Module, splits: DatasetDict) -> dict[str, Any]:
        """The loss (nats per token), the share of answers that are exactly right, and the same for the most frequent answer
        of the training split."""
        columns = self.config.reads()

        def texts(rows: Dataset) -> tuple[list[str], list[str]]:
            return as_text(self.config.task, **{column: rows[column][:] for column in columns})

        ((most, _),) = Counter(texts(splits["train"])[1]).most_common(1)

        def of(rows: Dataset) -> dict[str, float]:
            sources, targets = texts(rows)
            return {
                "loss": metrics.mean_nll(model, self, self.examples(rows)),
                "accuracy": metrics.exact_match(self.generate(model, sources), targets),
                "majority": targets.count(most) / len(targets),
            }

        return metrics.on_unseen(splits, of)
