"""The sentences that a story can contain. This grammar is learned from generated stories, so no rule is written twice.

A *frame* is a sentence without its noun phrases: "~, _ went to _ and put _ @." (~ is a time, @ a place). A sentence is
grammatical if the generator uses its frame and, for each verb and role, noun phrases of this form ("an old hat", "her
hat", "she") with this noun. Names are interchangeable, and so are towns and streets.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import NamedTuple

from microworld.draw.dice import Dice
from microworld.events import Event
from microworld.story.incidents import STUDIED
from microworld.story.plots import PLOTS, stories
from microworld.story.story import ADJECTIVES, PRIZES, Story
from microworld.story.telling import DAYS, PARTS
from microworld.story.town import Person
from microworld.words.names import NAMES, ORGS, STREETS, TOWNS
from microworld.words.nouns import Noun, Pronoun
from microworld.words.people import HE, ITSELF, JOBS, KIN, PEOPLE, SHE, THEY
from microworld.words.selection import ADJECTIVES_OF
from microworld.words.things import PLACES, THINGS

LEARNED_FROM = (
    6_000  # stories, in 2 seconds: the rarest frame occurs once in about 700, and later stories have no new one
)
KINDS: dict[str, list[Noun]] = {
    "name": NAMES, "town": TOWNS, "street": STREETS, "org": ORGS, "thing": [*THINGS, *PRIZES],
    "place": PLACES, "person": [*JOBS, *PEOPLE], "kin": KIN, "subject": [*STUDIED.values()],
}  # fmt: skip
# The kind of each word and the noun.
NOUNS = {noun.en: (kind, noun) for kind, nouns in KINDS.items() for noun in nouns}
PLURALS = {noun.plural: ("people", noun) for noun in KINDS["person"]}
PRONOUNS = {word: ("pronoun", p) for p in (HE, SHE, THEY, ITSELF) for word in (p.en, p.objective)}
OWNERS = {p.possessive: p for p in (HE, SHE)}


def _any(words: Iterable[str]) -> str:
    """A pattern that matches any of the words, the longest first."""
    return "(?:" + "|".join(sorted(words, key=len, reverse=True)) + ")"


NAME = _any(noun.en for noun in NAMES)
STARTS_WITH_NAME = re.compile(rf"{NAME}\b")
PHRASE = re.compile(
    rf"\b(?:(?P<time>on {_any(DAYS)}(?: morning| afternoon)?|{_any(PARTS)}|the next morning)"
    r"|(?:(?P<preposition>in|on|at|under|behind|from) )?"
    rf"(?:(?P<owner>{_any(OWNERS)}|{NAME}'s) |(?P<determiner>an?|(?:the )?(?:two|three)|the) )?"
    rf"(?:(?P<measure>{_any(n.unit[0] for n in THINGS if n.unit)}) of )?"
    rf"(?:(?P<adjective>{_any(ADJECTIVES)}) )?(?P<noun>{_any(NOUNS.keys() | PLURALS.keys())})"
    rf"|(?P<pronoun>{_any(PRONOUNS)}))(?![\w'])"
)


class Mention(NamedTuple):
    """A phrase of a sentence: a time, a noun phrase or a place ("at noon", "Anna's old key", "her", "in the drawer")."""

    kind: str
    word: str
    noun: Noun | Pronoun | None = None
    determiner: str = ""
    owner: str = ""
    adjective: str = ""
    preposition: str = ""

    @property
    def key(self) -> str:
        """The name of a person in the facts: Anna, the baker, the two tourists."""
        if self.kind == "name":
            return self.word
        number = self.determiner.removeprefix("the").strip()
        return f"the {number} {self.word}" if number else f"the {self.word}"

    @property
    def forms(self) -> Iterator[tuple]:
        """The form of the phrase: its kind and determiner, and whether its adjective fits its noun."""
        yield self.kind, self.determiner, bool(self.owner)
        if self.adjective:
            yield self.kind, self.adjective in {a.en for a in ADJECTIVES_OF.get(self.noun, ())}

    @property
    def meaning(self) -> str:
        """The phrase's noun, as far as it matters: for names, towns and streets only the kind."""
        if self.kind in ("name", "town", "street", "time", "kin"):
            return f"{self.preposition} {self.kind}"
        return f"{self.preposition} {self.word.split()[-1]}"


class Clause(NamedTuple):
    """A parsed clause: its deed and the phrase of each role."""

    deed: str
    parts: dict[str, Mention]


class Frame(NamedTuple):
    """The meaning of a frame: its deeds and, for each phrase, the index of its deed and its role."""

    deeds: tuple[str, ...]
    roles: tuple[tuple[int, str], ...]


