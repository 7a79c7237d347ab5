"""What the objectives have in common that turn each text into one row of a prefix decoder."""

from collections.abc import Sequence
from typing import Any

import torch
from datasets import Dataset, DatasetDict
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqbook import metrics
from seqbook.data.tokenizer import Kind, Tokenizer
from seqbook.objectives.batch import summed_nll
from seqbook.objectives.drawing import pieces
from seqbook.objectives.rows import PrefixBatch, Row, collate

Example = tuple[list[int]]


def vocabulary(
    texts: Sequence[str], pretrained: dict[str, Tokenizer], kind: Kind, max_vocab_size: int, special: Sequence[str] = ()
) -> Tokenizer:
    """The pretrained tokenizer or, without one, a tokenizer for these texts, with the special tokens that it lacks."""
    tokenizer = pretrained["tokenizer"] if "tokenizer" in pretrained else Tokenizer.train(texts, kind, max_vocab_size)
    lacking = [name for name in special if tokenizer.backend.token_to_id(name) is None]
    return tokenizer.with_special(*lacking) if lacking else tokenizer


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
