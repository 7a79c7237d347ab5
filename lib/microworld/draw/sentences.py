"""Draws sentences for translation: statements, questions, comparisons and passives, short and long."""

from microworld.draw.deeds import ACCIDENTAL, Deeds
from microworld.draw.dice import Dice
from microworld.events import Event, Phrase, Sentence, place_of
from microworld.words.adjectives import ADJECTIVES, FEELINGS
from microworld.words.modifiers import FUTURE_TIMES, HABITS, NUMBERS, PAST_TIMES, Word
from microworld.words.names import TOWNS
from microworld.words.nouns import Pronoun
from microworld.words.people import IT, ME, PRONOUNS, THERE, WE, WEATHER, WHAT, WHO, pronoun_of
from microworld.words.selection import OBJECTS
from microworld.words.things import PLACES, THINGS
from microworld.words.verbs import BEING, COMPARING, EQUALLING, IS_AT, THERE_IS, VERBS, WEATHER_VERBS

_PERSONAL = [a for a in ADJECTIVES if "person" in a.classes]
_COMPARED = [
    a for a in _PERSONAL
    if a.en in "tall short clever kind brave shy lazy busy strict rich poor strong young old patient famous polite".split()
]  # fmt: skip
_ABOUT_WEATHER = [a for a in ADJECTIVES if "weather" in a.classes]
_DEGREES = [Word("", "很"), Word("", "很"), Word("very", "非常")]
_COMPARATIVES = [Word("-er", ""), Word("-er", ""), Word("much -er", "得多")]
_EQUAL = Word("", "")
_SMALL = [n for n in THINGS if n.classes & {"small", "pet"}]
_PASSIVE = [v for v in VERBS if v.disposal and v.en == (("V", "verb"), ("O", "verb"))]
_ACTIVE = [v for v in VERBS if not v.state and v.en[-1][0] != "C"]
_NO_OBJECT_ASKED = {"drinking", "taking", "riding", "waiting", "playing"}
# What can be asked for, with the verbs that have it.
_ASKABLE = {
    **dict.fromkeys(("whether", "agent", "time", "reason"), _ACTIVE),
    "place": [v for v in _ACTIVE if v.places and v.en[-1][0] not in "DIG"],
    "object": [
        v for v in _ACTIVE
        if v.objects and "person" not in v.objects and v.kind not in _NO_OBJECT_ASKED and all(n in THINGS for n in OBJECTS[v])
    ],
}  # fmt: skip


