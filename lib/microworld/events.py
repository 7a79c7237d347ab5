"""Events: who did what to whom, where, when and why. All texts are realized from events."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import Self
from zlib import crc32

from microworld.words.adjectives import Adjective
from microworld.words.modifiers import AT, DEFINITE, IN, ON, PLURAL, Modal, Word
from microworld.words.nouns import Noun, Pronoun
from microworld.words.verbs import Verb


class Part:
    """A part of a sentence. It must not be changed after its creation; freezing it would make it much slower."""

    __slots__ = ()

    def but(self, **changes: object) -> Self:
        """A copy with changes, like `dataclasses.replace`, but several times faster."""
        copy = type(self)(*_values(type(self))(self))
        for name, value in changes.items():
            setattr(copy, name, value)
        return copy


@cache
def _values(part: type[Part]) -> Callable[[Part], tuple]:
    """A function that reads the values of all fields."""
    return attrgetter(*part.__slots__)


@dataclass(slots=True)
class Phrase(Part):
    """A noun phrase: "Anna's two old coats that Ben washed"."""

    noun: Noun | Pronoun
    determiner: str = ""
    owner: "Phrase | None" = None
    adjectives: tuple[Adjective, ...] = ()
    relative: "Event | None" = None
    other: "Phrase | None" = None  # joined by "and"

    @property
    def plural(self) -> bool:
        """Whether English takes the plural verb."""
        counted = self.determiner in PLURAL and "mass" not in self.noun.classes
        return bool(self.other) or counted or (isinstance(self.noun, Pronoun) and self.noun.plural)

    @property
    def definite(self) -> bool:
        """Whether the noun phrase is definite."""
        return self.owner is not None or self.determiner in DEFINITE


@dataclass(slots=True)
class Location(Part):
    """A prepositional phrase: in English a preposition, in Chinese a word that follows the noun (桌子 上)."""

    preposition: Word
    phrase: Phrase


@cache
def place_of(noun: Noun) -> Location:
    """In the park, at the station, on the hill, in Oxford."""
    preposition = IN if "in" in noun.classes else ON if "on" in noun.classes else AT
    return Location(preposition, Phrase(noun, "" if noun.classes & {"town", "street", "org"} else "the"))


@dataclass(slots=True)
class Event(Part):
    """One clause: something that happened, holds or is asked about. `gap` is the role that a relative clause leaves out."""

    verb: Verb
    agent: Phrase | None
    tense: str = "past"
    negated: bool = False
    modal: Modal | None = None
    object: Phrase | None = None
    recipient: Phrase | None = None
    destination: Location | None = None
    content: "Event | None" = None
    quality: Adjective | None = None
    degree: Word | None = None
    place: Location | None = None
    time: Word | None = None
    time_first: bool = False
    frequency: Word | None = None
    manner: Word | None = None
    gap: str = ""

    @property
    def kind(self) -> str:
        """What kind of event this is: "giving", "weather"."""
        return self.verb.kind


@dataclass(slots=True)
class Sentence(Part):
    """One to three events: a main clause, a subordinate clause, and a coordinate clause ("but …", "and then …").

    Args:
        link: the conjunction of the subordinate clause `side` ("because").
        side_first: whether English puts the subordinate clause before the main clause.
        joint: the conjunction of the coordinate clause `added`.
        asks: "" in a statement; in a question "whether", "agent", "object", "place", "time" or "reason".
    """

    main: Event
    link: str = ""
    side: Event | None = None
    side_first: bool = False
    joint: str = ""
    added: Event | None = None
    asks: str = ""
    passive: bool = False

    @property
    def events(self) -> list[Event]:
        """All events, in the order main, side, added, each followed by the events embedded in it."""
        found = inside(self.main)
        if self.side:
            found += inside(self.side)
        if self.added:
            found += inside(self.added)
        return found


def inside(event: Event) -> list[Event]:
    """The event and those in its relative clauses and reported content."""
    found = [event]
    if event.content:
        found += inside(event.content)
    for phrase in phrases(event):
        if phrase.relative:
            found += inside(phrase.relative)
    return found


def phrases(event: Event) -> list[Phrase]:
    """All noun phrases of an event, without those of reported content and relative clauses."""
    found = []
    at = [location.phrase for location in (event.destination, event.place) if location]
    for phrase in (event.agent, event.object, event.recipient, *at):
        while phrase:
            found.append(phrase)
            if phrase.owner:
                found.append(phrase.owner)
            phrase = phrase.other
    return found


def combinations(sentence: Sentence) -> list[str]:
    """The pairs of content words that a sentence combines: "verb noun", "adjective noun" and "degree adjective"."""
    found = []
    for event in sentence.events:
        if event.object and "name" not in event.object.noun.classes:
            found.append(f"{event.verb.forms[0]} {event.object.noun.en}")
        if event.quality and event.agent and event.degree:
            found.append(f"{event.degree.en} {event.quality.en}")
        for phrase in phrases(event):
            found += [f"{adjective.en} {phrase.noun.en}" for adjective in phrase.adjectives]
    return found


HELD_OUT_PERCENT = 5
SALT = 25  # with this salt, every word keeps some of its partners in training


@cache
def held_out(combination: str) -> bool:
    """Whether this pair of words is reserved for the compositional split. Does not depend on the process or the seed."""
    return crc32(f"{combination}/{SALT}".encode()) % 100 < HELD_OUT_PERCENT
