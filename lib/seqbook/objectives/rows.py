"""Rows of a prefix decoder: one sequence with the length of its prefix, and a label where something is predicted.

What the objectives of prefix language modelling, UniLM, GLM and UL2 share. They differ in how a text becomes a row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from datasets import Dataset, DatasetDict
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqbook import metrics
from seqbook.data.tokenizer import Tokenizer
from seqbook.objectives.batch import IGNORED, Batch, pad, summed_nll

SENTENCE_ENDS = frozenset(".?!;:。？！；：…\n")  # the characters after which GLM ends a sentence

Example = tuple[list[int]]
Span = tuple[int, int]  # the first position, and the position after the last one


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


def draw(low: int, high: int, generator: torch.Generator | None = None) -> int:
    """A random whole number from low to high, both included."""
    return int(torch.randint(low, high + 1, (), generator=generator))


def draw_one(weights: Sequence[float], generator: torch.Generator | None = None) -> int:
    """A random index, with a probability in proportion to its weight."""
    return int(torch.multinomial(torch.tensor(weights, dtype=torch.float64), 1, generator=generator))


def check_shares(name: str, shares: Sequence[float], what: Sequence[str]) -> None:
    """Check that there is one share for each, none is negative, and not all are 0.

    Raises:
        ValueError: a check fails; the message contains the shares.
    """
    if len(shares) != len(what) or min(shares) < 0 or not sum(shares) > 0:
        raise ValueError(
            f"{name}={tuple(shares)} must be {len(what)} numbers for {', '.join(what)}: 0 or more, not all 0"
        )


def sentence_ends(tokenizer: Tokenizer) -> frozenset[int]:
    """The tokens that end a sentence."""
    tokens = tokenizer.tokens(range(len(tokenizer)))
    special = tokenizer.backend.get_added_tokens_decoder()
    # in a byte-level vocabulary, Ċ is a new line
    return frozenset(
        i for i, t in enumerate(tokens) if i not in special and not SENTENCE_ENDS.isdisjoint(t.replace("Ċ", "\n"))
    )


def sentences(ids: list[int], ends: frozenset[int]) -> list[Span]:
    """The sentences of a text."""
    stops = [i + 1 for i, token in enumerate(ids) if token in ends]
    if not stops or stops[-1] != len(ids):
        stops.append(len(ids))
    return list(zip([0, *stops[:-1]], stops, strict=True))


def scatter(lengths: Sequence[int], n: int, generator: torch.Generator | None = None) -> list[Span]:
    """Spans of these lengths at random places of n tokens, with at least one token between two of them."""
    free = n - sum(lengths) - len(lengths) + 1
    offsets = sorted(draw(0, free, generator) for _ in lengths)
    spans, used = [], 0
    for offset, length in zip(offsets, lengths, strict=True):
        spans.append((offset + used, offset + used + length))
        used += length + 1
    return spans


class TextRows:
    """An objective in which each text becomes one row, by `row`. Examples are (ids,), without special tokens.

    A text with more than `room` tokens is cut into pieces of about the same length, each of which counts as a text.
    """

    shortest = 1  # the smallest number of tokens that `row` can use

    def __init__(self, tokenizer: Tokenizer, config: Any, *, max_len: int):
        self.tokenizers = {"tokenizer": tokenizer}
        self.tokenizer, self.config, self.max_len = tokenizer, config, max_len
        self.room = max((n for n in range(1, max_len + 1) if self.longest_row(n) <= max_len), default=0)
        if self.room < self.shortest:
            raise ValueError(
                f"max_len={max_len} has no room for a text of {self.shortest} tokens with the tokens that are added to it"
            )

    def longest_row(self, n: int) -> int:
        """The largest number of positions in the row of a text of n tokens."""
        raise NotImplementedError

    def row(self, ids: list[int], generator: torch.Generator | None = None) -> Row:
        """The row of a text, with new random choices in each call.

        Raises:
            ValueError: a text that is too short to corrupt, or too long for the model.
        """
        raise NotImplementedError

    def restore(self, row: Row) -> list[int]:
        """The text from which the row was made: no token is lost."""
        raise NotImplementedError

    def check(self, ids: list[int], limit: int | None = None) -> None:
        """Check that a text is neither too short nor, with a limit, too long.

        Raises:
            ValueError: it is; names it and its length.
        """
        longest = "" if limit is None else f" to {limit}"
        if len(ids) < self.shortest or (limit is not None and len(ids) > limit):
            at_least = "at least " if limit is None else ""
            raise ValueError(
                f"{self.tokenizer.decode(ids)[:80]!r} is {len(ids)} tokens long: "
                f"it must have {at_least}{self.shortest}{longest}"
            )

    def sizes(self) -> dict[str, int]:
        return {"vocab_size": len(self.tokenizer)}

    def encode(self, texts: Sequence[str]) -> list[Example]:
        """One example per text.

        Raises:
            ValueError: a text that is too short, or too long for one row; names it and its length.
        """
        encoded = self.tokenizer.encode_batch(texts)
        for ids in encoded:
            self.check(ids, self.room)
        return [(ids,) for ids in encoded]

    def tokenize(self, text: Sequence[str]) -> dict[str, list[list[int]]]:
        """The ids of each text, without special tokens.

        Raises:
            ValueError: a text that is too short; names it and its length.
        """
        encoded = self.tokenizer.encode_batch(text)
        for ids in encoded:
            self.check(ids)
        return {"ids": encoded}

    def examples(self, rows: Dataset) -> list[Example]:
        """The texts or, of those that are too long, their pieces."""
        return [(piece,) for ids in rows["ids"][:] for piece in pieces(ids, self.room)]

    def lengths(self, example: Example) -> tuple[int]:
        return (len(example[0]),)

    def collate(self, examples: list[Example], generator: torch.Generator | None = None) -> PrefixBatch:
        return collate([self.row(ids, generator) for (ids,) in examples], self.tokenizer.pad_id)

    def nll(self, logits: Float[Tensor, "batch time vocab"], labels: Int[Tensor, "batch time"]) -> Float[Tensor, ""]:
        return summed_nll(logits, labels)

    loss = nll

    def parts(self) -> dict[str, "TextRows"]:
        """The objectives that this one is a mixture of, by their names."""
        return {}

    def scores(self, model: nn.Module, splits: DatasetDict) -> dict[str, Any]:
        """The loss (nats per predicted token), of a mixture also for each of its parts."""

        def of(rows: Dataset) -> dict[str, float]:
            examples = self.examples(rows)
            found = {"loss": metrics.mean_nll(model, self, examples)}
            return found | {f"{name}_loss": metrics.mean_nll(model, p, examples) for name, p in self.parts().items()}

        return metrics.on_unseen(splits, of)


def pieces(ids: list[int], room: int) -> list[list[int]]:
    """The ids in consecutive pieces of at most `room`, whose lengths differ by one at most."""
    n = -(-len(ids) // room)
    return [ids[len(ids) * i // n : len(ids) * (i + 1) // n] for i in range(n)]
