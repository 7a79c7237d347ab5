"""Draws noun phrases and places: people, things, their owners and their properties."""

from collections.abc import Callable, Sequence

from microworld.draw.dice import Dice
from microworld.events import Event, Location, Phrase, place_of
from microworld.words.adjectives import ADJECTIVES, DIMENSION, Adjective
from microworld.words.modifiers import AROUND, IN, NUMBERS, ON, PLURAL
from microworld.words.names import NAMES, RIVERS, STREETS, TOWNS
from microworld.words.nouns import Noun, Pronoun
from microworld.words.people import JOBS, KIN, PEOPLE, PRONOUNS, pronoun_of
from microworld.words.selection import ADJECTIVES_OF
from microworld.words.things import PLACES, THINGS
from microworld.words.verbs import Verb

_ORDER = {adjective: i for i, adjective in enumerate(ADJECTIVES)}
_STRANGERS = [*JOBS, *JOBS, *PEOPLE]  # people who are described; a job is drawn twice as often
_SURFACES = [n for n in THINGS if "surface" in n.classes]
_CONTAINERS = [n for n in THINGS if "container" in n.classes]
_FURNITURE = [n for n in THINGS if n.en in "table bed chair shelf piano mirror clock".split()]
_OUTDOORS, _COOKING, _LEARNING, _WET = (
    [place for place in PLACES if place.en in names.split()]
    for names in (
        "garden park harbour square hill island castle", "kitchen bakery restaurant hotel",
        "classroom school library museum office", "beach harbour hotel",
    )
)  # fmt: skip
# Where events of a kind happen; all others can happen anywhere.
PLACES_OF = {
    **dict.fromkeys(("feeding", "planting", "watering", "building", "running"), _OUTDOORS),
    **dict.fromkeys(("cooking", "eating", "drinking"), _COOKING),
    **dict.fromkeys(("teaching", "learning"), _LEARNING),
    "swimming": _WET,
}
RelativeClause = Callable[[str, Noun, bool], Event | None]  # (gap, noun, whether it is plural) -> a clause or none


