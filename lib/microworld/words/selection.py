"""Selectional restrictions: which adjectives can modify a noun, which nouns can be the object of a verb."""

from microworld.words.adjectives import ADJECTIVES, Adjective
from microworld.words.names import RIVERS, STREETS, TOWNS
from microworld.words.nouns import Noun
from microworld.words.people import JOBS, KIN, PEOPLE
from microworld.words.things import PLACES, SPORTS, SUBJECTS, THINGS
from microworld.words.verbs import VERBS, Verb

_GROUP = {noun: {"person"} for noun in [*JOBS, *PEOPLE, *KIN]} | {noun: {"place"} for noun in PLACES}
# Nobody is introduced as "the poor fish"; adjectives of feeling and age do not modify words that already imply them.
_ODD = {("old", "boy"), ("old", "girl"), ("old", "child"), ("old", "son"), ("old", "daughter"), ("patient", "patient"),
        ("young", "child"), ("young", "boy"), ("young", "girl"), ("young", "grandmother"), ("young", "grandfather"),
        ("poor", "mayor"), ("new", "castle")}  # fmt: skip
ADJECTIVES_OF: dict[Noun, list[Adjective]] = {
    noun: [
        a for a in ADJECTIVES
        if a.classes & (noun.classes | _GROUP.get(noun, set())) and (a.en, noun.en) not in _ODD
    ]
    for noun in [*THINGS, *JOBS, *PEOPLE, *KIN, *PLACES]
}  # fmt: skip

_WITH_CLASS: dict[str, list[Noun]] = {"place": list(PLACES)}
for _noun in [*THINGS, *PLACES, *TOWNS, *STREETS, *RIVERS, *SPORTS, *SUBJECTS]:
    for _class in _noun.classes:
        _WITH_CLASS.setdefault(_class, []).append(_noun)
OBJECTS: dict[Verb, list[Noun]] = {
    verb: list({noun.en: noun for name in sorted(verb.objects) for noun in _WITH_CLASS.get(name, [])}.values())
    for verb in VERBS
}
