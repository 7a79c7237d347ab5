"""Coreference: which person or thing a phrase of a story refers to: "she", "the key", "Anna's brother"."""

from microworld.reader.claims import Reading
from microworld.reader.grammar import NOUNS, OWNERS, Mention, grammar
from microworld.story.town import Person, Thing
from microworld.words.adjectives import ADJECTIVE
from microworld.words.nouns import Noun, Pronoun
from microworld.words.people import HE, ITSELF, SHE, THEY, pronoun_of

EITHER = Pronoun("he or she", "him or her", "", "", False)  # the baker, until a pronoun shows the gender
OTHER = {HE: SHE, SHE: HE}
NEW = ("have", "buy", "write", "find", "give")  # deeds whose object can be new to the story


class Mentions:
    """The persons and things that a story has mentioned.

    Args:
        reading: where claims are counted.
    """

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.people: dict[str, Person] = {}
        self.things: dict[str, Thing] = {}
        self.before: list[Person | Thing] = []  # mentioned in the last sentence
        self.now: list[Person | Thing] = []  # mentioned in this one so far

    def next_sentence(self) -> None:
        """A sentence ends."""
        self.before, self.now = self.now, []

    def mention(self, deed: str, role: str, said: Mention) -> Person | Thing | Noun | None:
        """The person or thing that a phrase refers to; None if there is none."""
        if said.kind == "pronoun":
            return self.meant(said.noun)
        if said.kind == "thing":
            return self._thing(deed, said)
        if role == "object":
            if deed == "like":
                self.reading.claim("who", said.key in self.people, f"nobody has told of {said.key}")
            return said.noun
        owner = self._whose(said.owner) if said.owner else None
        if said.owner and not owner:
            return None
        key = f"{owner.key}'s {said.word}" if owner else said.key
        if (deed, role, NOUNS[said.noun.en][0]) not in grammar().introduced:
            self.reading.claim("who", key in self.people, f"nobody has told of {key}")
        if key not in self.people:
            determiner = "" if said.kind in ("name", "kin") else key.rpartition(" ")[0]
            self.people[key] = Person(said.noun, gender(said), determiner, owner)
        self.now.append(self.people[key])
        return self.people[key]

    def _thing(self, deed: str, said: Mention) -> Thing | Noun | None:
        """A new thing ("a key"), a known thing ("the key"), or a noun if the thing is only talked about ("wanted a key")."""
        known = self.things.get(said.word)
        owner = self._whose(said.owner) if said.owner else None
        if said.owner and not owner:
            return None
        if said.determiner == "a/an":
            if deed not in NEW:
                return said.noun
            self.reading.claim("who", known is None, f"there is a {said.word} already")
            self.things[said.word] = Thing(said.noun, (ADJECTIVE[said.adjective],) if said.adjective else ())
        elif not self.reading.claim("who", known is not None, f"nobody has told of a {said.word}"):
            return None
        else:
            if said.adjective:
                self.reading.claim(
                    "who", said.adjective in [a.en for a in known.adjectives], f"the {said.word} isn't {said.adjective}"
                )
            if owner and known.owner:
                self.reading.claim("who", known.owner is owner, f"the {said.word} isn't {owner.key}'s")
        self.now.append(self.things[said.word])
        return self.things[said.word]

    def _whose(self, owner: str) -> Person | None:
        """The owner that "her" or "Anna's" refers to."""
        if owner in OWNERS:
            return self.meant(OWNERS[owner])
        if not self.reading.claim("who", owner in self.people, f"nobody has told of {owner}"):
            return None
        self.now.append(self.people[owner])
        return self.people[owner]

    def meant(self, pronoun: Pronoun) -> Person | Thing | None:
        """The one antecedent that a pronoun can have in this sentence and the one before; None if there isn't exactly one."""
        if pronoun is ITSELF:
            things = [[one for one in recent if isinstance(one, Thing)] for recent in (self.now, self.before)]
            found = list(dict.fromkeys(things[0] or things[1]))
        else:
            people = dict.fromkeys(one for one in [*self.before, *self.now] if isinstance(one, Person))
            unknown = [one for one in people if one.pronoun is EITHER] if pronoun in OTHER else []
            found = [one for one in people if one.pronoun is pronoun]
            for one in unknown:  # a baker of unknown gender now gets the one that makes the pronoun unambiguous
                one.pronoun = OTHER[pronoun] if found else pronoun
            found = found or unknown
        if not self.reading.claim(
            "who", len(found) == 1, f"{pronoun.en!r} can mean {' or '.join(one.key for one in found) or 'nobody'}"
        ):
            return None
        self.now.append(found[0])
        return found[0]


def gender(said: Mention) -> Pronoun:
    """The pronoun for a person."""
    if said.kind == "people":
        return THEY
    return pronoun_of(said.noun) or EITHER
