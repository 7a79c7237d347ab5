"""English–Chinese sentence pairs with their true word alignment, both realized from the same events."""

from collections.abc import Iterator

from microworld.draw.dice import Dice
from microworld.draw.sentences import Sentences
from microworld.events import Sentence, combinations, held_out
from microworld.realize import chinese, english
from microworld.realize.english import TOKEN

FEWEST_WORDS, MOST_WORDS = 3, 40


def examples(seed: int) -> Iterator[tuple[dict, bool]]:
    """Yield (row, whether it has a held-out combination) without end; no two rows have the same English text."""
    sentences = Sentences(Dice(seed))
    seen = set()
    while True:
        sentence = sentences.sentence()
        row = translate(sentence)
        words = sum(token.isalnum() for token in TOKEN.findall(row["en"]))
        if row["en"] not in seen and FEWEST_WORDS <= words <= MOST_WORDS:
            seen.add(row["en"])
            yield row, any(map(held_out, combinations(sentence)))


def translate(sentence: Sentence) -> dict:
    """The row of a sentence: `en`, `zh` and `alignment`, pairs [i, j] of an English token and a Chinese character."""
    source, target = english.sentence(sentence), chinese.sentence(sentence)
    tokens: dict[str, list[int]] = {}  # of each part of the event
    i = 0
    for text, tag in source:
        for _ in TOKEN.findall(text) if " " in text or "'" in text else (text,):
            if tag:
                tokens.setdefault(tag, []).append(i)
            i += 1
    alignment = []
    j = 0
    for text, tag in target:
        characters = range(j, j + len(text))
        alignment += [[i, j] for i in tokens.get(tag, ()) for j in characters]
        j += len(text)
    return {"en": english.spell(source), "zh": "".join(text for text, _ in target), "alignment": sorted(alignment)}
