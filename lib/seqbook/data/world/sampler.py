"""Chooses events: who could do what to whom, in the past, the present or the future, told briefly or at length."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import TypeVar

from seqbook.data.world import lexicon, modifiers, verbs
from seqbook.data.world.events import Event, Location, Phrase, Sentence
from seqbook.data.world.lexicon import HE, IT, PRONOUNS, SHE, THERE, WEATHER, Noun, Pronoun
from seqbook.data.world.modifiers import NUMBERS, Word
from seqbook.data.world.verbs import VERBS, Verb

T = TypeVar("T")

WITH_CLASS: dict[str, list[Noun]] = {}
for _noun in [
    *lexicon.THINGS,
    *lexicon.PLACES,
    *lexicon.TOWNS,
    *lexicon.STREETS,
    *lexicon.RIVERS,
    *lexicon.SPORTS,
    *lexicon.SUBJECTS,
]:
    for _class in sorted(_noun.classes):
        WITH_CLASS.setdefault(_class, []).append(_noun)
PLACES = lexicon.PLACES
PEOPLE = [*lexicon.JOBS, *lexicon.JOBS, *lexicon.PEOPLE]
SPEECH = {"telling", "saying", "thinking", "knowing"}
SURFACES = [n for n in lexicon.THINGS if "surface" in n.classes]
CONTAINERS = [n for n in lexicon.THINGS if "container" in n.classes]
ON, IN, AT = Word("on", "上"), Word("in", "里"), Word("at", "")
AROUND = [Word("under", "下面"), Word("behind", "后面"), Word("next to", "旁边"), Word("near", "附近")]
FURNITURE = [n for n in lexicon.THINGS if n.en in ("table", "bed", "chair", "shelf", "piano", "mirror", "clock")]
COMPARABLE = (
    "tall short clever kind brave shy lazy busy strict rich poor strong young old patient famous polite".split()
)
PERSONAL = [a for a in modifiers.ADJECTIVES if "person" in a.classes]
COMPARED = [a for a in PERSONAL if a.en in COMPARABLE]
ACCIDENTAL = {"finding", "losing", "breaking", "meeting", "seeing"}  # nobody is at it, plans it or is asked for it
UNASKED = ACCIDENTAL | {"stealing", "crying"}
ASKED_FOR = [
    v for v in VERBS if not v.state and v.en[-1][0] not in "IGC" and v.kind not in UNASKED and "person" in v.agents
]
SEEN = [v for v in VERBS if not v.state and v.en[-1][0] not in "IGC" and v.kind not in ACCIDENTAL
        and "person" in v.agents]  # fmt: skip
SIMPLE_DEGREE = [Word("", "很"), Word("", "很"), Word("very", "非常"), Word("too", "太")]
COMPARATIVE = [Word("-er", ""), Word("-er", ""), Word("much -er", "得多")]
EQUAL = Word("", "")


class Sampler:
    """Draws sentences from `rng`; `detail` in [0, 1] is how likely each embellishment is."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.detail = 0.0
        self.mentioned: set[str] = set()

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, all equally likely (faster than Random.choice, which matters here)."""
        return options[int(self.rng.random() * len(options))]

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.rng.random() < probability

    def sentence(self) -> Sentence:
        """A statement, question, comparison or passive, of any length."""
        self.mentioned.clear()
        size = self.rng.random()
        self.detail = self.rng.random() ** (8 if size < 0.8 else 1.5)
        if size < 0.16:
            return self.question()
        if size < 0.20:
            return self.passive()
        if size < 0.8:
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

    @staticmethod
    def pronoun_of(noun: Noun | Pronoun) -> Pronoun | None:
        """He, she, or the pronoun itself; None for those whose gender isn't known."""
        if isinstance(noun, Pronoun):
            return noun if noun in PRONOUNS else None
        if "female" in noun.classes or modifiers.GENDER.get(noun) == "female":
            return SHE
        return HE if "male" in noun.classes or modifiers.GENDER.get(noun) == "male" else None

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

    def agent(self, verb: Verb) -> Phrase:
        """Somebody who does such things."""
        if "healer" in verb.agents:
            return self.described(self.pick(WITH_JOB["healer"]), relative=True)
        return self.person(None, relative=True)

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

    def unused(self, options: Sequence) -> Noun | Pronoun:
        """One of the options that this sentence hasn't mentioned."""
        while True:
            noun = self.pick(options)
            if noun.en not in self.mentioned:
                self.mentioned.add(noun.en)
                return noun

    def name(self) -> Phrase:
        """Somebody by name."""
        return Phrase(self.unused(lexicon.NAMES))

    def owner(self, agent: Phrase | None) -> Phrase:
        """Whose: the agent's own, or somebody's by name."""
        if agent is not None and not agent.plural and self.chance(0.6):
            pronoun = self.pronoun_of(agent.noun)
            if pronoun:
                return Phrase(pronoun)
        if self.chance(0.25):
            return Phrase(self.pick(PRONOUNS))
        return self.name()

    def described(self, noun: Noun, *, relative: bool) -> Phrase:
        """A person by what they are: the old doctor who visited Oxford."""
        determiner = self.pick(("the", "the", "the", "a", "a", "this", "that", "some", "two", "several", "those"))
        if determiner in ("some", "two", "several", "those") and self.chance(0.5):
            determiner = self.pick(NUMBERS[:5]) if determiner == "two" else "the"
        clause = None
        if relative and determiner not in ("this", "that", "those") and self.chance(0.05 + 0.35 * self.detail):
            clause = self.relative("agent", determiner in modifiers.PLURAL, noun=noun)
        return Phrase(noun, determiner, adjectives=self.adjectives(noun, 2), relative=clause)

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

    def adjectives(self, noun: Noun, most: int) -> tuple:
        """Up to `most` properties that go together, in English order."""
        options = modifiers.ADJECTIVES_OF[noun]
        count = sum(self.chance(0.1 + 0.45 * self.detail) for _ in range(most))
        if not options or not count:
            return ()
        chosen = {}
        for _ in range(count):
            adjective = self.pick(options)
            if not (adjective.zh[-1] == "的" and any(a.zh[-1] == "的" for a in chosen.values())):
                chosen.setdefault(modifiers.DIMENSION[adjective], adjective)
        return tuple(sorted(chosen.values(), key=modifiers.ADJECTIVES.index))

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
        one = one or noun in lexicon.PLACES
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

    def place(self, kind: str = "") -> Location:
        """Where something of this kind happens."""
        if kind == "swimming" and self.chance(0.7):
            return Location(IN, Phrase(self.pick(lexicon.RIVERS), "the"))
        if self.chance(0.3):
            return Location(IN, Phrase(self.pick(lexicon.TOWNS)))
        if self.chance(0.12):
            return Location(ON, Phrase(self.pick(lexicon.STREETS)))
        noun = self.pick(PLACES_OF.get(kind, PLACES))
        preposition = IN if "in" in noun.classes else ON if "on" in noun.classes else AT
        determiner = "the" if self.chance(0.85) else "a"
        return Location(preposition, Phrase(noun, determiner, adjectives=self.adjectives(noun, 1)))

    def destination(self, verb: Verb) -> Location:
        """Where a thing is put, or where somebody lives."""
        if verb.kind == "living":
            town = self.chance(0.6)
            return (
                Location(IN, Phrase(self.pick(lexicon.TOWNS)))
                if town
                else Location(ON, Phrase(self.pick(lexicon.STREETS)))
            )
        draw = self.rng.random()
        preposition, nouns = (
            (ON, SURFACES) if draw < 0.4 else (IN, CONTAINERS) if draw < 0.7 else (self.pick(AROUND), FURNITURE)
        )
        noun = self.unused(nouns)
        return Location(preposition, Phrase(noun, "the", adjectives=self.adjectives(noun, 1)))

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

    def place_town(self) -> Location:
        """In a town."""
        return Location(IN, Phrase(self.pick(lexicon.TOWNS)))

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
        if "mass" in noun.classes or noun in lexicon.PLACES:
            determiner = "the"
        thing = Phrase(noun, determiner, adjectives=self.adjectives(noun, 2))
        agent = self.agent(verb)
        while isinstance(agent.noun, Pronoun):
            agent = self.agent(verb)
        time = self.pick(modifiers.PAST_TIMES) if not agent.relative and self.chance(0.5) else None
        return Sentence(Event(verb, agent, object=thing, time=time), passive=True)


