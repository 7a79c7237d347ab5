"""Pairs of texts for BERT's next-sentence prediction {cite}`devlin2019bert`: does B follow A, or is it from elsewhere?"""

import random
from collections.abc import Collection, Sequence
from typing import NamedTuple

IS_NEXT, RANDOM = 0, 1  # the labels, as in BERT


class Pair(NamedTuple):
    """The ids of two parts, and `IS_NEXT` or `RANDOM`."""

    a: list[int]
    b: list[int]
    label: int


def draw_pairs(texts: Sequence[list[int]], ends: Collection[int | None], room: int) -> list[Pair]:
    """One pair per text, always the same ones.

    A text is cut after one of its sentences: A is the part before. B is the part after or, for half of the texts and for
    all that have only one sentence, the end of another text, from one of its sentences on.

    ends: the ids of the tokens that end a sentence; room: the largest number of tokens of a pair. A longer one loses
    tokens of its longer part, at random from the front or from the end, as in BERT's own code.

    Raises:
        ValueError: fewer than two texts.
    """
    if len(texts) < 2:
        raise ValueError(f"pairs=True needs at least two texts, here are {len(texts)}: leave pairs out")
    rng, pairs = random.Random(0), []
    split = [_sentences(ids, ends) for ids in texts]
    for i, sentences in enumerate(split):
        cut = rng.randrange(1, len(sentences)) if len(sentences) > 1 else 1
        first, second, label = sentences[:cut], sentences[cut:], IS_NEXT
        if not second or rng.random() < 0.5:
            other = split[(i + rng.randrange(1, len(texts))) % len(texts)]
            second, label = other[rng.randrange(len(other)) :], RANDOM
        a, b = ([i for sentence in part for i in sentence] for part in (first, second))
        while len(a) + len(b) > room:
            longer = a if len(a) > len(b) else b
            del longer[0 if rng.random() < 0.5 else -1]
        pairs.append(Pair(a, b, label))
    return pairs


def _sentences(ids: list[int], ends: Collection[int | None]) -> list[list[int]]:
    sentences, start = [], 0
    for position, i in enumerate(ids, 1):
        if i in ends or position == len(ids):
            sentences.append(ids[start:position])
            start = position
    return sentences
