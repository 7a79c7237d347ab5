"""A story in progress. Each deed changes the town and is added to the text, so text and facts always agree."""

from functools import cache, cached_property

from microworld.draw.dice import Dice
from microworld.events import Event, Location, Phrase, held_out, place_of
from microworld.story.telling import Telling
from microworld.story.text import Text
from microworld.story.town import Person, Spot, Thing, Town
from microworld.words.adjectives import ADJECTIVE, Adjective
from microworld.words.modifiers import BEHIND, FROM, IN, ON, UNDER, Word
from microworld.words.names import NAMES
from microworld.words.nouns import Noun
from microworld.words.people import HE, ITSELF, JOBS, KIN, PEOPLE, SHE, pronoun_of
from microworld.words.selection import ADJECTIVES_OF
from microworld.words.story_verbs import TOLD
from microworld.words.things import PLACES, THINGS
from microworld.words.verbs import IS_AT

NOUN = {noun.en: noun for noun in [*THINGS, *PLACES, *JOBS, *PEOPLE, *KIN]}
PRIZES = [Noun(en, en + "s", "", "", frozenset()) for en in ("award", "prize", "medal")]
ADJECTIVES = set("old new beautiful heavy warm red blue green yellow white black brown".split())  # of a story's things
# Where things can be put in each room.
ROOMS: dict[str, list[tuple[Word, str]]] = {
    "kitchen": [(ON, "table"), (ON, "shelf"), (IN, "drawer"), (IN, "basket"), (UNDER, "table"), (IN, "box")],
    "bedroom": [(UNDER, "bed"), (ON, "bed"), (IN, "drawer"), (ON, "chair"), (IN, "box"), (IN, "bag")],
    "office": [(ON, "table"), (IN, "drawer"), (ON, "shelf"), (IN, "bag"), (BEHIND, "computer")],
    "classroom": [(ON, "table"), (ON, "chair"), (IN, "bag"), (ON, "shelf"), (UNDER, "chair")],
    "library": [(ON, "shelf"), (ON, "table"), (UNDER, "table"), (BEHIND, "clock"), (ON, "chair")],
    "garden": [(ON, "chair"), (IN, "basket"), (UNDER, "tree"), (ON, "wall"), (UNDER, "chair")],
}
_ROOMS = [NOUN[room] for room in ROOMS]
_AWAY = [p for p in PLACES if p.en in "park library museum market station hospital bakery restaurant school church square "
         "beach harbour castle theatre bank hotel".split()]  # fmt: skip
FREE = 0.35  # of the stories may use held-out combinations; some of them do
_LATER, _PLAIN = Word("later", ""), Word("", "")