CREATING = {"building", "writing", "cooking", "planting"}
_OUTDOORS = [p for p in PLACES if p.en in "garden park harbour square hill island castle".split()]
_COOKING = [p for p in PLACES if p.en in "kitchen bakery restaurant hotel".split()]
_LEARNING = [p for p in PLACES if p.en in "classroom school library museum office".split()]
_WET = [p for p in PLACES if p.en in "beach harbour hotel".split()]
PLACES_OF = {
    **dict.fromkeys(("feeding", "planting", "watering", "building", "running"), _OUTDOORS),
    **dict.fromkeys(("cooking", "eating", "drinking"), _COOKING),
    **dict.fromkeys(("teaching", "learning"), _LEARNING),
    "swimming": _WET,
}
WHO = Pronoun("who", "who", "", "谁", False)
WHAT = Pronoun("what", "what", "", "什么", False)
VERB_WEIGHTS = [verb.weight for verb in VERBS]
OBJECTS: dict[Verb, list[Noun]] = {
    verb: list(
        {
            n.en: n for c in sorted(verb.objects) for n in WITH_CLASS.get(c, []) + (PLACES if c == "place" else [])
        }.values()
    )
    for verb in VERBS
}
WITH_JOB = {"healer": [job for job in lexicon.JOBS if "healer" in job.classes]}
RELATIVE_VERBS = [v for v in VERBS if not (v.state and v.kind != "living" and v.kind != "wearing") and v.en[-1][0] not in "CIG"
                  and "healer" not in v.agents]  # fmt: skip
_ACTIVE = [v for v in VERBS if not v.state and v.en[-1][0] != "C"]
ASKABLE = {
    **dict.fromkeys(("whether", "agent", "time", "reason"), _ACTIVE),
    "place": [v for v in _ACTIVE if v.places and v.en[-1][0] not in "DIG"],
    "object": [v for v in _ACTIVE if v.objects and all(noun in lexicon.THINGS for noun in OBJECTS[v])
               and v.kind not in ("drinking", "taking", "riding", "waiting", "playing") and "person" not in v.objects],
}  # fmt: skip
PATIENT = next(n for n in lexicon.PEOPLE if n.en == "patient")
TREAT = next(v for v in VERBS if v.kind == "treating")
PASSIVE_VERBS = [v for v in VERBS if v.disposal and v.en == (("V", "verb"), ("O", "verb"))]
SMALL = [n for n in lexicon.THINGS if n.classes & {"small", "pet"}]
RELATIVE_OBJECT = {
    noun: [v for v in VERBS if noun in OBJECTS[v] and not v.state and v.kind in
           {"giving", "sending", "selling", "lending", "buying", "borrowing", "putting", "hiding", "leaving", "finding",
            "losing", "repairing", "washing", "writing", "painting", "planting", "building"}]
    for noun in lexicon.THINGS
}  # fmt: skip
