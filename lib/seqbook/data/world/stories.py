"""Stories of 3 to 12 sentences, with the facts that they tell and whom their pronouns mean."""

from collections.abc import Callable, Iterator, Sequence
from random import Random

from seqbook.data.world.plots import PLOTS
from seqbook.data.world.story import Story

FEWEST_SENTENCES, MOST_SENTENCES = 3, 12


def examples(seed: int) -> Iterator[tuple[dict, bool]]:
    """Endless (row, whether it holds a held-out combination) pairs; no two rows have the same text."""
    for story in stories(Random(seed)):
        row = {"text": story.text, "facts": story.facts, "pronouns": story.pronouns}
        yield row, bool(story.held_out)


def stories(rng: Random, plots: Sequence[Callable[[Story], None]] = PLOTS) -> Iterator[Story]:
    """Endless stories with these plots, no two with the same text."""
    seen = set()
    while True:
        story = Story(rng)
        story.pick(plots)(story)
        story.close()
        if story.text not in seen and FEWEST_SENTENCES <= story.sentences <= MOST_SENTENCES:
            seen.add(story.text)
            yield story
