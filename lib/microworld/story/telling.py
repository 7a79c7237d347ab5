"""Tells a story clause by clause, with the ends of sentences, the times, and the fact that each clause states."""

from dataclasses import dataclass

from microworld.draw.dice import Dice
from microworld.events import Event, Location, Phrase, held_out, place_of
from microworld.story.referring import Referring
from microworld.story.text import Clauses, Text
from microworld.story.town import Person, Spot, Thing
from microworld.words.modifiers import Word
from microworld.words.nouns import Noun
from microworld.words.people import ITSELF, THEY
from microworld.words.story_verbs import TOLD

DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_PLURAL, _SINGULAR = Phrase(THEY), Phrase(ITSELF)  # a subject that is left out
PARTS = ("in the morning", "at noon", "in the afternoon", "in the evening")  # of a day


@dataclass(slots=True)
class Deed:
    """The content of a fact: its event, and the persons and things that take part."""

    event: Event
    who: Person | Thing
    what: Thing | None = None
    whom: Person | None = None
    spot: Spot | None = None
    to: Noun | None = None


class Telling:
    """A story while it is told.

    Attributes:
        facts: one row for each clause: what it states, as text.
        deeds: the same as objects.
        sentences: the number of sentences that have ended.
        held_out: the sentences (by number) with a combination that is held out of training.
    """

    def __init__(self, rng: Dice) -> None:
        self.rng = rng
        self.referring = Referring(rng)
        self.facts: list[dict] = []
        self.deeds: list[Deed] = []
        self.held_out: set[int] = set()
        self.sentences = 0
        self._ended: list[tuple[Clauses, dict[str, str]]] = []  # sentences, with the referents of their pronouns
        self._clauses: Clauses = []
        self._part = -1  # of the day; -1 before the first time
        self._subject: Person | Thing | None = None

    def tell(self, deed: str, who: Person | Thing, *, what: Thing | Phrase | None = None, whom: Person | None = None,
             spot: Spot | None = None, place: Location | None = None, to: Noun | None = None, join: str = "",
             when: Word | None = None, fact: dict | None = None, **parts) -> None:  # fmt: skip
        """Add a clause and the fact that it states.

        Args:
            deed: the name of a verb in `TOLD`.
            who, what, whom: the subject, the object and the other person.
            spot, place, to: where a thing is put, where the clause happens, where somebody goes.
            join: "" begins a new sentence, and so do "when" and "after", to which the next clause is joined by ",".
                "and" (with the same subject), "so" and "but" continue a sentence.
            when: the time.
            fact: columns of the fact that differ from what the clause says.
            parts: further roles of the event.

        Raises:
            ValueError: `join` is "and", and the subject isn't that of the last clause.
        """
        if join in ("", "when", "after"):
            self.close()
        if join == "and" and self._subject is not who:
            raise ValueError(f'{who.key} isn\'t the subject that "and" goes on with')
        self._subject = who
        referring, path = self.referring, f"{len(self._clauses)}."
        if join == "and":  # the subject is not repeated, and only its number matters
            agent = _PLURAL if isinstance(who, Person) and who.pronoun is THEY else _SINGULAR
        else:
            agent = referring.mention(who, path + "agent.")
        thing = what if isinstance(what, Thing) else None
        event = Event(
            TOLD[deed],
            agent,
            object=place_of(to).phrase if to else referring.mention(thing, path + "object.") if thing else what,
            recipient=referring.mention(whom, path + "recipient.") if whom else None,
            destination=spot.location if spot else place,
            gap="agent" if join == "and" else "",
            time=when,
            time_first=bool(when) and not join and self.rng.chance(0.85),
            **parts,
        )
        if event.destination:
            referring.now.append(event.destination.phrase.noun)
        self._clauses.append((join, event))
        self._note(deed, Deed(event, who, thing, whom, spot, to), fact or {})

    def tell_at_once(self, name: str, who: Person, event: Event, fact: dict) -> None:
        """Add an event, with its noun phrases as they are, that begins a new sentence."""
        self.close()
        self._clauses.append(("", event))
        self._note(name, Deed(event, who), fact)

    def _note(self, name: str, deed: Deed, changes: dict) -> None:
        """Store the fact, and whether its sentence has a held-out combination."""
        event, what, spot = deed.event, deed.what, deed.spot
        fact = {
            "sentence": self.sentences,
            "deed": name,
            "who": deed.who.key,
            "what": what.key if what else deed.to.en if deed.to else event.object.noun.en if event.object else "",
            "whom": deed.whom.key if deed.whom else "",
            "where": spot.key if spot else event.destination.phrase.noun.en if event.destination else "",
            "when": event.time.en if event.time else "",
        }  # fmt: skip
        self.deeds.append(deed)
        self.facts.append(fact | changes if changes else fact)
        if what:
            together = [f"{adjective.en} {what.key}" for adjective in event.object.adjectives] if event.object else []
            if spot:
                together += [f"{event.verb.forms[0]} {what.key}", f"{what.key} {spot.location.phrase.noun.en}"]
            if any(map(held_out, together)):
                self.held_out.add(self.sentences)

    def date(self) -> Word:
        """A time later than the last one: on Monday morning, at noon, the next morning."""
        rng = self.rng
        if self._part < 0:
            self._part = rng.pick((0, 0, 1, 2))
            day, part = rng.pick(DAYS), ("morning", "morning", "afternoon")[self._part]
            return Word(f"on {day} {part}" if rng.chance(0.7) else f"on {day}", "")
        self._part += rng.pick((1, 1, 2))
        if self._part < len(PARTS):
            return Word(PARTS[self._part], "")
        self._part = 0
        return Word("the next morning", "")

    def close(self) -> None:
        """End the current sentence, if there is one."""
        if self._clauses:
            self._ended.append((self._clauses, self.referring.referents))
            self._clauses = []
            self.referring.next_sentence()
            self.sentences += 1

    def text(self) -> Text:
        """Realize the sentences that have ended."""
        return Text(self._ended)