class Story:
    """The persons, things and places of one story, and what can happen to them.

    Attributes:
        town: where everybody and everything is now.
        telling: the story as far as it was told.
        free: whether the story may use held-out combinations.
        used: nouns that have a referent already: "the key" is one key.
        spots: the room of each piece of furniture: "the table" is one table.
    """

    def __init__(self, rng: Dice) -> None:
        self.rng = rng
        self.town = Town()
        self.telling = Telling(rng)
        self.met: list[Noun] = []
        self.free = rng.chance(FREE)
        self.used: set[str] = set()
        self.spots: dict[str, Noun] = {}

    @cached_property
    def text(self) -> Text:
        """The finished story, realized when it is first used (stories that are too long are never used)."""
        return self.telling.text()

    def somebody(self, gender: str = "") -> Person:
        """Somebody new by name."""
        while True:
            noun = self.rng.pick(NAMES)
            if noun not in self.met and (not gender or gender in noun.classes):
                self.met.append(noun)
                return Person(noun, pronoun_of(noun))

    def two(self) -> tuple[Person, Person]:
        """Two people by name, usually a woman and a man, so that "she" and "he" tell them apart."""
        first = self.somebody()
        other = {HE: "female", SHE: "male"}[first.pronoun]
        return first, self.somebody(other if self.rng.chance(0.8) else "")

    def professional(self, jobs: str) -> Person:
        """Somebody by job: the baker."""
        noun = NOUN[self.rng.pick(jobs.split())]
        return Person(noun, pronoun_of(noun) or self.rng.pick((SHE, HE)), "the")

    def relation(self, owner: Person) -> Person:
        """A relative with another pronoun: Anna's brother."""
        kin = "brother father uncle grandfather" if owner.pronoun is SHE else "sister mother aunt grandmother"
        return Person(NOUN[self.rng.pick(kin.split())], HE if owner.pronoun is SHE else SHE, "", owner)

    def new_thing(self, kinds: str, owner: Person | None = None) -> Thing:
        """A thing that the story doesn't have yet, and whose noun or class is one of `kinds`."""
        noun = self.rng.pick([noun for noun in _of_kinds(kinds) if noun.en not in self.used])
        self.used.add(noun.en)
        options = _adjectives_for(noun, self.free)
        adjectives = (self.rng.pick(options),) if options and self.rng.chance(0.35) else ()
        return Thing(noun, adjectives, owner)

    def room(self, *but: Noun | None) -> Noun:
        """A room with furniture."""
        return self.rng.pick([room for room in _ROOMS if room not in but])

    def away(self, *but: Noun | None) -> Noun:
        """Somewhere else in town."""
        return self.rng.pick([place for place in _AWAY if place not in but])

    def pair(self) -> tuple[str, str]:
        """How to join two deeds of the same person: "went … and met", "When she went …, she met"."""
        return self.rng.pick((("", "and"), ("", "and"), ("", "and"), ("when", ","), ("after", ",")))

    def _spots_for(self, room: Noun, thing: Thing, *but: Spot) -> list[tuple[Word, str]]:
        """Where in the room a thing can be put, as (preposition, noun), except the spots `but`."""
        taken = {spot.location.phrase.noun.en for spot in but}
        small, food = "small" in thing.noun.classes, "food" in thing.noun.classes
        options = [
            (p, n) for p, n in ROOMS[room.en]
            if self.spots.get(n, None if n in self.used else room) is room and n not in taken
            and (small or p is not IN) and not (food and p is not ON)
        ]  # fmt: skip
        if self.free:
            return options
        return [o for o in options if not held_out(f"{thing.key} {o[1]}")] or options

    def start(self, who: Person, place: Noun) -> None:
        """Somebody is somewhere when the story begins; the text does not say so."""
        self.town.place[who] = place

    def owns(self, who: Person, what: Thing, join: str = "") -> None:
        """Somebody has a thing."""
        self.town.get(who, what)
        self.telling.tell("have", who, what=what, join=join)

    def is_at(self, who: Person, place: Noun, **how) -> None:
        """Somebody is somewhere."""
        self.town.place[who] = place
        self.telling.tell("be at", who, place=place_of(place), fact={"where": place.en}, **how)

    def go(self, who: Person, place: Noun, deed: str = "go", **how) -> None:
        """Somebody goes somewhere."""
        self.town.go(who, place)
        self.telling.tell(deed, who, to=place, fact={"what": "", "where": place.en}, **how)

    def meet(self, who: Person, whom: Person, **how) -> None:
        """Two people meet where the first one is."""
        place = self.town.place[who]
        self.town.place[whom] = place
        self.telling.tell("meet", who, whom=whom, fact={"where": place.en}, **how)

    def buy(self, who: Person, what: Thing, **how) -> None:
        """Somebody buys a thing where they are."""
        self.town.get(who, what)
        self.telling.tell("buy", who, what=what, **how)

    def put(self, who: Person, what: Thing, *but: Spot, **how) -> Spot:
        """Somebody puts down or hides a thing that they hold, not in the spots `but`."""
        room = self.town.place[who]
        options = self._spots_for(room, what, *but)
        dark = [(p, n) for p, n in options if p is not ON]
        hides = dark and "small" in what.noun.classes and self.rng.chance(0.35)
        preposition, noun = self.rng.pick(dark if hides else options)
        self.spots[noun] = room
        self.used.add(noun)
        spot = Spot(Location(preposition, Phrase(NOUN[noun], "the")), room)
        self.town.put(who, what, spot)
        self.telling.tell("hide" if hides else self.rng.pick(("put", "put", "leave")), who, what=what, spot=spot, **how)
        return spot

    def take(self, who: Person, what: Thing, *, found: bool = False, keeps: bool = False, **how) -> None:
        """Somebody takes a thing that lies where they are; `found`: says that they find it; `keeps`: and then take it."""
        spot = self.town.spot[what]
        self.town.take(who, what)
        if found or spot.location.preposition not in (ON, IN):
            self.telling.tell("find at", who, what=what, spot=spot, **how)
            if keeps:
                self.telling.tell("keep", who, what=what, join="and")
        else:
            source = Location(FROM, spot.location.phrase)
            self.telling.tell("take", who, what=what, place=source, fact={"where": spot.key}, **how)

    def give(self, who: Person, what: Thing, whom: Person, deed: str = "give", **how) -> None:
        """Somebody gives a thing to somebody."""
        self.town.give(who, what, whom)
        self.telling.tell(deed, who, what=what, whom=whom, **how)

    def use(self, who: Person, what: Thing, deed: str, **how) -> None:
        """Somebody does something with a thing that they hold."""
        self.town.needs(who, what)
        self.telling.tell(deed, who, what=what, **how)

    def eat(self, who: Person, what: Thing, **how) -> None:
        """Somebody eats a thing, which is then gone."""
        self.town.lose(who, what)
        self.telling.tell("eat", who, what=what, **how)

    def social(self, deed: str, who: Person, whom: Person, **how) -> None:
        """Somebody thanks, helps or talks to somebody who is there."""
        self.town.meets(who, whom)
        self.telling.tell(deed, who, whom=whom, **how)

    def answer(self, who: Person, whom: Person, what: Thing) -> None:
        """Somebody says where a thing is, which is true."""
        spot = self.town.spot[what]
        content = Event(IS_AT, Phrase(ITSELF), destination=spot.location)
        self.telling.tell("tell", who, whom=whom, content=content, fact={"what": what.key, "where": spot.key})

    def feel(self, who: Person, feeling: str, degree: str = "", **how) -> None:
        """How somebody feels."""
        self.telling.tell(
            "feel", who, quality=ADJECTIVE[feeling], degree=Word(degree, ""), fact={"what": feeling}, **how
        )

    def honour(self, who: Person, deed: str, whom: Person) -> None:
        """The doctor who treated the patient later received an award: the subject is far from its verb."""
        prize = Phrase(self.rng.pick(PRIZES), "a")
        self._far(who, deed, whom, "get", object=prize, frequency=_LATER, fact={"what": prize.noun.en})

    def remember(self, who: Person, whom: Person) -> None:
        """The two tourists who met the baker were happy: the verb agrees with the subject, not with the nearest noun."""
        feeling = self.rng.pick(("happy", "tired"))
        self._far(who, "meet", whom, "feel", quality=ADJECTIVE[feeling], degree=_PLAIN, fact={"what": feeling})

    def _far(self, who: Person, deed: str, whom: Person, verb: str, fact: dict, **parts) -> None:
        """A sentence whose subject has a relative clause."""
        relative = Event(TOLD[deed], Phrase(who.pronoun), recipient=Phrase(whom.noun, whom.determiner), gap="agent")
        event = Event(TOLD[verb], Phrase(who.noun, who.determiner, relative=relative), **parts)
        self.telling.tell_at_once(verb, who, event, fact)


@cache
def _of_kinds(kinds: str) -> list[Noun]:
    """The things whose noun or class is one of `kinds`."""
    wanted = set(kinds.split())
    return [noun for noun in THINGS if noun.en in wanted or noun.classes & wanted]


@cache
def _adjectives_for(noun: Noun, free: bool) -> list[Adjective]:
    """The adjectives that a thing of a story can have; if not `free`, without held-out combinations."""
    options = [a for a in ADJECTIVES_OF[noun] if a.en in ADJECTIVES]
    return [a for a in options if free or not held_out(f"{a.en} {noun.en}")]
