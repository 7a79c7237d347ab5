"""Answers that are spans of a text: which tokens does the answer begin and end with? {cite:p}`rajpurkar2016squad`

The sequence has the question first and then the text, so that a causal network knows the question when it reads the
text. Training minimises −log P(start) − log P(end), where both distributions are over the positions of the text. The
answer is the span with the largest P(start)·P(end) among those that end after they begin. Built in chapter 4.2.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from datasets import Dataset, DatasetDict
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seqbook import metrics
from seqbook.data.tokenizer import Tokenizer
from seqbook.models.heads import SpanScores
from seqbook.nn.checks import check_positive
from seqbook.objectives.batch import Batch, encode, pad
from seqbook.objectives.layouts import LAYOUTS, LayoutConfig

Example = tuple[list[int], int, list[int]]


@dataclass(frozen=True, kw_only=True)
class SpansConfig(LayoutConfig):
    """longest_answer: the largest length of a predicted answer (tokens)."""

    longest_answer: int = 8

    def __post_init__(self):
        check_positive(longest_answer=self.longest_answer)

    def reads(self) -> dict[str, str]:
        return {name: name for name in ("context", "question", "answer", "start")}

    def tokenizers(self, texts: dict[str, Sequence], pretrained: dict[str, Tokenizer]) -> dict[str, Tokenizer]:
        """The layout's tokenizer with the words of the questions: a story has no "who"."""
        grown = super().tokenizers(texts, pretrained)["tokenizer"]
        return {"tokenizer": grown.with_words(texts["question"])}

    def build(self, tokenizers: dict[str, Tokenizer], max_len: int) -> "Spans":
        return Spans(**tokenizers, config=self, max_len=max_len)


class Labels(NamedTuple):
    """The positions of the answer's first and last token, and which positions belong to the text with the answer."""

    start: Int[Tensor, " batch"]
    end: Int[Tensor, " batch"]
    context: Bool[Tensor, "batch time"]


@dataclass(frozen=True)
class SpanBatch(Batch):
    """The model's inputs and the positions of the answers. The loss is averaged over examples, not over tokens."""

    labels: Labels

    @property
    def n_tokens(self) -> int:
        """The number of positions at which an answer may begin."""
        return int(self.labels.context.sum())

    @property
    def n_labels(self) -> int:
        return len(self.labels.start)


