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
        words = len(row["en"].replace("'", " ").split())  # "Anna's" is two
        if row["en"] not in seen and FEWEST_WORDS <= words <= MOST_WORDS:
            seen.add(row["en"])
            yield row, any(map(held_out, combinations(sentence)))


def translate(sentence: Sentence) -> dict:
    """The row of a sentence: `en`, `zh` and `alignment`, pairs [i, j] of an English token and a Chinese character."""
    source, target = english.sentence(sentence), chinese.sentence(sentence)
    characters: dict[str, list[int]] = {}  # that express each part of the event
    j = 0
    for text, tag in target:
        characters.setdefault(tag, []).extend(range(j, j + len(text)))
        j += len(text)
    characters.pop("", None)

    tags = []  # of each English token
    for text, tag in source:
        if " " in text or "'" in text:
            tags += [tag] * len(TOKEN.findall(text))
        else:
            tags.append(tag)
    alignment = [[i, j] for i, tag in enumerate(tags) for j in characters.get(tag, ())]
    return {"en": english.spell(source), "zh": "".join([text for text, _ in target]), "alignment": alignment}
