"""BART's five noises {cite}`lewis2020bart`, and the two of them that it was trained with. The target is the whole text.

    text                    A B C . D E .
    token masking           A _ C . D _ .        tokens become masks
    token deletion          A C . D .            tokens are lost, and so are their places
    text infilling          A _ . D _ E .        spans of any length become one mask each, also spans of no token
    sentence permutation    D E . A B C .
    document rotation       C . D E . A B        any token may come first

A noise that keeps what is needed to undo it has an inverse: `fill_in`, `unpermute`, `rotate` by the rest. Deletion has
none. Built in chapter 5.1.
"""

import math
from collections.abc import Collection, Sequence
from typing import NamedTuple, TypeVar

import torch

from seqbook.objectives import drawing

T = TypeVar("T")


class Masked(NamedTuple):
    """A text with masks, and the tokens that each mask hides, in the order of the masks."""

    ids: list[int]
    hidden: list[list[int]]


def draw_positions(length: int, rate: float, generator: torch.Generator | None = None) -> list[int]:
    """⌈rate · length⌉ different positions, in order."""
    return sorted(torch.randperm(length, generator=generator)[: math.ceil(rate * length)].tolist())


def mask_tokens(ids: Sequence[int], positions: Collection[int], mask_id: int) -> Masked:
    """A mask in place of each of these tokens."""
    masked = [mask_id if place in positions else i for place, i in enumerate(ids)]
    return Masked(masked, [[ids[place]] for place in sorted(positions)])


def delete_tokens(ids: Sequence[int], positions: Collection[int]) -> list[int]:
    """The text without these tokens."""
    return [i for place, i in enumerate(ids) if place not in positions]


def draw_spans(
    n_words: int, rate: float = 0.3, mean_length: float = 3.0, generator: torch.Generator | None = None
) -> tuple[list[tuple[int, int]], int]:
    """The spans of text infilling, as (first word, number of words) in order, and the number of spans of no word.

    As in BART's own code, lengths are drawn from a Poisson distribution until they sum to ⌈rate · n_words⌉ words; the
    last one is cut to fit. Each span begins at a word of its own. Spans that overlap become one, so that fewer words may
    be hidden; those that only meet stay two. None passes the end of the text.
    """
    budget, lengths = math.ceil(rate * n_words), []
    while sum(lengths) < budget:
        lengths.append(int(torch.poisson(torch.tensor(mean_length), generator=generator)))
    if lengths:
        lengths[-1] -= sum(lengths) - budget
    full = [length for length in lengths if length]
    firsts = torch.randperm(n_words, generator=generator)[: len(full)].tolist()

    spans: list[tuple[int, int]] = []
    for first, length in sorted(zip(firsts, full, strict=True)):
        end = min(first + length, n_words)
        if spans and first < sum(spans[-1]):
            before = spans.pop()
            first, end = before[0], max(end, sum(before))
        spans.append((first, end - first))
    return spans, len(lengths) - len(full)


def infill(
    words: Sequence[Sequence[int]], spans: Sequence[tuple[int, int]], mask_id: int, empty: Collection[int] = ()
) -> Masked:
    """One mask in place of each span of words, and a mask that hides nothing at each position of `empty`.

    empty: positions in the result, such as [0] for a mask at its beginning.
    """
    masked, hidden, word = [], [], 0
    for first, length in [*spans, (len(words), 0)]:
        masked += [(i, None) for kept in words[word:first] for i in kept]
        word = first + length
        if length:
            masked.append((mask_id, [i for lost in words[first:word] for i in lost]))
    for place in sorted(empty):
        masked.insert(place, (mask_id, []))
    hidden = [tokens for _, tokens in masked if tokens is not None]
    return Masked([i for i, _ in masked], hidden)


def fill_in(masked: Masked, mask_id: int) -> list[int]:
    """The inverse of `mask_tokens` and `infill`: the text with the hidden tokens in place of its masks."""
    hidden = iter(masked.hidden)
    return [j for i in masked.ids for j in (next(hidden) if i == mask_id else [i])]


def sentences(ids: Sequence[int], ends: Collection[int]) -> list[list[int]]:
    """The sentences of a text, each with the token of `ends` that ends it."""
    return [list(ids[start:stop]) for start, stop in drawing.sentences(ids, ends)]


def permute(parts: Sequence[T], order: Sequence[int]) -> list[T]:
    """The parts in this order: the first is parts[order[0]]."""
    return [parts[i] for i in order]


def unpermute(permuted: Sequence[T], order: Sequence[int]) -> list[T]:
    """The inverse of `permute`."""
    return [permuted[order.index(i)] for i in range(len(order))]


def rotate(ids: Sequence[int], first: int) -> list[int]:
    """The text from its token `first` on, and then what came before it. Rotating by the other len(ids) − first tokens is
    the inverse."""
    return [*ids[first:], *ids[:first]]
