"""Tagging: one label for each word, here the beginning (B), the inside (I) or the outside (O) of a name.

The text comes as a list of words. A word that the tokenizer cuts into several tokens has its label on the first of them,
and the others are not predicted, as in {cite:t}`devlin2019bert`. Built in chapter 4.2.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from datasets import Dataset, DatasetDict
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqbook import metrics
from seqbook.data.tokenizer import Tokenizer
from seqbook.objectives.batch import IGNORED, Batch, pad, summed_nll
from seqbook.objectives.layouts import LAYOUTS, LayoutConfig

Example = tuple[list[int], list[int]]
Tags = Sequence[Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class TaggingConfig(LayoutConfig):
    """entities: the kinds of names."""

    entities: tuple[str, ...] = ("PER", "LOC", "ORG")

    def reads(self) -> dict[str, str]:
        return {"tokens": "tokens", "tags": "tags"}

    def build(self, tokenizers: dict[str, Tokenizer], max_len: int) -> "Tagging":
        return Tagging(**tokenizers, config=self, max_len=max_len)


class Tagging:
    """Examples are (ids, labels), with a label at each position: the number of a tag, or `IGNORED`.

    tokenizer: the pretrained network's tokenizer, with the special tokens of the layout.

    Raises:
        ValueError: a tokenizer without the special tokens.
    """

    def __init__(self, tokenizer: Tokenizer, config: TaggingConfig = TaggingConfig(), *, max_len: int):
        self.tokenizers = {"tokenizer": tokenizer}
        self.tokenizer, self.config, self.max_len = tokenizer, config, max_len
        self.layout = LAYOUTS[config.layout](tokenizer)
        self.tags = ("O", *(f"{place}-{kind}" for kind in config.entities for place in "BI"))

    def sizes(self) -> dict[str, int]:
        return self.layout.sizes() | {"n_classes": len(self.tags)}

    def tokenize(self, tokens: Tags, tags: Tags) -> dict[str, list[list[int]]]:
        """The ids of each row, and their labels, as new columns of the dataset.

        Raises:
            ValueError: a row whose words and tags differ in number, or that has no words; an unknown tag; a word without
                tokens; a sequence over max_len. The message says which row.
        """
        numbers = {tag: number for number, tag in enumerate(self.tags)}
        for i, (words, of_words) in enumerate(zip(tokens, tags, strict=True)):
            if len(words) != len(of_words):
                raise ValueError(f"row {i} has {len(words)} words and {len(of_words)} tags: give one tag for each word")
            for tag in of_words:
                if tag not in numbers:
                    raise ValueError(f"row {i} has the tag {tag!r}: it must be one of {', '.join(self.tags)}")
        made = self._pieces(tokens)
        labels = []
        for pieces, of_words in zip(made, tags, strict=True):
            inside = [[numbers[tag], *[IGNORED] * (len(ids) - 1)] for ids, tag in zip(pieces, of_words, strict=True)]
            labels.append([IGNORED, *(label for word in inside for label in word), IGNORED])
        return {"ids": self._sequences(made), "labels": labels}

    def encode(self, tokens: Tags, tags: Tags) -> list[Example]:
        """Examples from the columns of the task.

        Raises:
            ValueError: as `tokenize`.
        """
        return list(zip(*self.tokenize(tokens, tags).values(), strict=True))

    def examples(self, rows: Dataset) -> list[Example]:
        """The examples of a dataset with these columns."""
        return list(zip(rows["ids"][:], rows["labels"][:], strict=True))

    def lengths(self, example: Example) -> tuple[int]:
        return (len(example[0]),)

    def collate(self, examples: list[Example], generator: torch.Generator | None = None) -> Batch:
        ids, labels = zip(*examples, strict=True)
        return Batch((pad(ids, self.tokenizer.pad_id),), pad(labels, IGNORED))

    def nll(self, logits: Float[Tensor, "batch time tags"], labels: Int[Tensor, "batch time"]) -> Float[Tensor, ""]:
        return summed_nll(logits, labels)

    loss = nll

    def n_right(self, logits: Float[Tensor, "batch time tags"], labels: Int[Tensor, "batch time"]) -> int:
        """The number of words whose most probable tag is their label."""
        return int((logits.argmax(-1) == labels).sum())

    def predict(self, model: nn.Module, tokens: Tags) -> list[list[str]]:
        """The most probable tag of each word.

        Raises:
            ValueError: no row, or a row that `tokenize` refuses.
        """
        pieces = self._pieces(tokens)
        firsts = []  # the position of each word's first token
        for row in pieces:
            ends = torch.tensor([len(ids) for ids in row]).cumsum(0)
            firsts.append([1, *(1 + ends[:-1]).tolist()])
        examples = [(ids, [IGNORED] * len(ids)) for ids in self._sequences(pieces)]
        found: list[list[str]] = [[] for _ in examples]
        for chosen, _, logits in metrics.in_batches(model, self, examples):
            for i, best in zip(chosen, logits.argmax(-1).tolist(), strict=True):
                found[i] = [self.tags[best[position]] for position in firsts[i]]
        return found

    def scores(self, model: nn.Module, splits: DatasetDict) -> dict[str, Any]:
        """Loss (nats per word), accuracy per word and F1 of the names, for the model and for two baselines.

        all_o: no word belongs to a name; by_word: each word has the tag that it has most often in the training split,
        and O if it does not occur there.
        """
        by_word = most_frequent_tags(splits["train"]["tokens"][:], splits["train"]["tags"][:])

        def of(rows: Dataset) -> dict[str, float]:
            tokens, true = rows["tokens"][:], rows["tags"][:]
            found = {
                "": self.predict(model, tokens),
                "all_o_": [["O"] * len(words) for words in tokens],
                "by_word_": [[by_word.get(word, "O") for word in words] for words in tokens],
            }
            result = metrics.evaluate(model, self, self.examples(rows))
            for system, tags in found.items():
                flat = ([tag for row in side for tag in row] for side in (tags, true))
                result[f"{system}accuracy"] = metrics.accuracy(*flat)
                result[f"{system}f1"] = metrics.entity_f1(tags, true)
            return result

        return metrics.on_unseen(splits, of)

    def _pieces(self, tokens: Tags) -> list[list[list[int]]]:
        """The ids of each word of each row."""
        vocabulary = sorted({word for words in tokens for word in words})
        ids = dict(zip(vocabulary, self.tokenizer.encode_batch(vocabulary), strict=True))
        for i, words in enumerate(tokens):
            if not words:
                raise ValueError(f"row {i} has no words: leave it out")
            for word in words:
                if not ids[word]:
                    raise ValueError(f"row {i} has the word {word!r}, which has no tokens: leave it out")
        return [[ids[word] for word in words] for words in tokens]

    def _sequences(self, pieces: list[list[list[int]]]) -> list[list[int]]:
        sequences = [self.layout.single([i for ids in row for i in ids]) for row in pieces]
        self.layout.check_lengths(sequences, self.max_len)
        return sequences


def most_frequent_tags(tokens: Tags, tags: Tags) -> dict[str, str]:
    """The most frequent tag of each word; of equally frequent ones, the first in the alphabet."""
    counts: dict[str, Counter] = {}
    for words, of_words in zip(tokens, tags, strict=True):
        for word, tag in zip(words, of_words, strict=True):
            counts.setdefault(word, Counter())[tag] += 1
    return {word: max(sorted(found), key=found.__getitem__) for word, found in counts.items()}
