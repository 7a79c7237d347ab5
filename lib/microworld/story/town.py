"""The state of the town while a story is told: where people are, what they hold, and where things lie."""

from dataclasses import dataclass

from microworld.events import Location
from microworld.words.adjectives import Adjective
from microworld.words.nouns import Noun, Pronoun
from microworld.words.people import THEY


@dataclass(slots=True, eq=False)
class Person:
    """Somebody in a story: by name, by job ("the baker"), by family ("Anna's brother"), or a group."""

    noun: Noun
    pronoun: Pronoun
    determiner: str = ""
    owner: "Person | None" = None

    @property
    def key(self) -> str:
        """How facts call this person."""
        if self.owner:
            return f"{self.owner.key}'s {self.noun.en}"
        if not self.determiner:
            return self.noun.en
        return f"{self.determiner} {self.noun.plural if self.pronoun is THEY else self.noun.en}"


@dataclass(slots=True, eq=False)
class Thing:
    """A thing in a story, which has no other thing with this noun; `known` says whether the text has mentioned it."""

    noun: Noun
    adjectives: tuple[Adjective, ...] = ()
    owner: Person | None = None
    known: bool = False

    @property
    def key(self) -> str:
        """How facts call this thing."""
        return self.noun.en


@dataclass(slots=True, eq=False)
class Spot:
    """A place in a room where a thing can lie: in the drawer, on the table."""

    location: Location
    room: Noun

    @property
    def key(self) -> str:
        """How facts call this spot."""
        return f"{self.location.preposition.en} the {self.location.phrase.noun.en}"


class Town:
    """The places of persons and things. Each method first checks that the deed is possible, and then changes the state.

    Raises:
        ValueError: the deed is not possible; the message says who takes part and why.
    """

    def __init__(self) -> None:
        self.place: dict[Person, Noun] = {}
        self.holder: dict[Thing, Person] = {}
        self.spot: dict[Thing, Spot] = {}

    def go(self, who: Person, place: Noun) -> None:
        """Somebody goes to another place, with everything that they hold."""
        if self.place.get(who) is place:
            raise ValueError(f"{who.key} is already at the {place.en}")
        self.place[who] = place

    def get(self, who: Person, what: Thing) -> None:
        """Somebody gets a thing that is new to the story."""
        if what in self.holder or what in self.spot:
            raise ValueError(f"the {what.key} is already in the story")
        self.holder[what] = who

    def put(self, who: Person, what: Thing, spot: Spot) -> None:
        """Somebody puts down a thing that they hold, in the room where they are."""
        self.needs(who, what)
        if self.place.get(who) is not spot.room:
            raise ValueError(f"{who.key} isn't in the {spot.room.en}")
        del self.holder[what]
        self.spot[what] = spot

    def take(self, who: Person, what: Thing) -> None:
        """Somebody takes a thing that lies in the room where they are."""
        if what not in self.spot or self.place.get(who) is not self.spot[what].room:
            raise ValueError(f"{who.key} can't reach the {what.key}")
        del self.spot[what]
        self.holder[what] = who

    def give(self, who: Person, what: Thing, whom: Person) -> None:
        """Somebody gives a thing to somebody in the same place."""
        self.needs(who, what)
        self.meets(who, whom)
        self.holder[what] = whom

    def lose(self, who: Person, what: Thing) -> None:
        """Somebody uses up a thing: it is gone."""
        self.needs(who, what)
        del self.holder[what]

    def needs(self, who: Person, what: Thing) -> None:
        """Check that somebody holds a thing."""
        if self.holder.get(what) is not who:
            raise ValueError(f"{who.key} doesn't hold the {what.key}")

    def meets(self, who: Person, whom: Person) -> None:
        """Check that two persons are in the same place."""
        if who is whom or self.place.get(who) is None or self.place.get(who) is not self.place.get(whom):
            raise ValueError(f"{who.key} and {whom.key} aren't in the same place")
