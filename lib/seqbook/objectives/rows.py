"""Rows of a prefix decoder: one sequence with the length of its prefix, and a label where something is predicted.

The objectives of prefix language modelling, UniLM, GLM and UL2 differ in how a text becomes a row. The rest is here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import torch
from datasets import Dataset, DatasetDict
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqbook import metrics
from seqbook.data.tokenizer import Kind, Tokenizer
from seqbook.objectives.batch import IGNORED, Batch, pad, summed_nll
from seqbook.objectives.causal import CausalConfig

Example = tuple[list[int]]


@dataclass(frozen=True, kw_only=True)
class TextRowsConfig(CausalConfig):
    """The choices of `Causal`, for an objective whose vocabulary also needs some special tokens."""

    def special(self) -> list[str]:
        """The special tokens of the rows, in the order of their ids."""
        return []

    def tokenizers(self, texts: dict[str, Sequence[str]], pretrained: dict[str, Tokenizer]) -> dict[str, Tokenizer]:
        return vocabulary(texts["text"], pretrained, self.kind, self.max_vocab_size, self.special())


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
        return PrefixBatch(tuple(t if t is None else t.to(device) for t in self.inputs), self.labels.to(device))


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


def pieces(ids: list[int], room: int) -> list[list[int]]:
    """The ids in consecutive pieces of at most `room`, whose lengths differ by one at most."""
    n = -(-len(ids) // room)
    return [ids[len(ids) * i // n : len(ids) * (i + 1) // n] for i in range(n)]


def vocabulary(
    texts: Sequence[str], pretrained: dict[str, Tokenizer], kind: Kind, max_vocab_size: int, special: Sequence[str] = ()
) -> dict[str, Tokenizer]:
    """The pretrained tokenizer or, without one, a tokenizer for these texts, with the special tokens that it lacks."""
    tokenizer = pretrained["tokenizer"] if "tokenizer" in pretrained else Tokenizer.train(texts, kind, max_vocab_size)
    lacking = [name for name in special if tokenizer.backend.token_to_id(name) is None]
    return {"tokenizer": tokenizer.with_special(*lacking)}


def encode_blanks(tokenizer: Tokenizer, text: str, blanks: dict[str, int]) -> list[int]:
    """The ids of a text with blanks, {how it is written: its id}.

    Raises:
        ValueError: a text without a blank.
    """
    *parts, last = re.split(f"({'|'.join(map(re.escape, blanks))})", text)
    if not parts:
        raise ValueError(f"{text[:80]!r} has no {', '.join(blanks)}: write it where something is missing")
    ids = []
    for part in parts:  # in a byte-level vocabulary, the space before a blank belongs to it
        ids += [blanks[part]] if part in blanks else tokenizer.encode(part.rstrip())
    return ids + tokenizer.encode(last)


class TextRows:
    """An objective in which each text becomes one row, by `row`. Examples are (ids,), without special tokens.

    A text with more than `room` tokens is cut into pieces of about the same length, each of which counts as a text. If
    the objective is a mixture, PARTS has the names of its parts, and config.shares says how often each is drawn.

    Raises:
        ValueError: a max_len that leaves no room for a text.
    """

    PARTS: ClassVar[tuple[str, ...]] = ()
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
            ValueError: a text that is too short to corrupt.
        """
        raise NotImplementedError

    def restore(self, row: Row) -> list[int]:
        """The text from which the row was made: no token is lost."""
        raise NotImplementedError

    def parts(self) -> dict[str, "TextRows"]:
        """One objective for each part with a share, if there are several."""
        drawn = [i for i, name in enumerate(self.PARTS) if self.config.shares[i] > 0]
        if len(drawn) < 2:
            return {}
        alone = {i: tuple(float(j == i) for j in range(len(self.PARTS))) for i in drawn}
        return {
            self.PARTS[i]: type(self)(self.tokenizer, replace(self.config, shares=alone[i]), max_len=self.max_len)
            for i in drawn
        }

    def check(self, ids: list[int]) -> None:
        """Check that a text is not too short.

        Raises:
            ValueError: it is; names it and its length.
        """
        if len(ids) < self.shortest:
            raise ValueError(
                f"{self.tokenizer.decode(ids)[:80]!r} is {len(ids)} tokens long, which is too short: it must have at "
                f"least {self.shortest}"
            )

    def sizes(self) -> dict[str, int]:
        return {"vocab_size": len(self.tokenizer)}

    def tokenize(self, text: Sequence[str]) -> dict[str, list[list[int]]]:
        """The ids of each text, without special tokens.

        Raises:
            ValueError: a text that is too short; names it and its length.
        """
        encoded = self.tokenizer.encode_batch(text)
        for ids in encoded:
            self.check(ids)
        return {"ids": encoded}

    def encode(self, texts: Sequence[str]) -> list[Example]:
        """The texts or, of those that are too long, their pieces.

        Raises:
            ValueError: a text that is too short; names it and its length.
        """
        return self.examples(Dataset.from_dict(self.tokenize(texts)))

    def examples(self, rows: Dataset) -> list[Example]:
        return [(piece,) for ids in rows["ids"][:] for piece in pieces(ids, self.room)]

    def lengths(self, example: Example) -> tuple[int]:
        return (len(example[0]),)

    def collate(self, examples: list[Example], generator: torch.Generator | None = None) -> PrefixBatch:
        return collate([self.row(ids, generator) for (ids,) in examples], self.tokenizer.pad_id)

    def nll(self, logits: Float[Tensor, "batch time vocab"], labels: Int[Tensor, "batch time"]) -> Float[Tensor, ""]:
        return summed_nll(logits, labels)

    loss = nll

    def scores(self, model: nn.Module, splits: DatasetDict) -> dict[str, Any]:
        """The loss (nats per predicted token), of a mixture also for each of its parts."""

        def of(rows: Dataset) -> dict[str, float]:
            examples = self.examples(rows)
            found = {"loss": metrics.mean_nll(model, self, examples)}
            return found | {f"{name}_loss": metrics.mean_nll(model, p, examples) for name, p in self.parts().items()}

        return metrics.on_unseen(splits, of)
