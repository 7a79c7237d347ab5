"""Chooses deeds: who could do what to whom, in the past, the present or the future."""

from dataclasses import replace

from seqbook.data.world import lexicon, modifiers
from seqbook.data.world.choices import (
    ACCIDENTAL,
    ASKED_FOR,
    CREATING,
    OBJECTS,
    PATIENT,
    PEOPLE,
    RELATIVE_OBJECT,
    RELATIVE_VERBS,
    SEEN,
    SPEECH,
    TREAT,
    VERB_WEIGHTS,
    WITH_JOB,
)
from seqbook.data.world.events import Event, Phrase
from seqbook.data.world.lexicon import PRONOUNS
from seqbook.data.world.modifiers import NUMBERS
from seqbook.data.world.nouns import Noun, Pronoun
from seqbook.data.world.phrases import Phrases
from seqbook.data.world.things import PLACES
from seqbook.data.world.verbs import VERBS, Verb


class Deeds(Phrases):
    """Draws deeds, with those who take part; a relative clause of theirs tells another deed."""

    def person(self, other: Phrase | None, *, relative: bool = False) -> Phrase:
        """A person who isn't `other`: by name, by job, by family, or by pronoun."""
        draw = self.rng.random()
        if draw < 0.42:
            first = self.name()
            if other is None and self.chance(0.08):
                return replace(first, other=self.name())
            return first
        if draw < 0.68:
            noun = self.unused(PEOPLE)
            return self.described(noun, relative=relative)
        if draw < 0.88:
            noun = self.unused(lexicon.KIN)
            return Phrase(noun, owner=self.owner(other), adjectives=self.adjectives(noun, 1))
        if other is not None and isinstance(other.noun, Pronoun):
            return self.name()
        pronoun = self.unused(PRONOUNS)
        return Phrase(pronoun)

    def described(self, noun: Noun, *, relative: bool) -> Phrase:
        """A person by what they are: the old doctor who visited Oxford."""
        determiner = self.pick(("the", "the", "the", "a", "a", "this", "that", "some", "two", "several", "those"))
        if determiner in ("some", "two", "several", "those") and self.chance(0.5):
            determiner = self.pick(NUMBERS[:5]) if determiner == "two" else "the"
        clause = None
        if relative and determiner not in ("this", "that", "those") and self.chance(0.05 + 0.35 * self.detail):
            clause = self.relative("agent", determiner in modifiers.PLURAL, noun=noun)
        return Phrase(noun, determiner, adjectives=self.adjectives(noun, 2), relative=clause)

    def agent(self, verb: Verb) -> Phrase:
        """Somebody who does such things."""
        if "healer" in verb.agents:
            return self.described(self.pick(WITH_JOB["healer"]), relative=True)
        return self.person(None, relative=True)

    def relative(self, gap: str, plural: bool = False, noun: Noun | None = None, verb: Verb | None = None) -> Event:
        """A relative clause with its gap filled in as structure, so that agreement and truth are known."""
        if gap == "agent":
            verb = TREAT if "healer" in noun.classes and self.chance(0.4) else self.pick(RELATIVE_VERBS)
            event = self.complete(verb, None, brief=True)
            filler = Phrase(lexicon.THEY if plural else lexicon.HE)
            event = replace(event, agent=filler, gap="agent")
        else:
            event = Event(verb, self.name(), object=Phrase(noun, "the"), gap="object")
            rest = {}
            for slot, _ in verb.en:
                if slot == "R":
                    rest["recipient"] = self.name()
                elif slot == "D":
                    rest["destination"] = self.destination(verb)
            event = replace(event, **rest)
        if event.verb.places and self.chance(0.3):
            event = replace(event, place=self.place(verb.kind))
        if self.chance(0.35):
            event = replace(event, time=self.pick(modifiers.PAST_TIMES))
        return event

    def object(self, verb: Verb, agent: Phrase | None, relative: bool) -> Phrase:
        """What the verb is done to."""
        if verb.objects == {"person"} or ("person" in verb.objects and self.chance(0.4)):
            if verb is TREAT and self.chance(0.5):
                return self.described(PATIENT, relative=relative)
            return self.person(agent or Phrase(lexicon.ME), relative=relative)
        if (
            verb.kind == "playing"
            and verb.forms[0] == "play"
            and "bare" not in (noun := self.pick(OBJECTS[verb])).classes
        ):
            return Phrase(noun, "the")
        thing = self.thing(
            self.pick(OBJECTS[verb]), agent, relative and verb.kind not in CREATING, one=verb.kind == "wearing"
        )
        return replace(thing, adjectives=()) if verb.kind in CREATING else thing

    def thing(self, noun: Noun, agent: Phrase | None, relative: bool, *, one: bool = False) -> Phrase:
        """A mention of a thing: the red umbrella, two old books, her coat, London; `one` keeps to the singular."""
        classes = noun.classes
        if classes & {"town", "bare", "street"}:
            return Phrase(noun)
        if classes & {"river", "ridden"}:
            return Phrase(noun, "the" if "river" in classes or self.chance(0.6) else "a")
        adjectives = self.adjectives(noun, 2)
        draw = self.rng.random()
        if "mass" in classes:
            determiner = (
                "the" if draw < 0.35 else "some" if draw < 0.6 else "a" if draw < 0.85 else self.pick(NUMBERS[:4])
            )
            return Phrase(noun, determiner, adjectives=adjectives)
        if (draw < 0.2 and not relative and "goods" in classes) or (draw < 0.12 and "goods" in classes):
            return Phrase(noun, owner=self.owner(agent), adjectives=adjectives)
        one = one or noun in PLACES
        if draw < 0.5 or (draw >= 0.82 and one):
            determiner = "the"
        elif draw < 0.7:
            determiner = "a"
        elif draw < 0.82:
            determiner = self.pick(("this", "that", "another"))
        else:
            determiner = self.pick((*NUMBERS, "several", "many", "some", "these", "those"))
        clause = None
        if relative and determiner in {"the", "a", *modifiers.PLURAL} - {"these", "those"}:
            options = RELATIVE_OBJECT.get(noun)
            if options and self.chance(0.08 + 0.4 * self.detail):
                clause = self.relative("object", noun=noun, verb=self.pick(options))
        return Phrase(noun, determiner, adjectives=adjectives, relative=clause)

    def complete(self, verb: Verb, agent: Phrase | None, *, brief: bool = False) -> Event:
        """The event with whatever the verb's frame asks for; `brief` leaves out relative clauses."""
        parts = {}
        last = verb.en[-1][0]
        for slot, _ in verb.en:
            ends = slot == last and not brief
            if slot == "O":
                parts["object"] = self.object(verb, agent, ends)
            elif slot == "R":
                parts["recipient"] = self.person(agent, relative=ends)
            elif slot == "D":
                parts["destination"] = self.destination(verb)
            elif slot == "C":
                parts["content"] = self.deed("past", simple=True, reported=False, agent=None, told=False)
            elif slot in "IG":
                inner = self.pick(ASKED_FOR if slot == "I" else SEEN)
                tense = "present" if slot == "I" else "progressive"
                parts["content"] = replace(self.complete(inner, None, brief=True), tense=tense)
        return Event(verb, agent, **parts)

    def deed(self, era: str, *, simple: bool = False, reported: bool = True, agent: Phrase | None = None,
             told: bool = False) -> Event:  # fmt: skip
        """Somebody does something; `simple` keeps to plain tenses, `told` also leaves out where and when."""
        while True:
            verb = self.rng.choices(VERBS, VERB_WEIGHTS)[0]
            if verb.kind in SPEECH and verb.en[-1][0] == "C" and (not reported or told or era != "past"):
                continue
            if verb.state and (simple or told or era in ("was", "future")):
                continue
            if era == "was" and verb.kind in ACCIDENTAL:
                continue
            break
        agent = agent or self.agent(verb)
        event = self.complete(verb, agent)
        changes = {} if simple or told else self.tense(verb, era)
        if simple or told:
            changes["tense"] = "was" if era == "was" else "future" if era == "future" else "past"
        closed = self.closed(event)
        if not told and not closed:
            changes |= self.circumstances(event, era, changes)
        elif not told and self.chance(0.3) and era == "past" and changes["tense"] == "past":
            changes |= {"time": self.pick(modifiers.PAST_TIMES), "time_first": True}
        if closed and changes["tense"] == "present" and not verb.state and "modal" not in changes:
            changes["frequency"] = changes.get("frequency") or self.pick(modifiers.FREQUENCIES)
        if changes["tense"] == "before" and closed:
            changes["tense"] = "never"
        plain = changes["tense"] in ("past", "was", "progressive", "future")
        plain = plain and not changes.get("negated") and "modal" not in changes
        if verb.manners and plain and self.chance(0.35 * self.detail):
            changes["manner"] = self.pick([m for m in modifiers.MANNERS if m.en in verb.manners])
        return replace(event, **changes)

    def closed(self, event: Event) -> bool:
        """Whether the event ends in a clause that would swallow a following place or time."""
        last = event.verb.en[-1][0]
        if last in "CIG":
            return True
        end = {"O": event.object, "R": event.recipient, "D": event.destination and event.destination.phrase}.get(last)
        return bool(end and end.relative)

    def tense(self, verb: Verb, era: str) -> dict:
        """Tense, negation and modal for the era."""
        if era == "was":
            return {"tense": "was"}
        if era == "future":
            return {"tense": "future", "negated": self.chance(0.15)}
        if verb.state:
            if era == "present":
                return {"tense": "present", "negated": self.chance(0.25) and verb.kind != "wearing"}
            return {"tense": "past", "negated": self.chance(0.15) and verb.kind not in ("saying", "living", "wearing")}
        draw = self.rng.random()
        if verb.kind in ACCIDENTAL and era == "present":
            draw = 0.5 + draw / 10 if draw < 0.7 else 1
        if era == "past" and (draw < 0.78 or verb.kind in ACCIDENTAL):
            return {"tense": "past", "negated": self.chance(0.12)}
        if draw < 0.28 or era == "past":
            modal = self.pick([m for m in modifiers.MODALS if era in m.tenses])
            return {"tense": era, "modal": modal, "negated": modal.negatable and self.chance(0.3)}
        if draw < 0.45:
            return {"tense": "present"}
        if draw < 0.6:
            return {"tense": "present", "frequency": self.pick(modifiers.FREQUENCIES)}
        if draw < 0.8:
            return {"tense": "progressive", "negated": self.chance(0.15)}
        return {"tense": self.pick(("already", "before", "never"))}

    def circumstances(self, event: Event, era: str, changes: dict) -> dict:
        """Where and when, as far as the verb and the tense allow."""
        chosen = {}
        if event.verb.places and self.chance(0.15 + 0.5 * self.detail):
            chosen["place"] = self.place(event.kind)
        tense = changes["tense"]
        if self.chance(0.2 + 0.5 * self.detail):
            times = {
                "past": modifiers.PAST_TIMES,
                "future": modifiers.FUTURE_TIMES,
                "progressive": modifiers.NOW,
            }.get(tense)
            if (
                tense == "present"
                and changes.get("frequency") is None
                and not event.verb.state
                and "modal" not in changes
            ):
                times = modifiers.HABITS
            if times:
                chosen["time"] = self.pick(times)
                chosen["time_first"] = self.chance(0.35)
        elif tense == "present" and not changes.get("frequency") and not event.verb.state and "modal" not in changes:
            chosen["time"] = self.pick(modifiers.HABITS)
        return chosen