class Sentences:
    """Draws sentences; their deeds and noun phrases come from `Deeds` and `Phrases`."""

    def __init__(self, rng: Dice) -> None:
        self.rng = rng
        self.deeds = Deeds(rng)
        self.phrases = self.deeds.phrases

    def sentence(self) -> Sentence:
        """A statement, question, comparison or passive of any length."""
        rng = self.rng
        self.phrases.mentioned.clear()
        shape = rng.random()
        self.phrases.detail = rng.random() ** (8 if shape < 0.93 else 2)
        if shape < 0.16:
            return self._question()
        if shape < 0.20:
            return self._passive()
        if shape < 0.93:
            return Sentence(self._event(rng.pick(("past",) * 3 + ("present",) * 3 + ("future",) * 2)))
        return self._linked()

    def _event(self, era: str) -> Event:
        """An event of any kind."""
        kind = self.rng.random()
        if kind < 0.04:
            return self._weather(era)
        if kind < 0.18:
            return self._being(era)
        if kind < 0.25 and era != "future":
            return self._existing(era)
        return self.deeds.deed(era)

    def _weather(self, tense: str) -> Event:
        """Rain, snow, or what the weather was like."""
        rng = self.rng
        if rng.chance(0.4) and tense in ("past", "present"):
            adjective = rng.pick(_ABOUT_WEATHER)
            return Event(BEING[0], Phrase(WEATHER), tense, quality=adjective, degree=rng.pick(_DEGREES))
        time = None
        if tense in ("past", "future") and rng.chance(0.4):
            time = rng.pick(PAST_TIMES if tense == "past" else FUTURE_TIMES)
        tense = rng.pick(("past", "was")) if tense == "past" and time is None else tense
        place = place_of(rng.pick(TOWNS)) if rng.chance(0.3) else None
        return Event(rng.pick(WEATHER_VERBS), Phrase(IT), tense, place=place, time=time)

    def _being(self, era: str, agent: Phrase | None = None, *, compares: bool = True) -> Event:
        """What somebody is or feels like, perhaps compared to somebody else."""
        rng = self.rng
        tense = era if era in ("past", "present") else "past" if era == "was" else "future"
        if compares and agent is None and rng.chance(0.45) and tense != "future":
            first = self.phrases.person(None)
            if first.plural:
                first = self.phrases.name()
            verb, adjective = rng.pick((COMPARING, COMPARING, EQUALLING)), rng.pick(_COMPARED)
            degree = rng.pick(_COMPARATIVES) if verb is COMPARING else _EQUAL
            return Event(verb, first, tense, object=self.phrases.person(first), quality=adjective, degree=degree)
        verb = BEING[0] if tense == "future" else rng.choices(BEING, [v.weight for v in BEING])[0]
        options = _PERSONAL if verb.kind == "being" and tense != "future" else FEELINGS
        negated = verb.kind == "being" and tense != "future" and rng.chance(0.25)
        degree = _DEGREES[0] if negated else rng.pick(_DEGREES)
        time = rng.pick(PAST_TIMES) if tense == "past" and rng.chance(0.25) else None
        who = agent or self.phrases.person(None, self.deeds.relative).but(adjectives=())
        return Event(verb, who, tense, negated, quality=rng.pick(options), degree=degree, time=time)

    def _existing(self, era: str) -> Event:
        """A thing or a person is somewhere."""
        rng, phrases = self.rng, self.phrases
        tense = era if era in ("past", "present") else "past"
        if rng.chance(0.5):
            noun = rng.pick(_SMALL)
            thing = Phrase(noun, rng.pick(("a", "a", *NUMBERS[:4])), adjectives=phrases.adjectives(noun, 2))
            return Event(THERE_IS, Phrase(THERE), tense, object=thing, destination=phrases.destination(THERE_IS))
        if rng.chance(0.5):
            noun = rng.pick(_SMALL)
            thing = Phrase(noun, "the", adjectives=phrases.adjectives(noun, 2))
            return Event(IS_AT, thing, tense, rng.chance(0.15), destination=phrases.destination(IS_AT))
        return Event(IS_AT, phrases.person(None), tense, rng.chance(0.15), destination=phrases.place())

    def _question(self) -> Sentence:
        """A question with "whether", "who", "what", "where", "when" or "why"."""
        rng, detail = self.rng, self.phrases.detail
        asks = rng.pick(("whether", "whether", "agent", "object", "place", "time", "reason"))
        verb = rng.pick(_ASKABLE[asks])
        agent = Phrase(WHO) if asks == "agent" else self.deeds.agent(verb)
        while agent.noun in (ME, WE):  # nobody asks others about their own actions
            agent = self.deeds.agent(verb)
        event = self.deeds.complete(verb, agent, brief=True)
        tense = rng.pick(("past", "past", "past", "future", "progressive"))
        if asks in ("time", "reason", "place", "object") or (tense == "progressive" and verb.kind in ACCIDENTAL):
            tense = "past"
        changes: dict = {"tense": tense}
        closed = verb.en[-1][0] in "IGC"
        if not closed and asks != "place" and verb.places and rng.chance(0.1 + 0.5 * detail):
            changes["place"] = self.phrases.place(verb.kind)
        if not closed and asks != "time" and tense != "progressive" and rng.chance(0.1 + 0.5 * detail):
            changes["time"] = rng.pick(PAST_TIMES if tense == "past" else FUTURE_TIMES)
        if asks == "object":
            noun = event.object.noun
            if "mass" in noun.classes or rng.chance(0.3):
                changes["object"] = Phrase(WHAT)
            else:
                determiner = rng.pick(("which", "how many"))
                changes["object"] = Phrase(noun, determiner, adjectives=self.phrases.adjectives(noun, 1))
        return Sentence(event.but(**changes), asks=asks)

    def _passive(self) -> Sentence:
        """A passive sentence with "by"."""
        rng = self.rng
        verb = rng.pick(_PASSIVE)
        noun = rng.pick(OBJECTS[verb])
        determiner = rng.pick(("the", "the", "this", "that", "these", "those"))
        if "mass" in noun.classes or noun in PLACES:
            determiner = "the"
        thing = Phrase(noun, determiner, adjectives=self.phrases.adjectives(noun, 2))
        agent = self.deeds.agent(verb)
        while isinstance(agent.noun, Pronoun):
            agent = self.deeds.agent(verb)
        time = rng.pick(PAST_TIMES) if not agent.relative and rng.chance(0.5) else None
        return Sentence(Event(verb, agent, object=thing, time=time), passive=True)

    def _linked(self) -> Sentence:
        """Two or three clauses with a reason, a time, a condition or a contrast between them."""
        rng, deed = self.rng, self.deeds.deed
        link = rng.pick(("because", "because", "when", "after", "before", "although", "so", "if"))
        era = "future" if link == "if" else "past"
        if link in ("because", "although") and rng.chance(0.35):
            era = "present"

        # Main clause and subordinate clause; the second one may refer to the agent with a pronoun.
        if link == "so":
            main = self._cause("past", None)
            side = deed("past", agent=self._again(main), reported=False)
        else:
            main = deed(era, simple=link in ("after", "before") and rng.chance(0.7), reported=False)
            side = self._side(link, era, self._again(main))
        side_first = link in ("although", "if") or (link != "so" and rng.chance(0.45))
        if side_first and side.agent and side.agent.noun in PRONOUNS:
            named = main.agent.but(adjectives=()) if side.quality else main.agent
            main, side = main.but(agent=side.agent), side.but(agent=named)

        # Coordinate clause.
        joint, added = "", None
        joints = [*(["but"] if link != "although" else []), *(["and then"] if link != "if" and era == "past" else [])]
        if link != "so" and joints and rng.chance(0.2 + 0.35 * self.phrases.detail):
            joint = rng.pick(joints)
            added = deed(era, simple=era != "present", reported=False, agent=self._again(main))

        # Only one event has a time, and only the first words of a sentence can be "Yesterday, ".
        dated = main if main.time else side
        main = self._settled(main, dated, first=not side_first)
        side, added = self._settled(side, dated), added and self._settled(added, dated)
        return Sentence(main, link, side, side_first, joint, added)

    def _cause(self, era: str, agent: Phrase | None) -> Event:
        """A possible reason: the weather, how somebody is, or something that was done."""
        draw = self.rng.random()
        if draw < 0.2:
            return self._weather(era)
        if draw < 0.6:
            return self._being(era, agent, compares=False)
        return self.deeds.deed(era, agent=agent, reported=False)

    def _side(self, link: str, era: str, agent: Phrase | None) -> Event:
        """The subordinate clause."""
        rng, deed = self.rng, self.deeds.deed
        if link in ("because", "although"):
            return self._cause(era, agent)
        if link in ("when", "if") and rng.chance(0.2):
            return self._weather("was" if link == "when" else "present")
        if link == "if":
            return deed("past", told=True, agent=agent, reported=False).but(tense="present")
        if link == "when" and rng.chance(0.6):
            return deed("was", simple=True, agent=agent, reported=False)
        return deed("past", simple=True, agent=agent, reported=False)

    def _again(self, event: Event) -> Phrase | None:
        """In half of the cases a pronoun for the event's agent, if the gender is known; else None."""
        if event.agent is None or event.agent.other or event.agent.plural or self.rng.chance(0.5):
            return None
        pronoun = pronoun_of(event.agent.noun)
        return Phrase(pronoun) if pronoun else None

    def _settled(self, event: Event, dated: Event, *, first: bool = False) -> Event:
        """The event without its time, or with the time at its end unless the event comes first."""
        if event.time is None or event.time in HABITS:
            return event.but(time_first=False) if not first else event
        if event is not dated or (event.time_first and not first and self.deeds.closed(event)):
            return event.but(time=None, time_first=False)
        return event.but(time_first=event.time_first and first)
