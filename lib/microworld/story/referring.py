"""Referring expressions: whether a story refers to somebody by name, by description or with a pronoun."""

from microworld.draw.dice import Dice
from microworld.events import Phrase
from microworld.story.town import Person, Thing
from microworld.words.nouns import Noun, Pronoun
from microworld.words.people import ITSELF

LONGEST_WITHOUT_NAME = 2  # sentences in a row


class Referring:
    """Chooses noun phrases for persons and things, and stores what was mentioned recently.

    Attributes:
        before: what the last sentence mentioned.
        now: what the current sentence has mentioned so far.
        referents: the person or thing that each pronoun of the current sentence refers to, by the pronoun's path.
    """

    def __init__(self, rng: Dice) -> None:
        self.rng = rng
        self.before: list[Person | Thing | Noun] = []
        self.now: list[Person | Thing | Noun] = []
        self.referents: dict[str, str] = {}
        self.unnamed: dict[Person | Thing, int] = {}  # for how many sentences in a row they were pronouns

    def next_sentence(self) -> None:
        """A sentence ends."""
        self.before, self.now, self.referents = self.now, [], {}

    def mention(self, who: Person | Thing, path: str) -> Phrase:
        """A pronoun where it is unambiguous (though not every time), else a name or a description."""
        pronoun = self._pronoun(who)
        if pronoun and (pronoun is ITSELF or who in self.now or self.rng.chance(0.88)):
            self.referents[path + "noun"] = who.key
            self.unnamed[who] = self.unnamed.get(who, 0) + (who not in self.now)
            self.now.append(who)
            return Phrase(pronoun)
        self.unnamed[who] = 0
        self.now.append(who)
        if isinstance(who, Thing):
            return self._description(who, path)
        if who.owner:
            return Phrase(who.noun, owner=self._owner(who.owner, path))
        return Phrase(who.noun, who.determiner)

    def _pronoun(self, who: Person | Thing) -> Pronoun | None:
        """The pronoun, if it can refer to nobody else of this sentence and the one before."""
        here = who in self.now
        if not here and (who not in self.before or self.unnamed.get(who, 0) >= LONGEST_WITHOUT_NAME):
            return None
        if isinstance(who, Person):
            for other in self.before + self.now:
                if other is not who and isinstance(other, Person) and other.pronoun is who.pronoun:
                    return None
            return who.pronoun
        # In "took the key from the box and hid it", readers don't think of the box.
        for other in self.now if here else self.before + self.now:
            if other is not who and (isinstance(other, Thing) if here else not isinstance(other, Person)):
                return None
        return ITSELF

    def _owner(self, owner: Person, path: str) -> Phrase:
        """Whose: her, Anna's."""
        if self._pronoun(owner):
            self.referents[path + "owner.noun"] = owner.key
            return Phrase(owner.pronoun)
        self.now.append(owner)
        return Phrase(owner.noun, owner.determiner)

    def _description(self, what: Thing, path: str) -> Phrase:
        """A thing with its adjectives at its first mention, "the key" or "her key" later."""
        first, what.known = not what.known, True
        adjectives = what.adjectives if first or self.rng.chance(0.12) else ()
        owned = what.owner and not first and (what.owner not in self.now or self._pronoun(what.owner))
        if owned and self.rng.chance(0.35):
            return Phrase(what.noun, owner=self._owner(what.owner, path), adjectives=adjectives)
        return Phrase(what.noun, "a" if first else "the", adjectives=adjectives)
