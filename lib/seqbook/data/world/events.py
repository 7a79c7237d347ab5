"""Who did what to whom, where, when and why: the truth that every text of the town is written from."""

from collections.abc import Iterator
from dataclasses import dataclass
from zlib import crc32

from seqbook.data.world.modifiers import DEFINITE, PLURAL, Modal, Word
from seqbook.data.world.nouns import Adjective, Noun, Pronoun
from seqbook.data.world.verbs import Verb


@dataclass(frozen=True, slots=True)
class Phrase:
    """A mention of somebody or something: "Anna's two old coats that Ben washed"."""

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
        """Whether the hearer knows which one is meant."""
        return self.owner is not None or self.determiner in DEFINITE


@dataclass(frozen=True, slots=True)
class Location:
    """Where: a preposition in English and, in Chinese, what follows the place (桌子 上)."""

    preposition: Word
    phrase: Phrase


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, holds or is asked about; `gap` is the part that a relative clause leaves out."""

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


@dataclass(frozen=True, slots=True)
class Sentence:
    """One to three events: a main one, one that explains or times it, and one that is added ("but …", "and then …").

    `link` joins `side` to `main` ("because"); `side_first` is where English puts it. `asks` is "" in a statement, else what
    is asked for: "whether", "agent", "object", "place", "time" or "reason".
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
    def events(self) -> Iterator[Event]:
        """The events in the order main, side, added, each followed by those told inside it."""
        for event in (self.main, self.side, self.added):
            if event:
                yield from inside(event)


def inside(event: Event) -> Iterator[Event]:
    """The event and those in its relative clauses and reported content."""
    yield event
    if event.content:
        yield from inside(event.content)
    for phrase in phrases(event):
        if phrase.relative:
            yield from inside(phrase.relative)


def phrases(event: Event) -> Iterator[Phrase]:
    """All mentions in an event, outside reported content and relative clauses."""
    at = [location.phrase for location in (event.destination, event.place) if location]
    for phrase in (event.agent, event.object, event.recipient, *at):
        while phrase:
            yield phrase
            if phrase.owner:
                yield phrase.owner
            phrase = phrase.other


def combinations(sentence: Sentence) -> Iterator[str]:
    """The pairs of content words that make up a sentence: "verb noun", "adjective noun" and "adjective kind"."""
    for event in sentence.events:
        if event.object and "name" not in event.object.noun.classes:
            yield f"{event.verb.forms[0]} {event.object.noun.en}"
        if event.quality and event.agent and event.degree:
            yield f"{event.degree.en} {event.quality.en}"
        for phrase in phrases(event):
            for adjective in phrase.adjectives:
                yield f"{adjective.en} {phrase.noun.en}"


HELD_OUT_PERCENT = 5
SALT = 25  # one under which no word loses all of its partners


def held_out(combination: str) -> bool:
    """Whether this pair of words is kept for the compositional split; the same in every process and for every seed."""
    return crc32(f"{combination}/{SALT}".encode()) % 100 < HELD_OUT_PERCENT
