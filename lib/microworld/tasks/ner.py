"""Named entities in stories: each token is the beginning (B), inside (I) or outside (O) of a person, place or organisation."""

from collections.abc import Iterator
from functools import cache
from itertools import chain

from microworld.draw.dice import Dice
from microworld.realize.english import TOKEN
from microworld.story.plots import stories
from microworld.words.names import NAMES, ORGS, STREETS, TOWNS

ENTITIES = {
    noun.en: kind
    for kind, nouns in [("PER", NAMES), ("LOC", [*TOWNS, *STREETS]), ("ORG", ORGS)]
    for noun in nouns
}  # fmt: skip
LONGEST = 3  # sentences
NAMELESS = 0.15  # of the rows without a name are kept


def examples(seed: int) -> Iterator[tuple[dict, bool]]:
    """Yield (row, whether it has a held-out combination) without end; no two rows have the same tokens."""
    seen = set()
    for story in stories(Dice(seed)):
        sentences = [[pair for word, _ in words for pair in tagged(word)] for words, _ in story.text.sentences]
        first = 0
        while first < len(sentences):
            last = min(first + story.rng.pick(range(LONGEST)), len(sentences) - 1)
            tokens, tags = zip(*chain(*sentences[first : last + 1]), strict=True)
            if tokens not in seen and (set(tags) != {"O"} or story.rng.chance(NAMELESS)):
                seen.add(tokens)
                row = {"tokens": list(tokens), "tags": list(tags)}
                yield row, any(first <= i <= last for i in story.telling.held_out)
            first = last + 1


@cache
def tagged(word: str) -> list[tuple[str, str]]:
    """The tokens of a word or name, with their tags."""
    kind = ENTITIES.get(word)
    return [(token, f"{'I' if i else 'B'}-{kind}" if kind else "O") for i, token in enumerate(TOKEN.findall(word))]