class Phrases:
    """Draws noun phrases.

    Attributes:
        detail: in [0, 1], how likely optional parts (adjectives, relative clauses, places, times) are.
        mentioned: nouns that the current sentence has used already.
    """

    def __init__(self, rng: Dice, detail: float = 0.0) -> None:
        self.rng = rng
        self.detail = detail
        self.mentioned: set[str] = set()

    def unused(self, options: Sequence) -> Noun | Pronoun:
        """One of the options that this sentence hasn't mentioned yet."""
        while True:
            noun = self.rng.pick(options)
            if noun.en not in self.mentioned:
                self.mentioned.add(noun.en)
                return noun

    def name(self) -> Phrase:
        """Somebody by name."""
        return Phrase(self.unused(NAMES))

    def person(self, other: Phrase | None, clause: RelativeClause | None = None) -> Phrase:
        """A person other than `other`: by name, by job, by family, or as a pronoun; `clause` draws relative clauses."""
        rng, draw = self.rng, self.rng.random()
        if draw < 0.42:
            first = self.name()
            return first.but(other=self.name()) if other is None and rng.chance(0.08) else first
        if draw < 0.68:
            return self.described(self.unused(_STRANGERS), clause)
        if draw < 0.88:
            noun = self.unused(KIN)
            return Phrase(noun, owner=self.owner(other), adjectives=self.adjectives(noun, 1))
        if other is not None and isinstance(other.noun, Pronoun):
            return self.name()
        return Phrase(self.unused(PRONOUNS))

    def described(self, noun: Noun, clause: RelativeClause | None) -> Phrase:
        """A person by description: the old doctor who visited Oxford."""
        rng = self.rng
        determiner = rng.pick(("the", "the", "the", "a", "a", "this", "that", "some", "two", "several", "those"))
        if determiner in ("some", "two", "several", "those") and rng.chance(0.5):
            determiner = rng.pick(NUMBERS[:5]) if determiner == "two" else "the"
        relative = None
        if clause and determiner not in ("this", "that", "those"):
            relative = clause("agent", noun, determiner in PLURAL)
        return Phrase(noun, determiner, adjectives=self.adjectives(noun, 2), relative=relative)

    def thing(self, noun: Noun, agent: Phrase | None, clause: RelativeClause | None, *, one: bool = False) -> Phrase:
        """A noun phrase for a thing: the red umbrella, two old books, her coat, London.

        Args:
            noun: the thing.
            agent: who does something to it, and may be its owner.
            clause: draws a relative clause, where one is allowed.
            one: whether the noun must stay singular.
        """
        rng, classes = self.rng, noun.classes
        if classes & {"town", "bare", "street"}:
            return Phrase(noun)
        if classes & {"river", "ridden"}:
            return Phrase(noun, "the" if "river" in classes or rng.chance(0.6) else "a")
        adjectives = self.adjectives(noun, 2)
        draw = rng.random()
        if "mass" in classes:
            determiner = "the" if draw < 0.35 else "some" if draw < 0.6 else "a" if draw < 0.85 else None
            return Phrase(noun, determiner or rng.pick(NUMBERS[:4]), adjectives=adjectives)
        if "goods" in classes and draw < (0.12 if clause else 0.2):
            return Phrase(noun, owner=self.owner(agent), adjectives=adjectives)
        if draw < 0.5 or (draw >= 0.82 and (one or noun in PLACES)):
            determiner = "the"
        elif draw < 0.7:
            determiner = "a"
        elif draw < 0.82:
            determiner = rng.pick(("this", "that", "another"))
        else:
            determiner = rng.pick((*NUMBERS, "several", "many", "some", "these", "those"))
        relative = None
        if clause and determiner not in ("this", "that", "another", "these", "those"):
            relative = clause("object", noun, determiner in PLURAL)
        return Phrase(noun, determiner, adjectives=adjectives, relative=relative)

    def owner(self, agent: Phrase | None) -> Phrase:
        """Whose: the agent's own, or somebody's by name."""
        if agent is not None and not agent.plural and self.rng.chance(0.6):
            pronoun = pronoun_of(agent.noun)
            if pronoun:
                return Phrase(pronoun)
        return Phrase(self.rng.pick(PRONOUNS)) if self.rng.chance(0.25) else self.name()

    def adjectives(self, noun: Noun, most: int) -> tuple[Adjective, ...]:
        """Up to `most` adjectives that go together, in the order of English."""
        options = ADJECTIVES_OF[noun]
        probability = 0.1 + 0.45 * self.detail
        count = sum([self.rng.chance(probability) for _ in range(most)])
        if not options or not count:
            return ()
        chosen: dict = {}
        for _ in range(count):
            adjective = self.rng.pick(options)
            if not (adjective.zh[-1] == "的" and any(a.zh[-1] == "的" for a in chosen.values())):
                chosen.setdefault(DIMENSION[adjective], adjective)
        return tuple(sorted(chosen.values(), key=_ORDER.__getitem__))

    def place(self, kind: str = "") -> Location:
        """Where an event of this kind happens."""
        rng = self.rng
        if kind == "swimming" and rng.chance(0.7):
            return place_of(rng.pick(RIVERS))
        if rng.chance(0.3):
            return place_of(rng.pick(TOWNS))
        if rng.chance(0.12):
            return place_of(rng.pick(STREETS))
        noun = rng.pick(PLACES_OF.get(kind, PLACES))
        determiner = "the" if rng.chance(0.85) else "a"
        return Location(place_of(noun).preposition, Phrase(noun, determiner, adjectives=self.adjectives(noun, 1)))

    def destination(self, verb: Verb) -> Location:
        """Where a thing is put, or where somebody lives."""
        rng = self.rng
        if verb.kind == "living":
            return place_of(rng.pick(TOWNS if rng.chance(0.6) else STREETS))
        draw = rng.random()
        preposition, nouns = (
            (ON, _SURFACES) if draw < 0.4 else (IN, _CONTAINERS) if draw < 0.7 else (rng.pick(AROUND), _FURNITURE)
        )
        noun = self.unused(nouns)
        return Location(preposition, Phrase(noun, "the", adjectives=self.adjectives(noun, 1)))
