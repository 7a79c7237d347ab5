"""Tells deeds one after the other: who may be "she" by now, what is "it", which day it is, where a sentence ends."""

from dataclasses import dataclass
from random import Random

from seqbook.data.world import english, lexicon
from seqbook.data.world.draw import Draw
from seqbook.data.world.events import Event, Location, Phrase, held_out
from seqbook.data.world.lexicon import THEY
from seqbook.data.world.modifiers import Word
from seqbook.data.world.nouns import Noun, Pronoun
from seqbook.data.world.story_verbs import TOLD
from seqbook.data.world.town import Person, Spot, Thing

ITSELF = Pronoun("it", "it", "its", "", False, frozenset())
ORGS = [
    Noun(f"{town.en} {kind}", "", "", "", frozenset({"org", "at"}))
    for town in lexicon.TOWNS for kind in ("Hospital", "School", "Bank")
]  # fmt: skip
ENTITIES = {
    noun.en: kind
    for kind, nouns in [("PER", lexicon.NAMES), ("LOC", [*lexicon.TOWNS, *lexicon.STREETS]), ("ORG", ORGS)]
    for noun in nouns
}
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
PARTS = ("in the morning", "at noon", "in the afternoon", "in the evening")
LONGEST_WITHOUT_NAME = 2  # sentences in a row


@dataclass(slots=True)
class Deed:
    """A fact as it was told: its event, and persons and things rather than their names."""

    event: Event
    who: Person | Thing
    what: Thing | None
    whom: Person | None
    spot: Spot | None
    to: Noun | None


