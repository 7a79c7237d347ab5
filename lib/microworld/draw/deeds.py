"""Draws deeds: who does what to whom, in the past, the present or the future."""

from itertools import accumulate

from microworld.draw.dice import Dice
from microworld.draw.phrases import Phrases, RelativeClause
from microworld.events import Event, Phrase
from microworld.words.modifiers import FREQUENCIES, FUTURE_TIMES, HABITS, MANNERS, MODALS, NOW, PAST_TIMES
from microworld.words.nouns import Noun
from microworld.words.people import HE, JOBS, ME, PEOPLE, THEY
from microworld.words.selection import OBJECTS
from microworld.words.things import THINGS
from microworld.words.verbs import VERBS, Verb

ACCIDENTAL = {"finding", "losing", "breaking", "meeting", "seeing"}  # never in progress, never planned, never requested
_SPEECH = {"telling", "saying", "thinking", "knowing"}
_CREATING = {"building", "writing", "cooking", "planting"}
_MOVING = {"giving", "sending", "selling", "lending", "buying", "borrowing", "putting", "hiding", "leaving"}
_HANDLING = {"finding", "losing", "repairing", "washing", "writing", "painting", "planting", "building"}
_WEIGHTS = list(accumulate(verb.weight for verb in VERBS))
_HEALERS = [job for job in JOBS if "healer" in job.classes]
_PATIENT = next(noun for noun in PEOPLE if noun.en == "patient")
_TREAT = next(v for v in VERBS if v.kind == "treating")
# Of a person: what they were seen doing, what they were asked to do.
_SEEN = [
    v for v in VERBS
    if not v.state and v.en[-1][0] not in "IGC" and v.kind not in ACCIDENTAL and "person" in v.agents
]  # fmt: skip
_ASKED_FOR = [v for v in _SEEN if v.kind not in ("stealing", "crying")]
# The verbs of relative clauses: who visited Oxford; that Anna repaired.
_OF_AGENTS = [
    v for v in VERBS
    if (not v.state or v.kind in ("living", "wearing")) and v.en[-1][0] not in "CIG" and "healer" not in v.agents
]  # fmt: skip
_OF_OBJECTS = {
    noun: [v for v in VERBS if noun in OBJECTS[v] and not v.state and v.kind in _MOVING | _HANDLING] for noun in THINGS
}


