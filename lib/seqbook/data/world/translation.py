"""English–Chinese pairs with their true word alignment, both written from the same events."""

import re
from collections.abc import Iterator
from random import Random

from seqbook.data.world import chinese, english
from seqbook.data.world.events import Sentence, combinations, held_out
from seqbook.data.world.sampler import Sampler

TOKEN = re.compile(r"\w+|[^\w\s]")
MOST_WORDS = 40
FEWEST_WORDS = 3


def examples(seed: int) -> Iterator[tuple[dict, bool]]:
    """Endless (row, whether it holds a held-out combination) pairs; no two rows have the same English text."""
    sampler = Sampler(Random(seed))
    seen = set()
    while True:
        sentence = sampler.sentence()
        row = translate(sentence)
        words = sum(token.isalnum() for token in TOKEN.findall(row["en"]))
        if row["en"] not in seen and FEWEST_WORDS <= words <= MOST_WORDS:
            seen.add(row["en"])
            yield row, any(map(held_out, combinations(sentence)))


def translate(sentence: Sentence) -> dict:
    """The row of a sentence: `en`, `zh` and `alignment`, pairs [i, j] of an English token and a Chinese character."""
    source, target = english.sentence(sentence), chinese.sentence(sentence)
    tokens: dict[str, list[int]] = {}
    i = 0
    for text, tag in source:
        for _ in TOKEN.findall(text) if " " in text or "'" in text else (text,):
            if tag:
                tokens.setdefault(tag, []).append(i)
            i += 1
    alignment = []
    j = 0
    for text, tag in target:
        for _ in text:
            alignment += [[i, j] for i in tokens.get(tag, ())]
            j += 1
    return {"en": english.spell(source), "zh": "".join(text for text, _ in target), "alignment": sorted(alignment)}
