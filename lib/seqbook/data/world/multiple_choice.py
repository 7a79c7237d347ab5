"""Which of four endings fits a story: where a thing or a person was in the end, after all that moved."""

from collections.abc import Iterator
from random import Random

from seqbook.data.world.incidents import bystander
from seqbook.data.world.plots import gift, kept, loan
from seqbook.data.world.stories import stories
from seqbook.data.world.story import NOUN, Story, place_of
from seqbook.data.world.town import Person

CHOICES = 4
BYSTANDERS = 0.6
ARRIVING = {"go", "go back", "be at", "meet"}


def examples(seed: int) -> Iterator[tuple[dict, bool]]:
    """Endless (row, whether it holds a held-out combination) pairs; no two rows have the same context."""
    for story in stories(Random(seed), (moves,)):
        options = [ending for ending in endings(story) if len(ending[2]) >= CHOICES - 1]
        if options:
            start, right, wrong = story.pick(options)
            choices = story.rng.sample(wrong, CHOICES - 1)
            label = int(story.rng.random() * CHOICES)
            choices.insert(label, right)
            row = {"context": story.text, "choices": [f"{start} {choice}." for choice in choices], "label": label}
            yield row, bool(story.held_out)


def moves(story: Story) -> None:
    """A plot in which things change their places, mostly with one more person and thing to keep apart."""
    if story.chance(BYSTANDERS):
        bystander(story)
    story.pick((kept, kept, kept, gift, loan))(story)


def endings(story: Story) -> Iterator[tuple[str, str, list[str]]]:
    """The beginning of an ending, its true continuation and the false ones, all of them mentioned in the story."""
    people = [person for deed in story.deeds for person in (deed.who, deed.whom) if isinstance(person, Person)]
    with_people = {person: f"with {person.key}" for person in people}
    spots = list(dict.fromkeys(deed.spot.key for deed in story.deeds if deed.spot))
    for thing in [*story.town.spot, *story.town.holder]:
        holder = story.town.holder.get(thing)
        right = with_people[holder] if holder else story.town.spot[thing].key
        others = [*spots, *with_people.values()]
        yield f"In the end, the {thing.key} was", right, [other for other in others if other != right]
    places, at = told_places(story)
    for person, place in at.items():
        yield f"In the end, {person} was", place, [other for other in places if other != place]


def told_places(story: Story) -> tuple[list[str], dict[str, str]]:
    """All places that the story goes to, as "in the park", and where it leaves each person."""
    places, at = {}, {}
    for fact in story.facts:
        if fact["deed"] in ARRIVING:
            location = place_of(NOUN[fact["where"]])
            where = f"{location.preposition.en} the {fact['where']}"
            places[where] = None
            for person in filter(None, (fact["who"], fact["whom"])):
                at[person] = where
    return list(places), at
