"""Named entities in stories: each token is the beginning (B), inside (I) or outside (O) of a person, place or organisation."""

from collections.abc import Iterator

from microworld.draw.dice import Dice
from microworld.realize.english import TOKEN
from microworld.story.plots import stories
from microworld.story.story import Story

LONGEST = 3  # sentences
NAMELESS = 0.15  # of the rows without a name are kept


def examples(seed: int) -> Iterator[tuple[dict, bool]]:
    """Yield (row, whether it has a held-out combination) without end; no two rows have the same tokens."""
    seen = set()
    for story in stories(Dice(seed)):
        first = 0
        while first < story.telling.sentences:
            last = min(first + story.rng.pick(range(LONGEST)), story.telling.sentences - 1)
            row = tagged(story, first, last)
            if tuple(row["tokens"]) not in seen and (
                any(tag != "O" for tag in row["tags"]) or story.rng.chance(NAMELESS)
            ):
                seen.add(tuple(row["tokens"]))
                yield row, any(first <= i <= last for i in story.telling.held_out)
            first = last + 1


def tagged(story: Story, first: int, last: int) -> dict:
    """The tokens and tags of the story's sentences from `first` to `last`."""
    text, kinds = story.text, {}
    for start, end, kind in text.entities():
        kinds |= {start: f"B-{kind}"} | {i: f"I-{kind}" for i in range(start + 1, end)}
    found = [
        (token.group(), kinds.get(token.start(), "O"))
        for token in TOKEN.finditer(text.string, text.spans[first][0], text.spans[last][1])
    ]
    return {"tokens": [token for token, _ in found], "tags": [kind for _, kind in found]}
