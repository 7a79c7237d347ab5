"""Recall: which y followed this x earlier in the row? Weights alone cannot solve this task. Built in chapter 3.3.

Each row has a few random pairs of an x and a y, which are not shared with other rows, and repeats them in random order:

    ids     x7 y2 x4 y9 x7 y2 x1 y9 x4 y9 …
    label   ·  ·  ·  ·  y2 ·  ·  ·  y9 ·       · = no loss

When an x occurs for the first time, its y cannot be predicted. When it occurs again, its y is certain for a model that
finds the earlier x and copies the token after it {cite}`olsson2022context`. The loss is computed only at these
positions, so a model that recalls reaches 0 nats. A fifth of all pairs (x, y) is held out. If a model recalls a
held-out pair, it must have read it in the row, because the pair does not occur in training.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqbook.nn.checks import check_positive
from seqbook.nn.mode import evaluating
from seqbook.objectives.batch import IGNORED, Batch, summed_nll

HELD_OUT = 5  # every fifth pair
Example = tuple[list[int]]


@dataclass(frozen=True, kw_only=True)
class RecallConfig:
    """n_words: the number of different x, and of different y; n_pairs: different pairs per row; n_entries: entries per
    row.

    Raises:
        ValueError: sizes below one, fewer than `HELD_OUT` words, or more pairs than words.
    """

    n_words: int = 20
    n_pairs: int = 6
    n_entries: int = 32

    def __post_init__(self):
        check_positive(n_words=self.n_words, n_pairs=self.n_pairs, n_entries=self.n_entries)
        if self.n_words < max(HELD_OUT, self.n_pairs):
            raise ValueError(
                f"n_words={self.n_words} must be at least {HELD_OUT}, so that pairs can be held out, "
                f"and at least n_pairs={self.n_pairs}"
            )


def is_held_out(x: int, y: int) -> bool:
    """Whether the pair of the x and the y with these numbers (from 0) is held out of training."""
    return (x + y) % HELD_OUT == 0


class Rows(Sequence):
    """`n` examples (ids,) of 2·n_entries ids: x is its number, y its number plus n_words.

    Row i is drawn when it is needed, and depends only on (config, seed, held_out, i). held_out: whether all pairs of
    the rows are held-out pairs, or none of them.
    """

    def __init__(self, n: int, config: RecallConfig = RecallConfig(), *, seed: int = 0, held_out: bool = False):
        self.n, self.config, self.seed, self.held_out = n, config, seed, held_out

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, i: int) -> Example:
        if not 0 <= i < self.n:
            raise IndexError(f"row {i} of {self.n}")
        rng, n_words = random.Random(f"{self.seed} {self.held_out} {i}"), self.config.n_words
        pairs = []
        for x in rng.sample(range(n_words), self.config.n_pairs):
            y = rng.choice([y for y in range(n_words) if is_held_out(x, y) is self.held_out])
            pairs.append((x, n_words + y))
        return ([i for pair in rng.choices(pairs, k=self.config.n_entries) for i in pair],)


class Recall:
    """Examples come from `Rows`. For each x that occurred earlier in the row, its y is predicted.

    There is no text to tokenize, so no recipe uses this objective; `training.fit` takes `Rows` directly.
    """

    def __init__(self, config: RecallConfig = RecallConfig()):
        self.config = config

    def sizes(self) -> dict[str, int]:
        return {"vocab_size": 2 * self.config.n_words}

    def lengths(self, example: Example) -> tuple[int]:
        return (len(example[0]) - 1,)

    def collate(self, examples: list[Example], generator: torch.Generator | None = None) -> Batch:
        ids = torch.tensor([ids for (ids,) in examples])  # (B, 2E)
        x = ids[:, ::2]
        seen = (x[:, :, None] == x[:, None, :]).tril(-1).any(-1)  # (B, E): whether an earlier entry has the same x
        labels = torch.full_like(ids[:, 1:], IGNORED)  # (B, 2E - 1)
        labels[:, ::2] = ids[:, 1::2].where(seen, IGNORED)
        return Batch((ids[:, :-1],), labels)

    def nll(self, logits: Float[Tensor, "batch time vocab"], labels: Int[Tensor, "batch time"]) -> Float[Tensor, ""]:
        return summed_nll(logits, labels)

    loss = nll

    @torch.no_grad()
    def recall(self, model: nn.Module, rows: Sequence[Example]) -> float:
        """The share of labels that are the model's most probable token. A random y of the row scores 1/n_pairs."""
        batch = self.collate(list(rows)).to(next(model.parameters()).device)
        with evaluating(model):
            found = model(*batch.inputs).argmax(-1)  # (B, T)
        predicted = batch.labels != IGNORED
        return (found == batch.labels)[predicted].float().mean().item()
