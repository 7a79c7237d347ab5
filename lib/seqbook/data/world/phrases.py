"""Chooses who is meant and where it was: names, owners, properties, places."""

from collections.abc import Sequence
from random import Random

from seqbook.data.world import lexicon, modifiers
from seqbook.data.world.choices import AROUND, AT, CONTAINERS, FURNITURE, IN, ON, PLACES_OF, SURFACES
from seqbook.data.world.draw import Draw
from seqbook.data.world.events import Location, Phrase
from seqbook.data.world.lexicon import HE, PRONOUNS, SHE
from seqbook.data.world.nouns import Noun, Pronoun
from seqbook.data.world.things import PLACES
from seqbook.data.world.verbs import Verb


class Phrases(Draw):
    """Draws mentions from `rng`; `detail` in [0, 1] is how likely each embellishment is."""

    def __init__(self, rng: Random) -> None:
        super().__init__(rng)
        self.detail = 0.0
        self.mentioned: set[str] = set()

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

    @staticmethod
    def pronoun_of(noun: Noun | Pronoun) -> Pronoun | None:
        """He, she, or the pronoun itself; None for those whose gender isn't known."""
        if isinstance(noun, Pronoun):
            return noun if noun in PRONOUNS else None
        if "female" in noun.classes or modifiers.GENDER.get(noun) == "female":
            return SHE
        return HE if "male" in noun.classes or modifiers.GENDER.get(noun) == "male" else None

    def owner(self, agent: Phrase | None) -> Phrase:
        """Whose: the agent's own, or somebody's by name."""
        if agent is not None and not agent.plural and self.chance(0.6):
            pronoun = self.pronoun_of(agent.noun)
            if pronoun:
                return Phrase(pronoun)
        if self.chance(0.25):
            return Phrase(self.pick(PRONOUNS))
        return self.name()

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

    def place_town(self) -> Location:
        """In a town."""
        return Location(IN, Phrase(self.pick(lexicon.TOWNS)))

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
