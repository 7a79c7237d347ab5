"""Random choices and cuts of texts, which the objectives of parts 5 and 6 share."""

from collections.abc import Collection, Sequence

import torch

from seqbook.data.tokenizer import Tokenizer

SENTENCE_ENDS = frozenset(".?!;:。？！；：…\n")  # the characters after which GLM ends a sentence

Span = tuple[int, int]  # the first position, and the position after the last one


def draw(low: int, high: int, generator: torch.Generator | None = None) -> int:
    """A random whole number from low to high, both included."""
    return int(torch.randint(low, high + 1, (), generator=generator))


def draw_one(weights: Sequence[float], generator: torch.Generator | None = None) -> int:
    """A random index, with a probability in proportion to its weight."""
    return int(torch.multinomial(torch.tensor(weights, dtype=torch.float64), 1, generator=generator))


def check_shares(shares: Sequence[float], what: Sequence[str]) -> None:
    """Check that there is one share for each, none is negative, and not all are 0.

    Raises:
        ValueError: a check fails; the message contains the shares.
    """
    if len(shares) != len(what) or min(shares) < 0 or not sum(shares) > 0:
        raise ValueError(
            f"shares={tuple(shares)} must be {len(what)} numbers for {', '.join(what)}: 0 or more, not all 0"
        )


def sentence_ends(tokenizer: Tokenizer) -> frozenset[int]:
    """The tokens that end a sentence."""
    tokens = tokenizer.tokens(range(len(tokenizer)))
    special = tokenizer.backend.get_added_tokens_decoder()
    # in a byte-level vocabulary, Ċ is a new line
    return frozenset(
        i for i, t in enumerate(tokens) if i not in special and not SENTENCE_ENDS.isdisjoint(t.replace("Ċ", "\n"))
    )


def sentences(ids: Sequence[int], ends: Collection[int]) -> list[Span]:
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
