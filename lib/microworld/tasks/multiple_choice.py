"""Which of four endings fits a story? An ending says where a thing or a person was at the end of the story."""

from collections.abc import Iterator

from microworld.draw.dice import Dice
from microworld.events import place_of
from microworld.story.incidents import bystander
from microworld.story.plots import gift, kept, loan, told
from microworld.story.story import NOUN, Story
from microworld.story.town import Person

CHOICES = 4
BYSTANDERS = 0.6  # of the stories have one more person and thing as distractors
ARRIVING = {"go", "go back", "be at", "meet"}


def examples(seed: int) -> Iterator[tuple[dict, bool]]:
    """Yield (row, whether it has a held-out combination) without end; no two rows have the same context."""
    seen = set()
    for story in told(Dice(seed), (moves,)):
        options = [ending for ending in endings(story) if len(ending[2]) >= CHOICES - 1]
        if options and story.text.string not in seen:
            seen.add(story.text.string)
            start, right, wrong = story.rng.pick(options)
            choices = story.rng.sample(wrong, CHOICES - 1)
            label = story.rng.pick(range(CHOICES))
            choices.insert(label, right)
            row = {
                "context": story.text.string,
                "choices": [f"{start} {choice}." for choice in choices],
                "label": label,
            }
            yield row, bool(story.telling.held_out)


def moves(story: Story) -> None:
    """A plot in which things are moved."""
    if story.rng.chance(BYSTANDERS):
        bystander(story)
    story.rng.pick((kept, kept, kept, gift, loan))(story)


def endings(story: Story) -> Iterator[tuple[str, str, list[str]]]:
    """Yield (beginning of an ending, its true continuation, false continuations); the story mentions all of them."""
    deeds, town = story.telling.deeds, story.town
    people = dict.fromkeys(one for deed in deeds for one in (deed.who, deed.whom) if isinstance(one, Person))
    with_people = {person: f"with {person.key}" for person in people}
    spots = dict.fromkeys(deed.spot.key for deed in deeds if deed.spot)
    for thing in [*town.spot, *town.holder]:
        right = with_people[town.holder[thing]] if thing in town.holder else town.spot[thing].key
        wrong = [other for other in (*spots, *with_people.values()) if other != right]
        yield f"In the end, the {thing.key} was", right, wrong
    places, at = told_places(story)
    for person, place in at.items():
        yield f"In the end, {person} was", place, [other for other in places if other != place]


def told_places(story: Story) -> tuple[list[str], dict[str, str]]:
    """All places that people go to ("in the park"), and where each person is in the end."""
    places, at = {}, {}
    for fact in story.telling.facts:
        if fact["deed"] in ARRIVING:
            where = f"{place_of(NOUN[fact['where']]).preposition.en} the {fact['where']}"
            places[where] = None
            for person in filter(None, (fact["who"], fact["whom"])):
                at[person] = where
    return list(places), at