@dataclass
class Grammar:
    """What was learned: frames and, for each deed and role, the forms and the meanings of phrases.

    Attributes:
        introduced: (deed, role, kind) in which a story can mention a person of a kind for the first time.
        places: for each deed, the places where it is done to a thing ("kitchen" for cook).
    """

    frames: dict[str, Frame] = field(default_factory=dict)
    forms: dict[tuple[str, str], set[tuple]] = field(default_factory=lambda: defaultdict(set))
    meanings: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    introduced: set[tuple[str, str, str]] = field(default_factory=set)
    places: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def learn(self, story: Story) -> None:
        """Learn from every sentence of a story."""
        deeds: list[list] = [[] for _ in story.text.spans]
        known, place = set(), {}
        for fact, deed in zip(story.telling.facts, story.telling.deeds, strict=True):
            if fact["deed"] in ("go", "go back", "be at", "meet"):
                place[deed.who] = place[deed.whom] = fact["where"]
            elif deed.who in place and deed.what:
                self.places[fact["deed"]].add(place[deed.who])
            deeds[fact["sentence"]].append((fact["deed"], deed.event))
            for person, role in ((deed.who, "agent"), (deed.whom, "recipient")):
                if isinstance(person, Person) and person not in known:
                    known.add(person)
                    self.introduced.add((fact["deed"], role, NOUNS[person.noun.en][0]))
        for (start, end), told in zip(story.text.spans, deeds, strict=True):
            frame, mentions = take_apart(story.text.string[start:end])
            names, events = zip(*told, strict=True)
            where = tuple((i, role) for i, event in enumerate(events) for role in roles(event))
            self.frames[frame] = Frame(names, where)
            if frame.startswith("~"):  # a time can also come last, but rarely does
                head, rest = re.match(r"~, (.*?)((?: and|,|\.).*)", frame).groups()
                last = sum(i == 0 for i, _ in where)
                self.frames[f"{head} ~{rest}"] = Frame(names, where[1:last] + where[:1] + where[last:])
            for (i, role), mention in zip(where, mentions, strict=True):
                self.forms[_like(names[i]), role].update(mention.forms)
                self.meanings[_like(names[i]), role].add(mention.meaning)

    def parse(self, sentence: str) -> list[Clause]:
        """The clauses of a sentence, in order; empty if it is not grammatical."""
        text, mentions = take_apart(sentence)
        frame = self.frames.get(text)
        if not frame or not sentence[0].isupper():
            return []
        clauses = [Clause(deed, {}) for deed in frame.deeds]
        for (i, role), mention in zip(frame.roles, mentions, strict=True):
            place = _like(clauses[i].deed), role
            if not self.forms[place].issuperset(mention.forms) or mention.meaning not in self.meanings[place]:
                return []
            clauses[i].parts[role] = mention
        return clauses


def take_apart(sentence: str) -> tuple[str, list[Mention]]:
    """The frame of a sentence, and the phrases that were in it."""
    if not STARTS_WITH_NAME.match(sentence):
        sentence = sentence[:1].lower() + sentence[1:]
    mentions = []

    def take(found: re.Match) -> str:
        mentions.append(_mention(*found.groups("")))
        return "~" if found["time"] else "@" if found["preposition"] else "_"

    return PHRASE.sub(take, sentence), mentions


@cache
def _mention(time: str, preposition: str, owner: str, determiner: str, measure: str, adjective: str, word: str,
             pronoun: str) -> Mention:  # fmt: skip
    """The phrase whose parts PHRASE found; its determiner is "a/an" if article and measure are right."""
    if time:
        return Mention("time", time)
    kind, noun = PRONOUNS.get(pronoun) or NOUNS.get(word) or PLURALS[word]
    article = "an" if (measure or adjective or word)[:1] in [*"aeiou"] else "a"
    if determiner == article and measure == (noun.unit or [""])[0]:
        determiner = "a/an"
    return Mention(kind, word or pronoun, noun, determiner, owner.removesuffix("'s"), adjective, preposition)


def _like(deed: str) -> str:
    """The deed with the same grammar: "put" for "leave", because stories choose between them at random."""
    return "put" if deed == "leave" else deed


def roles(event: Event) -> Iterator[str]:
    """The roles of an event's phrases, in the order of English."""
    if event.time and event.time_first:
        yield "time"
    if event.gap != "agent" and event.agent.relative:
        yield "antecedent"
        yield from (f"relative {role}" for role in roles(event.agent.relative))
    elif event.gap != "agent":
        yield "agent"
    for slot, _ in event.verb.en:
        if slot == "C":
            yield from (f"said {role}" for role in roles(event.content))
        elif slot in "ORD":
            yield {"O": "object", "R": "recipient", "D": "destination"}[slot]
    if event.time and not event.time_first:
        yield "time"


@cache
def grammar() -> Grammar:
    """The grammar of all stories; learned in seconds, and the same in every process."""
    learned = Grammar()
    for story in islice(stories(Dice(0), sorted(set(PLOTS), key=lambda plot: plot.__name__)), LEARNED_FROM):
        learned.learn(story)
    return learned
