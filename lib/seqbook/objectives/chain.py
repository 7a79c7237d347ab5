"""Chains of assignments: a task in which a token can only be understood with the tokens around it. Used in chapter 6.1.

    row      h j  a c  e h  c g  b f  f i  …  ? a        a = c and c = g, written in any order
    label    ·  ·  ·  ·  ·  ·  ·  ·  ·  ·  …  · g        · = no loss

Each row has some chains, and the pairs of all chains are shuffled. The question gives the first letter of one chain, and
the answer is its last letter. With one hop, a model has to find one pair. With two hops, it has to find a pair whose
place it only knows once it has read another one, which may stand on either side.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqbook.nn.checks import check_positive
from seqbook.objectives.batch import IGNORED, summed_nll
from seqbook.objectives.rows import PrefixBatch

Example = tuple[list[int], int]


@dataclass(frozen=True, kw_only=True)
class ChainConfig:
    """n_letters: the number of different letters; n_chains: chains per row; hops: pairs per chain.

    Raises:
        ValueError: sizes below one, or more letters in a row than there are.
    """

    n_letters: int = 16
    n_chains: int = 4
    hops: int = 2

    def __post_init__(self):
        check_positive(n_letters=self.n_letters, n_chains=self.n_chains, hops=self.hops)
        if (needed := self.n_chains * (self.hops + 1)) > self.n_letters:
            raise ValueError(
                f"{self.n_chains} chains of {self.hops} hops need {needed} letters: n_letters={self.n_letters}"
            )


class Rows(Sequence):
    """`n` examples (ids, answer). Row i is drawn when it is needed, and depends only on (config, seed, i).

    The id of a letter is its number, and the question mark has the id n_letters.
    """

    def __init__(self, n: int, config: ChainConfig = ChainConfig(), *, seed: int = 0):
        self.n, self.config, self.seed = n, config, seed

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, i: int) -> Example:
        if not 0 <= i < self.n:
            raise IndexError(f"row {i} of {self.n}")
        rng, length = random.Random(f"{self.seed} {i}"), self.config.hops + 1
        letters = rng.sample(range(self.config.n_letters), self.config.n_chains * length)
        chains = [letters[start : start + length] for start in range(0, len(letters), length)]
        pairs = [pair for chain in chains for pair in pairwise(chain)]
        rng.shuffle(pairs)
        return [*(i for pair in pairs for i in pair), self.config.n_letters, chains[0][0]], chains[0][-1]


class Chain:
    """Examples come from `Rows`; the answer is predicted after the last token. The whole row is the prefix.

    bidirectional: whether the prefix has the bidirectional mask, or the causal one. There is no text to tokenize, so no
    recipe uses this objective; `training.fit` takes `Rows` directly.
    """

    def __init__(self, config: ChainConfig = ChainConfig(), *, bidirectional: bool):
        self.config, self.bidirectional = config, bidirectional

    def sizes(self) -> dict[str, int]:
        return {"vocab_size": self.config.n_letters + 1}

    def lengths(self, example: Example) -> tuple[int]:
        return (len(example[0]),)

    def collate(self, examples: list[Example], generator: torch.Generator | None = None) -> PrefixBatch:
        ids = torch.tensor([ids for ids, _ in examples])  # (B, T)
        labels = torch.full_like(ids, IGNORED)
        labels[:, -1] = torch.tensor([answer for _, answer in examples])
        prefixes = torch.full_like(ids[:, 0], ids.shape[1] if self.bidirectional else 0)
        return PrefixBatch((ids, prefixes), labels)

    def nll(self, logits: Float[Tensor, "batch time vocab"], labels: Int[Tensor, "batch time"]) -> Float[Tensor, ""]:
        return summed_nll(logits, labels)

    loss = nll

    def n_right(self, logits: Float[Tensor, "batch time vocab"], labels: Int[Tensor, "batch time"]) -> int:
        """The number of answers that are the model's most probable letter. A random end of a chain scores 1/n_chains."""
        return int((logits[:, -1].argmax(-1) == labels[:, -1]).sum())
