"""Names in stories: each token tagged as the beginning (B), the inside (I) or outside (O) of a person, place or organisation."""

from collections.abc import Iterator
from random import Random

from seqbook.data.world.stories import stories
from seqbook.data.world.story import Story
from seqbook.data.world.translation import TOKEN

LONGEST = 3  # sentences
NAMELESS = 0.15  # of the windows without a name are kept


def examples(seed: int) -> Iterator[tuple[dict, bool]]:
    """Endless (row, whether it holds a held-out combination) pairs; no two rows have the same tokens."""
    seen = set()
    for story in stories(Random(seed)):
        first = 0
        while first < story.sentences:
            last = min(first + int(story.rng.random() * LONGEST), story.sentences - 1)
            row = tagged(story, first, last)
            if tuple(row["tokens"]) not in seen and (any(tag != "O" for tag in row["tags"]) or story.chance(NAMELESS)):
                seen.add(tuple(row["tokens"]))
                yield row, any(first <= i <= last for i in story.held_out)
            first = last + 1


def tagged(story: Story, first: int, last: int) -> dict:
    """The tokens and tags of the story's sentences from `first` to `last`."""
    kinds = {}
    for start, end, kind in story.entities:
        kinds |= {start: f"B-{kind}"} | {i: f"I-{kind}" for i in range(start + 1, end)}
    found = [
        (token.group(), kinds.get(token.start(), "O"))
        for token in TOKEN.finditer(story.text, story.spans[first][0], story.spans[last][1])
    ]
    return {"tokens": [token for token, _ in found], "tags": [kind for _, kind in found]}
