"""The state of the town: what can happen in it."""

import pytest

from microworld.story.town import Person, Thing, Town
from microworld.words import names, people, things


@pytest.fixture
def town():
    """Anna holds a key in the park; Ben isn't there; a map lies in a drawer of the kitchen."""
    place = {noun.en: noun for noun in things.PLACES}
    anna, ben = (Person(noun, people.SHE) for noun in names.NAMES[:2])
    key = Thing(things.THINGS[1])
    built = Town()
    built.go(anna, place["park"])
    built.go(ben, place["kitchen"])
    built.get(anna, key)
    return built, anna, ben, key, place


@pytest.mark.parametrize("deed", ["go", "get", "give", "take", "lose", "meets"])
def test_a_town_refuses_what_can_not_happen(town, deed):
    built, anna, ben, key, place = town
    arguments = {
        "go": (anna, place["park"]), "get": (ben, key), "give": (anna, key, ben), "take": (ben, key), "lose": (ben, key),
        "meets": (anna, ben),
    }[deed]  # fmt: skip
    with pytest.raises(ValueError, match=r"key|park|same place"):
        getattr(built, deed)(*arguments)
