"""The tasks of chapter 7 for every family: each is a pair of texts, which a network reads and writes in its own way.

    encoder-decoder   x                          │ <bos> y <eos>
    prefix, causal    <bos> x <delimiter>        │ y <eos>            one stack, two masks
    encoder           [CLS] x with [MASK] [SEP]                       fills in y, where it knows how long y is

An encoder alone does the other tasks with a head, by the objectives of chapter 4.2, or not at all.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from datasets import Dataset, DatasetDict
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqbook import metrics
from seqbook.data.loader import in_length_order
from seqbook.data.tokenizer import Tokenizer
from seqbook.nn.mode import evaluating
from seqbook.objectives import text_to_text
from seqbook.objectives.batch import Batch, encode, pad
from seqbook.objectives.filling import MASK
from seqbook.objectives.layouts import CLS, DELIMITER, SEP
from seqbook.objectives.prefix import PrefixMask, PrefixPairs
from seqbook.objectives.seq2seq import Example, Seq2Seq
from seqbook.objectives.text_to_text import Format

PairTask = Literal["translation", "sentiment", "entailment", "ner", "qa", "infilling", "continuation"]
Network = Literal["encoder-decoder", "prefix", "causal", "encoder"]
LONGEST_GAP = 4  # words


def with_gap(text: str) -> tuple[str, str]:
    """A text with a gap of one to four words, which ends a clause or not, and the words. The text decides where."""
    words, dice = text.split(), random.Random(text)
    n = dice.randint(1, min(LONGEST_GAP, len(words) - 1))
    start = dice.randint(0, len(words) - n)
    return " ".join([*words[:start], MASK, *words[start + n :]]), " ".join(words[start : start + n])


def halves(text: str) -> tuple[str, str]:
    """The first half of a text's words, and the second."""
    words = text.split()
    return " ".join(words[: len(words) // 2]), " ".join(words[len(words) // 2 :])


def _answered(task: text_to_text.Task, source: Callable[..., str]) -> Format:
    """The columns and the answers of chapter 5.1, but a source that does not name the task."""
    return text_to_text.FORMATS[task]._replace(source=source)


# Each network learns one task, so that no source has to say which.
FORMATS: dict[PairTask, Format] = {
    "translation": _answered("translation", lambda en, **_: en),
    "sentiment": _answered("sentiment", lambda text, **_: text),
    "entailment": _answered("entailment", lambda premise, hypothesis, **_: f"{premise} hypothesis: {hypothesis}"),
    "ner": _answered("ner", lambda tokens, **_: " ".join(tokens)),
    "qa": _answered("qa", lambda context, question, **_: f"{question} {context}"),
    "infilling": Format(("text",), lambda text: with_gap(text)[0], lambda text: with_gap(text)[1]),
    "continuation": Format(("text",), lambda text: halves(text)[0], lambda text: halves(text)[1]),
}


def pairs(task: PairTask, **columns: Sequence[Any]) -> tuple[list[str], list[str]]:
    """The sources and the targets of a task's rows."""
    form = FORMATS[task]
    rows = [dict(zip(form.columns, row, strict=True)) for row in zip(*(columns[c] for c in form.columns), strict=True)]
    return [form.source(**row) for row in rows], [form.target(**row) for row in rows]


@dataclass(frozen=True, kw_only=True)
class TaskPairsConfig:
    """task: which task; network: what reads the source and writes the target; instruction: stands before each source, as
    T5 names its task ("translate to Chinese: ").

    Raises:
        ValueError: an encoder for another task than infilling.
    """

    task: PairTask = "translation"
    network: Network = "encoder-decoder"
    instruction: str = ""
    fills: ClassVar[tuple[str, ...]] = ("source_vocab_size", "target_vocab_size", "vocab_size", "pad_id")
    # as in the objectives of translation, the same for all networks
    reverse_source: ClassVar[bool] = False
    loss_on: ClassVar[str] = "target"
    label_smoothing: ClassVar[float] = 0.0

    @property
    def prefix(self) -> PrefixMask:
        """The mask of the source in one stack."""
        return "bidirectional" if self.network == "prefix" else "causal"

    def __post_init__(self):
        if self.network == "encoder" and self.task != "infilling":
            raise ValueError(f"task={self.task!r} with network='encoder': an encoder writes nothing but infilling")

    def reads(self) -> dict[str, str]:
        return {column: column for column in FORMATS[self.task].columns}

    def tokenizers(self, texts: dict[str, Sequence], _: dict[str, Tokenizer]) -> dict[str, Tokenizer]:
        """One vocabulary of words, with the special tokens of every network: so all have as many."""
        sources, targets = pairs(self.task, **texts)
        seen = [self.instruction, *(s.replace(MASK, "") for s in sources), *targets]
        tokenizer = Tokenizer.train(seen, "word")
        return {"tokenizer": tokenizer.with_special(DELIMITER, CLS, SEP, MASK)}

    def build(self, tokenizers: dict[str, Tokenizer], max_len: int) -> "Pairs":
        return NETWORKS[self.network](**tokenizers, config=self, max_len=max_len)


@dataclass(frozen=True)
class FilledBatch(Batch):
    """Labels for the masked positions alone, in reading order."""

    labels: Int[Tensor, " chosen"]


class Pairs:
    """What the networks have in common: the texts of a task, its examples and its scores. A gap is a token of its own."""

    def tokenize(self, **columns: Sequence[Any]) -> dict[str, Sequence[list[int]]]:
        source_ids, target_ids = zip(*self.encode(*pairs(self.config.task, **columns)), strict=True)
        return {"source_ids": source_ids, "target_ids": target_ids}

    def encode_sources(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of the sources. What a reader types never becomes a mask: only the gap of the task does."""
        mask, found = self.tokenizer.special_id(MASK), []
        for text in texts:
            text = self.config.instruction + text
            parts = text.split(MASK) if self.config.task == "infilling" else [text]
            ids = self.tokenizer.encode_batch(parts)
            found.append([*ids[0], *(i for part in ids[1:] for i in (mask, *part))])
        for text, ids in zip(texts, found, strict=True):
            if not 0 < len(ids) <= self.room:
                raise ValueError(f"{text[:80]!r} is {len(ids)} tokens long: it must have 1 to {self.room}")
        return found

    def answers(self, model: nn.Module, sources: Sequence[str], targets: Sequence[str]) -> list[str]:
        """What the model answers. The targets are only for a network that has to know how long they are."""
        return self.generate(model, sources)

    def scores(self, model: nn.Module, splits: DatasetDict) -> dict[str, Any]:
        """The loss (nats per token); the share of answers that are exactly right, and the same for the most frequent
        answer of the training split. A continuation has only a loss: many are right."""
        columns = self.config.reads()

        def texts(rows: Dataset) -> tuple[list[str], list[str]]:
            return pairs(self.config.task, **{column: rows[column][:] for column in columns})

        ((most, _),) = Counter(texts(splits["train"])[1]).most_common(1)

        def of(rows: Dataset) -> dict[str, float]:
            loss = {"loss": metrics.mean_nll(model, self, self.examples(rows))}
            if self.config.task == "continuation":
                return loss
            sources, targets = texts(rows)
            right = metrics.exact_match(self.answers(model, sources, targets), targets)
            return loss | {"accuracy": right, "majority": targets.count(most) / len(targets)}

        return metrics.on_unseen(splits, of)


class TwoStacks(Pairs, Seq2Seq):
    """The source for an encoder, the target for a decoder."""

    def __init__(self, tokenizer: Tokenizer, config: TaskPairsConfig, *, max_len: int):
        self.tokenizers = {"tokenizer": tokenizer}
        self.tokenizer = self.source_tokenizer = self.target_tokenizer = tokenizer
        self.config, self.max_len, self.room = config, max_len, max_len


class OneStack(Pairs, PrefixPairs):
    """Source and target in one sequence, in which the source has the mask of the network."""

    def __init__(self, tokenizer: Tokenizer, config: TaskPairsConfig, *, max_len: int):
        self.tokenizers = {"tokenizer": tokenizer}
        self.tokenizer = self.source_tokenizer = self.target_tokenizer = tokenizer
        self.config, self.max_len, self.room = config, max_len, max_len - 2  # without <bos> and the delimiter
        self.delimiter = tokenizer.special_id(DELIMITER)


class OnlyEncoder(Pairs):
    """The source with a mask for each token of the gap, and the words of the gap, all predicted at once."""

    def __init__(self, tokenizer: Tokenizer, config: TaskPairsConfig, *, max_len: int):
        self.tokenizers, self.tokenizer = {"tokenizer": tokenizer}, tokenizer
        self.config, self.max_len, self.room = config, max_len, max_len - 2
        self.cls, self.sep, self.mask = (tokenizer.special_id(name) for name in (CLS, SEP, MASK))

    def sizes(self) -> dict[str, int]:
        return {"vocab_size": len(self.tokenizer), "pad_id": self.tokenizer.pad_id}

    def encode(self, sources: Sequence[str], targets: Sequence[str]) -> list[Example]:
        answers = encode(self.tokenizer, targets, self.max_len)
        return list(zip(self.encode_sources(sources), answers, strict=True))

    def examples(self, rows: Dataset) -> list[Example]:
        return list(zip(rows["source_ids"][:], rows["target_ids"][:], strict=True))

    def lengths(self, example: Example) -> tuple[int]:
        return (len(example[0]) + len(example[1]) + 1,)

    def collate(self, examples: list[Example], generator: torch.Generator | None = None) -> FilledBatch:
        rows = []
        for source, target in examples:
            at = source.index(self.mask)
            rows.append([self.cls, *source[:at], *[self.mask] * len(target), *source[at + 1 :], self.sep])
        ids = pad(rows, self.tokenizer.pad_id)
        return FilledBatch((ids, ids == self.mask), torch.tensor([i for _, target in examples for i in target]))

    def nll(self, logits: Float[Tensor, "chosen vocab"], labels: Int[Tensor, " chosen"]) -> Float[Tensor, ""]:
        return F.cross_entropy(logits.float(), labels, reduction="sum")

    loss = nll

    @torch.inference_mode()
    def answers(self, model: nn.Module, sources: Sequence[str], targets: Sequence[str]) -> list[str]:
        """The most probable token at each mask. The network is told how many tokens are missing."""
        device, examples = next(model.parameters()).device, self.encode(sources, targets)
        found = [""] * len(examples)
        with evaluating(model):
            for rows in in_length_order([len(source) for source, _ in examples], 64):
                batch = self.collate([examples[i] for i in rows]).to(device)
                best = model(*batch.inputs).argmax(-1).split([len(examples[i][1]) for i in rows])
                for i, ids in zip(rows, best, strict=True):
                    found[i] = self.tokenizer.decode(ids.tolist())
        return found


NETWORKS: dict[Network, type[Pairs]] = {
    "encoder-decoder": TwoStacks,
    "prefix": OneStack,
    "causal": OneStack,
    "encoder": OnlyEncoder,
}
