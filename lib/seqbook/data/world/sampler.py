"""Chooses sentences: statements, questions, comparisons and passives, told briefly or at length."""

from dataclasses import replace

from seqbook.data.world import lexicon, modifiers, verbs
from seqbook.data.world.choices import (
    ACCIDENTAL,
    ASKABLE,
    COMPARATIVE,
    COMPARED,
    EQUAL,
    OBJECTS,
    PASSIVE_VERBS,
    PERSONAL,
    SIMPLE_DEGREE,
    SMALL,
    WHAT,
    WHO,
)
from seqbook.data.world.deeds import Deeds
from seqbook.data.world.events import Event, Phrase, Sentence
from seqbook.data.world.lexicon import IT, PRONOUNS, THERE, WEATHER
from seqbook.data.world.modifiers import NUMBERS
from seqbook.data.world.nouns import Pronoun
from seqbook.data.world.things import PLACES


class Sampler(Deeds):
    """Draws sentences from `rng`."""

    def sentence(self) -> Sentence:
        """A statement, question, comparison or passive, of any length."""
        self.mentioned.clear()
        size = self.rng.random()
        self.detail = self.rng.random() ** (8 if size < 0.93 else 2)
        if size < 0.16:
            return self.question()
        if size < 0.20:
            return self.passive()
        if size < 0.93:
            era = self.pick(("past", "past", "past", "present", "present", "present", "future", "future"))
            return Sentence(self.event(era))
        return self.linked()

    def linked(self) -> Sentence:
        """Two or three events with a reason, a time, a condition or a contrast between them."""
        link = self.pick(("because", "because", "when", "after", "before", "although", "so", "if"))
        era = "future" if link == "if" else "past"
        if link in ("because", "although") and self.chance(0.35):
            era = "present"
        if link == "so":
            main = self.cause("past", None)
            side = self.deed("past", agent=self.again(main), reported=False)
        else:
            main = self.deed(era, simple=link in ("after", "before") and self.chance(0.7), reported=False)
            side = self.side(link, era, self.again(main))
        side_first = link in ("although", "if") or (link != "so" and self.chance(0.45))
        if side_first and side.agent and isinstance(side.agent.noun, Pronoun) and side.agent.noun in PRONOUNS:
            named = replace(main.agent, adjectives=()) if side.quality else main.agent
            main, side = replace(main, agent=side.agent), replace(side, agent=named)
        joint, added = "", None
        joints = [*(["but"] if link != "although" else []), *(["and then"] if link != "if" and era == "past" else [])]
        if link != "so" and joints and self.chance(0.2 + 0.35 * self.detail):
            joint = self.pick(joints)
            added = self.deed(era, simple=era != "present", reported=False, agent=self.again(main))
        # Only one event is dated, and only the words that open a sentence can be "Yesterday, ".
        dated = main if main.time else side
        main = self.settled(main, dated, first=not side_first)
        side, added = self.settled(side, dated), added and self.settled(added, dated)
        return Sentence(main, link, side, side_first, joint, added)

    def settled(self, event: Event, dated: Event, *, first: bool = False) -> Event:
        """The event without its time, or with the time at its end, unless it comes first."""
        if event.time is None or event.time in modifiers.HABITS:
            return replace(event, time_first=False) if not first else event
        if event is not dated or (event.time_first and not first and self.closed(event)):
            return replace(event, time=None, time_first=False)
        return replace(event, time_first=event.time_first and first)

    def cause(self, era: str, agent: Phrase | None) -> Event:
        """What may be a reason: the weather, how somebody is, or something that was done."""
        draw = self.rng.random()
        if draw < 0.2:
            return self.weather(era)
        if draw < 0.6:
            return self.being(era, agent, compares=False)
        return self.deed(era, agent=agent, reported=False)

    def side(self, link: str, era: str, agent: Phrase | None) -> Event:
        """The event that explains, times or conditions the main one."""
        if link in ("because", "although"):
            return self.cause(era, agent)
        if link in ("when", "if") and self.chance(0.2):
            return self.weather("was" if link == "when" else "present")
        if link == "if":
            return replace(self.deed("past", told=True, agent=agent, reported=False), tense="present")
        if link == "when" and self.chance(0.6):
            return self.deed("was", simple=True, agent=agent, reported=False)
        return self.deed("past", simple=True, agent=agent, reported=False)

    def again(self, event: Event) -> Phrase | None:
        """A pronoun for the event's agent, half of the time, where its gender is known; else nobody."""
        if event.agent is None or event.agent.other or event.agent.plural or self.chance(0.5):
            return None
        pronoun = self.pronoun_of(event.agent.noun)
        return Phrase(pronoun) if pronoun else None

    def event(self, era: str) -> Event:
        """Any event."""
        kind = self.rng.random()
        if kind < 0.04:
            return self.weather(era)
        if kind < 0.18:
            return self.being(era)
        if kind < 0.25 and era != "future":
            return self.existing(era)
        return self.deed(era)

    def being(self, era: str, agent: Phrase | None = None, *, compares: bool = True) -> Event:
        """How somebody is or feels, alone or beside another."""
        tense = era if era in ("past", "present") else "past" if era == "was" else "future"
        if compares and agent is None and self.chance(0.45) and tense != "future":
            first = self.person(None)
            if first.plural:
                first = self.name()
            verb, adjective = self.pick((verbs.COMPARING, verbs.COMPARING, verbs.EQUALLING)), self.pick(COMPARED)
            degree = self.pick(COMPARATIVE) if verb is verbs.COMPARING else EQUAL
            return Event(verb, first, tense, object=self.person(first), quality=adjective, degree=degree)
        verb = (
            verbs.BEING[0] if tense == "future" else self.rng.choices(verbs.BEING, [v.weight for v in verbs.BEING])[0]
        )
        options = PERSONAL if verb.kind == "being" and tense != "future" else modifiers.FEELINGS
        denied = verb.kind == "being" and tense != "future" and self.chance(0.25)
        degree = SIMPLE_DEGREE[0] if denied else self.pick(SIMPLE_DEGREE[:3])
        time = self.pick(modifiers.PAST_TIMES) if tense == "past" and self.chance(0.25) else None
        who = agent or replace(self.person(None, relative=True), adjectives=())
        return Event(verb, who, tense, denied, quality=self.pick(options),
                     degree=degree, time=time)  # fmt: skip

    def existing(self, era: str) -> Event:
        """What or who is where."""
        tense = era if era in ("past", "present") else "past"
        if self.chance(0.5):
            noun = self.pick(SMALL)
            thing = Phrase(noun, self.pick(("a", "a", *NUMBERS[:4])), adjectives=self.adjectives(noun, 2))
            return Event(
                verbs.THERE_IS, Phrase(THERE), tense, object=thing, destination=self.destination(verbs.THERE_IS)
            )
        if self.chance(0.5):
            noun = self.pick(SMALL)
            thing = Phrase(noun, "the", adjectives=self.adjectives(noun, 2))
            return Event(verbs.IS_AT, thing, tense, self.chance(0.15), destination=self.destination(verbs.IS_AT))
        return Event(verbs.IS_AT, self.person(None), tense, self.chance(0.15), destination=self.place())

    def weather(self, tense: str) -> Event:
        """Rain, snow, or how it was."""
        if self.chance(0.4) and tense in ("past", "present"):
            adjective = self.pick([a for a in modifiers.ADJECTIVES if "weather" in a.classes])
            return Event(verbs.BEING[0], Phrase(WEATHER), tense, quality=adjective, degree=self.pick(SIMPLE_DEGREE[:3]))
        time = None
        if tense == "present":
            time = None
        elif tense in ("past", "future") and self.chance(0.4):
            time = self.pick(modifiers.PAST_TIMES if tense == "past" else modifiers.FUTURE_TIMES)
        tense = self.pick(("past", "was")) if tense == "past" and time is None else tense
        place = self.place_town() if self.chance(0.3) else None
        return Event(self.pick(verbs.WEATHER_VERBS), Phrase(IT), tense, place=place, time=time)

    def question(self) -> Sentence:
        """A question for whether, who, what, where, when or why."""
        asks = self.pick(("whether", "whether", "agent", "object", "place", "time", "reason"))
        verb = self.pick(ASKABLE[asks])
        agent = Phrase(WHO) if asks == "agent" else self.agent(verb)
        while agent.noun in (lexicon.ME, lexicon.WE):  # nobody asks others what they do themselves
            agent = self.agent(verb)
        event = self.complete(verb, agent, brief=True)
        tense = self.pick(("past", "past", "past", "future", "progressive"))
        if asks in ("time", "reason", "place") or asks == "object":
            tense = "past"
        if tense == "progressive" and verb.kind in ACCIDENTAL:
            tense = "past"
        changes = {"tense": tense}
        shape = verb.en[-1][0]
        if shape not in "IGC" and asks not in ("place",) and verb.places and self.chance(0.1 + 0.5 * self.detail):
            changes["place"] = self.place(verb.kind)
        if shape not in "IGC" and asks != "time" and tense != "progressive" and self.chance(0.1 + 0.5 * self.detail):
            changes["time"] = self.pick(modifiers.PAST_TIMES if tense == "past" else modifiers.FUTURE_TIMES)
        if asks == "object":
            noun = event.object.noun
            if "mass" in noun.classes or self.chance(0.3):
                changes["object"] = Phrase(WHAT)
            else:
                changes["object"] = Phrase(noun, self.pick(("which", "how many")), adjectives=self.adjectives(noun, 1))
        return Sentence(replace(event, **changes), asks=asks)

    def passive(self) -> Sentence:
        """What was done by whom."""
        verb = self.pick(PASSIVE_VERBS)
        noun = self.pick(OBJECTS[verb])
        determiner = self.pick(("the", "the", "this", "that", "these", "those"))
        if "mass" in noun.classes or noun in PLACES:
            determiner = "the"
        thing = Phrase(noun, determiner, adjectives=self.adjectives(noun, 2))
        agent = self.agent(verb)
        while isinstance(agent.noun, Pronoun):
            agent = self.agent(verb)
        time = self.pick(modifiers.PAST_TIMES) if not agent.relative and self.chance(0.5) else None
        return Sentence(Event(verb, agent, object=thing, time=time), passive=True)