class Deeds:
    """Draws events in which somebody does something, and relative clauses about another deed."""

    def __init__(self, rng: Dice) -> None:
        self.rng = rng
        self.phrases = Phrases(rng)

    def deed(self, era: str, *, agent: Phrase | None = None, simple: bool = False, told: bool = False,
             reported: bool = True) -> Event:  # fmt: skip
        """Somebody does something.

        Args:
            era: "past", "present", "future" or "was" (in progress in the past).
            agent: who does it; None to draw somebody.
            simple: whether to keep to plain tenses.
            told: like `simple`, and also without place and time.
            reported: whether verbs that report what was said or thought are allowed.
        """
        rng, detail = self.rng, self.phrases.detail
        verb = self._verb(era, simple or told, reported and not told)
        event = self.complete(verb, agent or self.agent(verb))
        plain = {"tense": era if era in ("was", "future") else "past"}
        changes = plain if simple or told else self._tense(verb, era)
        closed = self.closed(event)
        if not told and not closed:
            changes |= self._circumstances(event, changes)
        elif not told and rng.chance(0.3) and era == "past" and changes["tense"] == "past":
            changes |= {"time": rng.pick(PAST_TIMES), "time_first": True}
        if closed and changes["tense"] == "present" and not verb.state and "modal" not in changes:
            changes["frequency"] = changes.get("frequency") or rng.pick(FREQUENCIES)
        if changes["tense"] == "before" and closed:
            changes["tense"] = "never"
        simple = changes["tense"] in ("past", "was", "progressive", "future") and "modal" not in changes
        if verb.manners and simple and not changes.get("negated") and rng.chance(0.35 * detail):
            changes["manner"] = rng.pick([m for m in MANNERS if m.en in verb.manners])
        return event.but(**changes)

    def _verb(self, era: str, simple: bool, reported: bool) -> Verb:
        while True:
            (verb,) = self.rng.choices(VERBS, cum_weights=_WEIGHTS)
            reports = verb.kind in _SPEECH and verb.en[-1][0] == "C"
            if not (
                (reports and (not reported or era != "past"))
                or (verb.state and (simple or era in ("was", "future")))
                or (era == "was" and verb.kind in ACCIDENTAL)
            ):
                return verb

    def agent(self, verb: Verb) -> Phrase:
        """A person who can do this."""
        if "healer" in verb.agents:
            return self.phrases.described(self.rng.pick(_HEALERS), self.relative)
        return self.phrases.person(None, self.relative)

    def complete(self, verb: Verb, agent: Phrase | None, *, brief: bool = False) -> Event:
        """The event with all roles that the verb's frame has; `brief` leaves out relative clauses."""
        parts = {}
        last = verb.en[-1][0]
        for slot, _ in verb.en:
            clause = self.relative if slot == last and not brief else None
            if slot == "O":
                parts["object"] = self._object(verb, agent, clause)
            elif slot == "R":
                parts["recipient"] = self.phrases.person(agent, clause)
            elif slot == "D":
                parts["destination"] = self.phrases.destination(verb)
            elif slot == "C":
                parts["content"] = self.deed("past", simple=True, reported=False)
            elif slot in "IG":
                inner = self.rng.pick(_ASKED_FOR if slot == "I" else _SEEN)
                tense = "present" if slot == "I" else "progressive"
                parts["content"] = self.complete(inner, None, brief=True).but(tense=tense)
        return Event(verb, agent, **parts)

    def _object(self, verb: Verb, agent: Phrase | None, clause: RelativeClause | None) -> Phrase:
        if verb.objects == {"person"} or ("person" in verb.objects and self.rng.chance(0.4)):
            if verb is _TREAT and self.rng.chance(0.5):
                return self.phrases.described(_PATIENT, clause)
            return self.phrases.person(agent or Phrase(ME), clause)
        noun = self.rng.pick(OBJECTS[verb])
        if verb.kind == "playing":
            if "bare" not in noun.classes:
                return Phrase(noun, "the")
            noun = self.rng.pick(OBJECTS[verb])
        if verb.kind in _CREATING:
            return self.phrases.thing(noun, agent, None).but(adjectives=())
        return self.phrases.thing(noun, agent, clause, one=verb.kind == "wearing")

    def relative(self, gap: str, noun: Noun, plural: bool) -> Event | None:
        """A relative clause about the noun, or none. The gap is filled in, so that agreement and truth are known."""
        rng, phrases = self.rng, self.phrases
        if gap == "agent":
            if not rng.chance(0.05 + 0.35 * phrases.detail):
                return None
            verb = _TREAT if "healer" in noun.classes and rng.chance(0.4) else rng.pick(_OF_AGENTS)
            event = self.complete(verb, None, brief=True).but(agent=Phrase(THEY if plural else HE), gap="agent")
        else:
            verbs = _OF_OBJECTS.get(noun)
            if not verbs or not rng.chance(0.08 + 0.4 * phrases.detail):
                return None
            verb = rng.pick(verbs)
            event = Event(verb, phrases.name(), object=Phrase(noun, "the"), gap="object")
            for slot, _ in verb.en:
                if slot == "R":
                    event = event.but(recipient=phrases.name())
                elif slot == "D":
                    event = event.but(destination=phrases.destination(verb))
        if verb.places and rng.chance(0.3):
            event = event.but(place=phrases.place(verb.kind))
        if rng.chance(0.35):
            event = event.but(time=rng.pick(PAST_TIMES))
        return event

    @staticmethod
    def closed(event: Event) -> bool:
        """Whether the event ends in a clause, so that a place or time after it would belong to that clause."""
        last = event.verb.en[-1][0]
        if last in "CIG":
            return True
        end = {"O": event.object, "R": event.recipient, "D": event.destination and event.destination.phrase}.get(last)
        return bool(end and end.relative)

    def _tense(self, verb: Verb, era: str) -> dict:
        """Tense, negation and modal for the era."""
        rng = self.rng
        if era == "was":
            return {"tense": "was"}
        if era == "future":
            return {"tense": "future", "negated": rng.chance(0.15)}
        if verb.state:
            if era == "present":
                return {"tense": "present", "negated": rng.chance(0.25) and verb.kind != "wearing"}
            return {"tense": "past", "negated": rng.chance(0.15) and verb.kind not in ("saying", "living", "wearing")}
        draw = rng.random()
        if verb.kind in ACCIDENTAL and era == "present":
            draw = 0.5 + draw / 10 if draw < 0.7 else 1
        if era == "past" and (draw < 0.78 or verb.kind in ACCIDENTAL):
            return {"tense": "past", "negated": rng.chance(0.12)}
        if draw < 0.28 or era == "past":
            modal = rng.pick([m for m in MODALS if era in m.tenses])
            return {"tense": era, "modal": modal, "negated": modal.negatable and rng.chance(0.3)}
        if draw < 0.45:
            return {"tense": "present"}
        if draw < 0.6:
            return {"tense": "present", "frequency": rng.pick(FREQUENCIES)}
        if draw < 0.8:
            return {"tense": "progressive", "negated": rng.chance(0.15)}
        return {"tense": rng.pick(("already", "before", "never"))}

    def _circumstances(self, event: Event, changes: dict) -> dict:
        """Place and time, where verb and tense allow them."""
        rng, often = self.rng, 0.5 * self.phrases.detail
        chosen = {}
        if event.verb.places and rng.chance(0.15 + often):
            chosen["place"] = self.phrases.place(event.kind)
        tense = changes["tense"]
        habit = tense == "present" and not (changes.get("frequency") or event.verb.state or "modal" in changes)
        if rng.chance(0.2 + often):
            times = HABITS if habit else {"past": PAST_TIMES, "future": FUTURE_TIMES, "progressive": NOW}.get(tense)
            if times:
                chosen["time"] = rng.pick(times)
                chosen["time_first"] = rng.chance(0.35)
        elif habit:
            chosen["time"] = rng.pick(HABITS)
        return chosen
