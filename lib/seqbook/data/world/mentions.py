"""Whom and what the phrases of a story mean to somebody who hears it: "she", "the key", "Anna's brother"."""

from collections import Counter
from dataclasses import dataclass, field

from seqbook.data.world import modifiers
from seqbook.data.world.grammar import NOUNS, OWNERS, Mention, grammar
from seqbook.data.world.lexicon import HE, SHE, THEY
from seqbook.data.world.nouns import Noun, Pronoun
from seqbook.data.world.story import FEELINGS
from seqbook.data.world.telling import ITSELF
from seqbook.data.world.town import Person, Thing

EITHER = Pronoun("he or she", "him or her", "", "", False)  # the baker, before a pronoun tells
OTHER = {HE: SHE, SHE: HE}
NEW = ("have", "buy", "write", "find", "give")  # what these are done to may be new to the story


@dataclass
class Reading:
    """What was found in one story or, added up, in many: sentences, and claims of four kinds.

    "who": that a phrase means somebody or something known. "has": who holds what. "where": who and what is where.
    "when": that times follow one another.
    """

    sentences: int = 0
    parsed: int = 0
    claims: Counter[str] = field(default_factory=Counter)
    contradictions: list[tuple[str, str]] = field(default_factory=list)  # (kind, why the claim doesn't hold)

    @property
    def grammatical(self) -> float:
        """The share of the sentences that the grammar parses."""
        return self.parsed / max(self.sentences, 1)

    def kept(self, kind: str = "") -> float:
        """The share of the claims (of all, or of one kind) that nothing told before contradicts."""
        against = sum(kind in ("", broken) for broken, _ in self.contradictions)
        return 1 - against / max(self.claims[kind] if kind else self.claims.total(), 1)


class Mentions:
    """Who and what a story has spoken of, and how much of what it claims so far holds."""

    def __init__(self) -> None:
        self.reading = Reading()
        self.people: dict[str, Person] = {}
        self.things: dict[str, Thing] = {}
        self.before: list[Person | Thing] = []  # in the sentence before
        self.now: list[Person | Thing] = []  # in this one, so far

    def claim(self, kind: str, holds: bool, otherwise: str) -> bool:
        """Count a claim and, if it doesn't hold, why not."""
        self.reading.claims[kind] += 1
        if not holds:
            self.reading.contradictions.append((kind, otherwise))
        return holds

    def mention(self, deed: str, role: str, said: Mention) -> Person | Thing | Noun | None:
        """Whom or what a phrase means; None if it can mean nobody."""
        if said.kind == "pronoun":
            return self.meant(said.noun)
        if said.kind == "thing":
            return self.thing(deed, said)
        if role == "object":
            if deed == "like":
                self.claim("who", self.key(said) in self.people, f"nobody has told of {self.key(said)}")
            return said.noun
        owner = self.whose(said.owner) if said.owner else None
        if said.owner and not owner:
            return None
        key = f"{owner.key}'s {said.word}" if owner else self.key(said)
        if (deed, role, NOUNS[said.noun.en][0]) not in grammar().introduced:
            self.claim("who", key in self.people, f"nobody has told of {key}")
        if key not in self.people:
            determiner = "" if said.kind in ("name", "kin") else key.rpartition(" ")[0]
            self.people[key] = Person(said.noun, gender(said), determiner, owner)
        self.now.append(self.people[key])
        return self.people[key]

    @staticmethod
    def key(said: Mention) -> str:
        """How facts call somebody: Anna, the baker, the two tourists."""
        if said.kind == "name":
            return said.word
        number = said.determiner.removeprefix("the").strip()
        return f"the {number} {said.word}" if number else f"the {said.word}"

    def thing(self, deed: str, said: Mention) -> Thing | Noun | None:
        """A thing that the story has from now on ("a key"), or has already ("the key"), or that it only talks of."""
        known = self.things.get(said.word)
        owner = self.whose(said.owner) if said.owner else None
        if said.owner and not owner:
            return None
        if said.determiner == "a/an":
            if deed not in NEW:
                return said.noun
            self.claim("who", known is None, f"there is a {said.word} already")
            self.things[said.word] = Thing(said.noun, (FEELINGS[said.adjective],) if said.adjective else ())
        elif not self.claim("who", known is not None, f"nobody has told of a {said.word}"):
            return None
        else:
            if said.adjective:
                self.claim(
                    "who", said.adjective in [a.en for a in known.adjectives], f"the {said.word} isn't {said.adjective}"
                )
            if owner and known.owner:
                self.claim("who", known.owner is owner, f"the {said.word} isn't {owner.key}'s")
        self.now.append(self.things[said.word])
        return self.things[said.word]

    def whose(self, owner: str) -> Person | None:
        """Whom "her" or "Anna's" means."""
        if owner in OWNERS:
            return self.meant(OWNERS[owner])
        if not self.claim("who", owner in self.people, f"nobody has told of {owner}"):
            return None
        self.now.append(self.people[owner])
        return self.people[owner]

    def meant(self, pronoun: Pronoun) -> Person | Thing | None:
        """The only one whom a pronoun can mean, of those who were in this sentence so far or in the one before."""
        if pronoun is ITSELF:
            things = [[one for one in recent if isinstance(one, Thing)] for recent in (self.now, self.before)]
            found = list(dict.fromkeys(things[0] or things[1]))
        else:
            people = dict.fromkeys(one for one in [*self.before, *self.now] if isinstance(one, Person))
            unknown = [one for one in people if one.pronoun is EITHER] if pronoun in OTHER else []
            found = [one for one in people if one.pronoun is pronoun]
            for one in unknown:  # had the baker been a woman, "she" would not have been clear
                one.pronoun = OTHER[pronoun] if found else pronoun
            found = found or unknown
        if not self.claim(
            "who", len(found) == 1, f"{pronoun.en!r} can mean {' or '.join(one.key for one in found) or 'nobody'}"
        ):
            return None
        self.now.append(found[0])
        return found[0]


def gender(said: Mention) -> Pronoun:
    """How one speaks of somebody from now on."""
    if said.kind == "people":
        return THEY
    sex = modifiers.GENDER.get(said.noun) or next(iter(said.noun.classes & {"female", "male"}), "")
    return {"female": SHE, "male": HE}.get(sex, EITHER)