class Spans:
    """Examples are (ids, the position where the text begins, [the answer's first position, its last position]).

    tokenizer: the pretrained network's tokenizer, with the special tokens of the layout.

    Raises:
        ValueError: a tokenizer without the special tokens.
    """

    def __init__(self, tokenizer: Tokenizer, config: SpansConfig = SpansConfig(), *, max_len: int):
        self.tokenizers = {"tokenizer": tokenizer}
        self.tokenizer, self.config, self.max_len = tokenizer, config, max_len
        self.layout = LAYOUTS[config.layout](tokenizer)

    def sizes(self) -> dict[str, int]:
        return self.layout.sizes() | {"n_classes": 1}

    def tokenize(
        self, context: Sequence[str], question: Sequence[str], answer: Sequence[str], start: Sequence[int]
    ) -> dict[str, list]:
        """The sequences, where their texts begin, and the positions of the answers, as new columns of the dataset.

        Raises:
            ValueError: an answer that is empty, or not in its text at `start` (the number of its first character); names
                the row. A text or a question without tokens, or a sequence over max_len; names it and its length.
        """
        for i, (text, words, at) in enumerate(zip(context, answer, start, strict=True)):
            if not words or at < 0 or text[at : at + len(words)] != words:
                raise ValueError(
                    f"row {i}: the answer {words!r} is not in its context at start={at}, where there is "
                    f"{text[max(at, 0) :][: len(words) + 20]!r}: correct its start"
                )
        ids, begins, offsets = self._read(context, question)
        spans = []
        for first, places, words, at in zip(begins, offsets, answer, start, strict=True):
            overlapping = [n for n, (left, right) in enumerate(places) if left < at + len(words) and right > at]
            spans.append([first + overlapping[0], first + overlapping[-1]])
        return {"ids": ids, "context_begins": begins, "span": spans}

    def encode(self, **columns: Sequence[Any]) -> list[Example]:
        """Examples from the columns of the task.

        Raises:
            ValueError: as `tokenize`.
        """
        return list(zip(*self.tokenize(**columns).values(), strict=True))

    def examples(self, rows: Dataset) -> list[Example]:
        """The examples of a dataset with these columns."""
        return list(zip(rows["ids"][:], rows["context_begins"][:], rows["span"][:], strict=True))

    def lengths(self, example: Example) -> tuple[int]:
        return (len(example[0]),)

    def collate(self, examples: list[Example], generator: torch.Generator | None = None) -> SpanBatch:
        rows, begins, spans = zip(*examples, strict=True)
        inputs = [pad(rows, self.tokenizer.pad_id)]
        if self.layout.has_segments:
            inputs.append(pad([self.layout.segments(row) for row in rows], 0))
        position, begins = torch.arange(inputs[0].shape[1]), torch.tensor(begins)[:, None]
        last = torch.tensor([len(row) for row in rows])[:, None] - 1  # of the special token at the end
        start, end = torch.tensor(spans).unbind(1)
        return SpanBatch(tuple(inputs), Labels(start, end, (begins <= position) & (position < last)))

    def nll(self, outputs: SpanScores, labels: Labels) -> Float[Tensor, ""]:
        """−Σ (log P(start) + log P(end)), in nats."""
        of_start = F.cross_entropy(inside(outputs.start, labels.context), labels.start, reduction="sum")
        return of_start + F.cross_entropy(inside(outputs.end, labels.context), labels.end, reduction="sum")

    loss = nll

    def n_right(self, outputs: SpanScores, labels: Labels) -> int:
        """The number of examples whose best span is the labelled one."""
        best = best_spans(outputs, labels.context, self.config.longest_answer)
        return int((best == torch.stack([labels.start, labels.end], dim=1)).all(1).sum())

    def answers(self, model: nn.Module, context: Sequence[str], question: Sequence[str]) -> list[str]:
        """The best span of each text, as it is written there.

        Raises:
            ValueError: no text; a text or a question without tokens; a sequence over max_len.
        """
        ids, begins, offsets = self._read(context, question)
        examples = [(row, first, [0, 0]) for row, first in zip(ids, begins, strict=True)]
        found = [""] * len(examples)
        for chosen, batch, outputs in metrics.in_batches(model, self, examples):
            spans = best_spans(outputs, batch.labels.context, self.config.longest_answer)
            for i, (start, end) in zip(chosen, spans.tolist(), strict=True):
                found[i] = context[i][offsets[i][start - begins[i]][0] : offsets[i][end - begins[i]][1]]
        return found

    def scores(self, model: nn.Module, splits: DatasetDict) -> dict[str, Any]:
        """Loss (nats per question), the share of spans at the right place, and exact match and F1 of the answers' words,
        for the model and for a baseline that reads only the question's first word (`MostFrequentAnswer`)."""
        train = splits["train"]
        baseline = MostFrequentAnswer(train["question"][:], train["answer"][:])

        def of(rows: Dataset) -> dict[str, float]:
            context, question, true = (rows[name][:] for name in ("context", "question", "answer"))
            found = {"": self.answers(model, context, question), "baseline_": baseline(context, question)}
            result = metrics.evaluate(model, self, self.examples(rows))
            for system, answers in found.items():
                folded = ([answer.casefold() for answer in side] for side in (answers, true))
                result[f"{system}exact_match"] = metrics.exact_match(*folded)
                result[f"{system}f1"] = metrics.word_f1(answers, true)
            return result

        return metrics.on_unseen(splits, of)

    def _read(
        self, context: Sequence[str], question: Sequence[str]
    ) -> tuple[list[list[int]], list[int], list[list[tuple[int, int]]]]:
        """The sequences, where their texts begin, and the first and last character of each token of the texts."""
        asked, told = (encode(self.tokenizer, texts, self.max_len - 3) for texts in (question, context))
        ids = [self.layout.pair(*pair) for pair in zip(asked, told, strict=True)]
        self.layout.check_lengths(ids, self.max_len)
        begins = [self.layout.start_of_second(first) for first in asked]
        encoded = self.tokenizer.backend.encode_batch(list(context), add_special_tokens=False)
        return ids, begins, [encoding.offsets for encoding in encoded]


def inside(scores: Float[Tensor, "batch time"], context: Bool[Tensor, "batch time"]) -> Float[Tensor, "batch time"]:
    """The scores in the text, and −∞ elsewhere: an answer lies neither in the question nor in the padding."""
    return scores.float().masked_fill(~context, -torch.inf)


def best_spans(outputs: SpanScores, context: Bool[Tensor, "batch time"], longest: int) -> Int[Tensor, "batch 2"]:
    """argmax over (i, j) of start_i + end_j, where i ≤ j < i + longest and both are in the text.

    The two scores are not maximised separately, because the best end may lie before the best start.
    """
    start, end = inside(outputs.start, context), inside(outputs.end, context)
    total = start[:, :, None] + end[:, None, :]  # (B, T, T)
    position = torch.arange(total.shape[1], device=total.device)
    distance = position - position[:, None]  # from i to j
    total = total.masked_fill((distance < 0) | (distance >= longest), -torch.inf)
    best = total.flatten(1).argmax(1)
    return torch.stack([best // len(position), best % len(position)], dim=1)


class MostFrequentAnswer:
    """To a question that begins with "Who", the most frequent answer to such questions in training that is in the text
    and not in the question; "" if there is none."""

    def __init__(self, questions: Sequence[str], answers: Sequence[str]):
        counts: dict[str, Counter] = {}
        for question, answer in zip(questions, answers, strict=True):
            counts.setdefault(question.split()[0], Counter())[answer.casefold()] += 1
        self.ranked = {word: [answer for answer, _ in found.most_common()] for word, found in counts.items()}

    def __call__(self, contexts: Sequence[str], questions: Sequence[str]) -> list[str]:
        found = []
        for context, question in zip(contexts, questions, strict=True):
            ranked, text, asked = self.ranked.get(question.split()[0], []), context.casefold(), question.casefold()
            found.append(next((answer for answer in ranked if answer in text and answer not in asked), ""))
        return found