class Telling(Draw):
    """A text as it grows: `text`, its `facts`, its `pronouns` and its names."""

    def __init__(self, rng: Random) -> None:
        super().__init__(rng)
        self.text = ""
        self.facts: list[dict] = []
        self.deeds: list[Deed] = []  # what the facts tell, with those who take part
        self.spans: list[tuple[int, int]] = []  # of each sentence in the text
        self.entities: list[tuple[int, int, str]] = []  # start, end and kind of each name
        self.pronouns: list[dict] = []
        self.held_out: set[int] = set()  # the sentences that combine what is held out of training
        self.sentences = 0
        self.clauses: list[tuple[str, Event]] = []
        self.before: list[Person | Thing | Noun] = []
        self.now: list[Person | Thing | Noun] = []
        self.referents: dict[str, str] = {}
        self.unnamed: dict[Person, int] = {}
        self.part = -1
        self.subject: Person | Thing | None = None

    def tell(self, deed: str, who: Person | Thing, *, what: Thing | Phrase | None = None, whom: Person | None = None,
             spot: Spot | None = None, place: Location | None = None, to: Noun | None = None, join: str = "",
             when: Word | None = None, fact: dict | None = None, **parts) -> None:  # fmt: skip
        """Add a clause: a new sentence, or joined to the last one by "and" (same subject), "so", "but" or ",".

        A sentence that starts with "when" or "after" (`join`) is closed by the next clause, joined by ",".

        Raises:
            ValueError: "and" goes on with another subject.
        """
        if join in ("", "when", "after"):
            self.close()
        if join == "and" and self.subject is not who:
            raise ValueError(f'{who.key} isn\'t the subject that "and" goes on with')
        self.subject = who
        path = f"{len(self.clauses)}."
        event = Event(
            TOLD[deed],
            self.mention(who, path + "agent.") if join != "and" else Phrase(THEY if self.plural(who) else ITSELF),
            object=self.object(what, to, path),
            recipient=self.mention(whom, path + "recipient.") if whom else None,
            destination=spot.location if spot else place,
            gap="agent" if join == "and" else "",
            time=when,
            time_first=bool(when) and not join and self.chance(0.85),
            **parts,
        )
        if event.destination:
            self.now.append(event.destination.phrase.noun)
        self.clauses.append((join, event))
        self.note(deed, Deed(event, who, what if isinstance(what, Thing) else None, whom, spot, to), fact or {})

    def note(self, name: str, deed: Deed, changes: dict) -> None:
        """Keep what the clause says as a fact, with `changes` where its own words don't say it."""
        event, what, spot = deed.event, deed.what, deed.spot
        self.deeds.append(deed)
        self.facts.append({
            "sentence": self.sentences,
            "deed": name,
            "who": deed.who.key,
            "what": what.key if what else deed.to.en if deed.to else event.object.noun.en if event.object else "",
            "whom": deed.whom.key if deed.whom else "",
            "where": spot.key if spot else event.destination.phrase.noun.en if event.destination else "",
            "when": event.time.en if event.time else "",
        } | changes)  # fmt: skip
        if what:
            together = [f"{adjective.en} {what.key}" for adjective in event.object.adjectives] if event.object else []
            if spot:
                together += [f"{event.verb.forms[0]} {what.key}", f"{what.key} {spot.location.phrase.noun.en}"]
            if any(map(held_out, together)):
                self.held_out.add(self.sentences)

    @staticmethod
    def plural(who: Person | Thing) -> bool:
        """Whether more than one is meant."""
        return isinstance(who, Person) and who.pronoun is THEY

    def object(self, what: Thing | Phrase | None, to: Noun | None, path: str) -> Phrase | None:
        """What the deed is done to: a thing, a place, or a phrase as it stands."""
        if to:
            return Phrase(to, "" if to.classes & {"town", "street"} else "the")
        if isinstance(what, Thing):
            return self.mention(what, path + "object.")
        return what

    def mention(self, who: Person | Thing, path: str) -> Phrase:
        """Name or pronoun, whichever a reader would understand."""
        recent = {*self.before, *self.now}
        pronoun = self.pronoun(who, recent)
        if pronoun and (pronoun is ITSELF or who in self.now or self.chance(0.88)):
            self.referents[path + "noun"] = who.key
            self.unnamed[who] = self.unnamed.get(who, 0) + (who not in self.now)
            self.now.append(who)
            return Phrase(pronoun)
        self.unnamed[who] = 0
        self.now.append(who)
        if isinstance(who, Thing):
            return self.in_full(who, path, recent)
        if who.owner:
            return Phrase(who.noun, owner=self.owner(who.owner, path, recent))
        return Phrase(who.noun, who.determiner)

    def pronoun(self, who: Person | Thing, recent: set) -> Pronoun | None:
        """The pronoun that can mean nobody else, if there is one."""
        if who not in recent or (self.unnamed.get(who, 0) >= LONGEST_WITHOUT_NAME and who not in self.now):
            return None
        if isinstance(who, Thing):
            # In "took the key from the box and hid it" no reader thinks of the box.
            rivals = [o for o in self.now if isinstance(o, Thing)] if who in self.now else recent
            return None if any(isinstance(o, Thing | Noun) and o is not who for o in rivals) else ITSELF
        same = any(isinstance(o, Person) and o is not who and o.pronoun is who.pronoun for o in recent)
        return None if same else who.pronoun

    def owner(self, owner: Person, path: str, recent: set) -> Phrase:
        """Whose: her, Anna's."""
        if owner in recent and self.pronoun(owner, recent):
            self.referents[path + "owner.noun"] = owner.key
            return Phrase(owner.pronoun)
        self.now.append(owner)
        return Phrase(owner.noun, owner.determiner)

    def in_full(self, what: Thing, path: str, recent: set) -> Phrase:
        """A thing in full at its first mention, "the key" or "her key" later."""
        first, what.known = not what.known, True
        adjectives = what.adjectives if first or self.chance(0.12) else ()
        if (
            what.owner
            and not first
            and (what.owner not in self.now or self.pronoun(what.owner, recent))
            and self.chance(0.35)
        ):
            return Phrase(what.noun, owner=self.owner(what.owner, path, recent), adjectives=adjectives)
        return Phrase(what.noun, "a" if first else "the", adjectives=adjectives)

    def date(self) -> Word:
        """A later time than the last one told: on Monday morning, at noon, the next morning."""
        if self.part < 0:
            self.part = self.pick((0, 0, 1, 2))
            day, part = self.pick(DAYS), ("morning", "morning", "afternoon")[self.part]
            return Word(f"on {day} {part}" if self.chance(0.7) else f"on {day}", "")
        self.part += self.pick((1, 1, 2))
        if self.part < len(PARTS):
            return Word(PARTS[self.part], "")
        self.part = 0
        return Word("the next morning", "")

    def close(self) -> None:
        """End the sentence, if one is begun."""
        if not self.clauses:
            return
        words: english.Tagged = []
        for i, (join, event) in enumerate(self.clauses):
            if join == ",":
                words.append((",", ""))
            elif join:
                words += [(",", "")] if join in ("but", "so", "and then") else []
                words.append((join, ""))
            words += english.clause(event, f"{i}.")
        self.add(words)
        self.clauses, self.before, self.now = [], self.now, []
        self.sentences += 1

    def add(self, words: english.Tagged) -> None:
        """Append a sentence to the text, and note where its pronouns stand."""
        text = self.text + (" " if self.text else "")
        start = len(text)
        for i, (word, tag) in enumerate(english.capital(words)):
            if i and word[0] not in ",'":
                text += " "
            if tag in self.referents:
                self.pronouns.append({"start": len(text), "text": word, "refers_to": self.referents[tag]})
            if word in ENTITIES:
                self.entities.append((len(text), len(text) + len(word), ENTITIES[word]))
            text += word
        self.text = text + "."
        self.spans.append((start, len(self.text)))
        self.referents.clear()
