"""Stories of 3 to 12 sentences, with the facts that they tell and whom their pronouns mean."""

from collections.abc import Iterator
from random import Random

from seqbook.data.world.events import held_out
from seqbook.data.world.plots import PLOTS
from seqbook.data.world.story import Story

FEWEST_SENTENCES, MOST_SENTENCES = 3, 12


def examples(seed: int) -> Iterator[tuple[dict, bool]]:
    """Endless (row, whether it holds a held-out combination) pairs; no two rows have the same text."""
    for story in stories(Random(seed)):
        row = {"text": story.text, "facts": story.facts, "pronouns": story.pronouns}
        yield row, any(map(held_out, story.pairs))


def stories(rng: Random) -> Iterator[Story]:
    """Endless stories, no two with the same text."""
    seen = set()
    while True:
        story = Story(rng)
        story.pick(PLOTS)(story)
        story.close()
        if story.text not in seen and FEWEST_SENTENCES <= story.sentences <= MOST_SENTENCES:
            seen.add(story.text)
            yield story
