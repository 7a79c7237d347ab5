"""Stories of 3 to 12 sentences, with the facts that they state and the referents of their pronouns."""

from collections.abc import Iterator

from microworld.draw.dice import Dice
from microworld.story.plots import stories


def examples(seed: int) -> Iterator[tuple[dict, bool]]:
    """Yield (row, whether it has a held-out combination) without end; no two rows have the same text."""
    for story in stories(Dice(seed)):
        row = {"text": story.text.string, "facts": story.telling.facts, "pronouns": story.text.pronouns()}
        yield row, bool(story.telling.held_out)


def plain(seed: int) -> Iterator[tuple[dict, bool]]:
    """The same, with the column `text` alone."""
    for story in stories(Dice(seed)):
        yield {"text": story.text.string}, bool(story.telling.held_out)
