"""A story under way: each deed changes the town and is told, so that the text and its truth can't part."""

from random import Random

from seqbook.data.world import lexicon, modifiers
from seqbook.data.world.choices import AROUND, AT, IN, ON
from seqbook.data.world.events import Event, Location, Phrase, held_out
from seqbook.data.world.lexicon import HE, SHE
from seqbook.data.world.modifiers import Word
from seqbook.data.world.nouns import Adjective, Noun
from seqbook.data.world.story_verbs import TOLD
from seqbook.data.world.telling import ITSELF, Deed, Telling
from seqbook.data.world.things import PLACES, THINGS
from seqbook.data.world.town import Person, Spot, Thing, Town
from seqbook.data.world.verbs import IS_AT

NOUN = {noun.en: noun for noun in [*THINGS, *PLACES, *lexicon.JOBS, *lexicon.PEOPLE, *lexicon.KIN]}
UNDER, BEHIND, FROM = AROUND[0], AROUND[1], Word("from", "")
ROOMS: dict[str, list[tuple[Word, str]]] = {
    "kitchen": [(ON, "table"), (ON, "shelf"), (IN, "drawer"), (IN, "basket"), (UNDER, "table"), (IN, "box")],
    "bedroom": [(UNDER, "bed"), (ON, "bed"), (IN, "drawer"), (ON, "chair"), (IN, "box"), (IN, "bag")],
    "office": [(ON, "table"), (IN, "drawer"), (ON, "shelf"), (IN, "bag"), (BEHIND, "computer")],
    "classroom": [(ON, "table"), (ON, "chair"), (IN, "bag"), (ON, "shelf"), (UNDER, "chair")],
    "library": [(ON, "shelf"), (ON, "table"), (UNDER, "table"), (BEHIND, "clock"), (ON, "chair")],
    "garden": [(ON, "chair"), (IN, "basket"), (UNDER, "tree"), (ON, "wall"), (UNDER, "chair")],
}
AWAY = [p for p in PLACES if p.en in "park library museum market station hospital bakery restaurant school church square "
        "beach harbour castle theatre bank hotel".split()]  # fmt: skip
FEELINGS = {a.en: a for a in modifiers.ADJECTIVES}
FREE = 0.35  # of the stories may combine what training must not; some of them do
LATER = Word("later", "")


def place_of(noun: Noun) -> Location:
    """In the park, at the station, on the hill, in Oxford."""
    preposition = IN if "in" in noun.classes else ON if "on" in noun.classes else AT
    return Location(preposition, Phrase(noun, "" if noun.classes & {"town", "street", "org"} else "the"))


class Story(Telling):
    """Persons, things and places of one story, and what may happen to them."""

    def __init__(self, rng: Random) -> None:
        super().__init__(rng)
        self.town = Town()
        self.met: list[Noun] = []
        self.free = self.chance(FREE)
        self.used: set[str] = set()  # "the key" is one key: each noun means one thing
        self.spots: dict[str, Noun] = {}  # each piece of furniture stands in one room: "the table" is one table

    def somebody(self, gender: str = "") -> Person:
        """Somebody new by name."""
        while True:
            noun = self.pick(lexicon.NAMES)
            if noun not in self.met and (not gender or gender in noun.classes):
                self.met.append(noun)
                return Person(noun, SHE if "female" in noun.classes else HE)

    def two(self) -> tuple[Person, Person]:
        """Two by name, mostly a woman and a man, who can be told apart as "she" and "he"."""
        first = self.somebody()
        other = {HE: "female", SHE: "male"}[first.pronoun]
        return first, self.somebody(other if self.chance(0.8) else "")

    def professional(self, jobs: str) -> Person:
        """Somebody by job: the baker."""
        noun = NOUN[self.pick(jobs.split())]
        gender = modifiers.GENDER.get(noun)
        return Person(noun, {"female": SHE, "male": HE}.get(gender) or self.pick((SHE, HE)), "the")

    def relation(self, owner: Person) -> Person:
        """One of somebody's family, who can be told apart as "she" and "he": Anna's brother."""
        kin = "brother father uncle grandfather" if owner.pronoun is SHE else "sister mother aunt grandmother"
        return Person(NOUN[self.pick(kin.split())], HE if owner.pronoun is SHE else SHE, "", owner)

    def thing(self, kinds: str, owner: Person | None = None) -> Thing:
        """A thing of one of these classes, or one of these words, that the story doesn't have yet."""
        wanted = set(kinds.split())
        noun = self.pick([n for n in THINGS if (n.en in wanted or n.classes & wanted) and n.en not in self.used])
        self.used.add(noun.en)
        adjectives: tuple[Adjective, ...] = ()
        options = [
            a
            for a in modifiers.ADJECTIVES_OF[noun]
            if a.en in TELLING and (self.free or not held_out(f"{a.en} {noun.en}"))
        ]
        if options and self.chance(0.35):
            adjectives = (self.pick(options),)
        return Thing(noun, adjectives, owner)

    def room(self, *but: Noun | None) -> Noun:
        """A room with furniture."""
        return self.pick([NOUN[room] for room in ROOMS if NOUN[room] not in but])

    def away(self, *but: Noun | None) -> Noun:
        """Somewhere else in town."""
        return self.pick([place for place in AWAY if place not in but])

    def spots_for(self, room: Noun, thing: Thing, *but: Spot) -> list[tuple[Word, str]]:
        """Where in the room the thing may be put, as (preposition, noun): in none of the spots `but`."""
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

    def pair(self) -> tuple[str, str]:
        """How two deeds of the same person may be joined: "went … and met", "When she went …, she met"."""
        return self.pick((("", "and"), ("", "and"), ("", "and"), ("when", ","), ("after", ",")))

    def start(self, who: Person, place: Noun) -> None:
        """Somebody is somewhere as the story begins, without saying so."""
        self.town.place[who] = place

    def owns(self, who: Person, what: Thing, join: str = "") -> None:
        """Somebody has a thing."""
        self.town.get(who, what)
        self.tell("have", who, what=what, join=join)

    def is_at(self, who: Person, place: Noun, **how) -> None:
        """Somebody is somewhere."""
        self.town.place[who] = place
        self.tell("be at", who, place=place_of(place), fact={"where": place.en}, **how)

    def go(self, who: Person, place: Noun, deed: str = "go", **how) -> None:
        """Somebody goes somewhere."""
        self.town.go(who, place)
        self.tell(deed, who, to=place, fact={"what": "", "where": place.en}, **how)

    def meet(self, who: Person, whom: Person, **how) -> None:
        """Two meet, where the first of them is."""
        place = self.town.place[who]
        self.town.place[whom] = place
        self.tell("meet", who, whom=whom, fact={"where": place.en}, **how)

    def buy(self, who: Person, what: Thing, **how) -> None:
        """Somebody buys a thing where they are."""
        self.town.get(who, what)
        self.tell("buy", who, what=what, **how)

    def put(self, who: Person, what: Thing, *but: Spot, **how) -> Spot:
        """Somebody puts down, or hides, what they hold; in none of the spots `but`."""
        room = self.town.place[who]
        options = self.spots_for(room, what, *but)
        dark = [(p, n) for p, n in options if p is not ON]
        hides = dark and "small" in what.noun.classes and self.chance(0.35)
        preposition, noun = self.pick(dark if hides else options)
        self.spots[noun] = room
        self.used.add(noun)
        spot = Spot(Location(preposition, Phrase(NOUN[noun], "the")), room)
        self.town.put(who, what, spot)
        self.tell("hide" if hides else self.pick(("put", "put", "leave")), who, what=what, spot=spot, **how)
        return spot

    def take(self, who: Person, what: Thing, *, found: bool = False, keeps: bool = False, **how) -> None:
        """Somebody takes, or finds, what lies where they are; `keeps`: and that is the end of it."""
        spot = self.town.spot[what]
        self.town.take(who, what)
        if found or spot.location.preposition not in (ON, IN):
            self.tell("find at", who, what=what, spot=spot, **how)
            if keeps:
                self.tell("keep", who, what=what, join="and")
        else:
            source = Location(FROM, spot.location.phrase)
            self.tell("take", who, what=what, place=source, fact={"where": spot.key}, **how)

    def give(self, who: Person, what: Thing, whom: Person, deed: str = "give", **how) -> None:
        """A thing changes hands."""
        self.town.give(who, what, whom)
        self.tell(deed, who, what=what, whom=whom, **how)

    def use(self, who: Person, what: Thing, deed: str, **how) -> None:
        """Somebody does something with what they hold."""
        self.town.needs(who, what)
        self.tell(deed, who, what=what, **how)

    def eat(self, who: Person, what: Thing, **how) -> None:
        """What is eaten is gone."""
        self.town.lose(who, what)
        self.tell("eat", who, what=what, **how)

    def social(self, deed: str, who: Person, whom: Person, **how) -> None:
        """Somebody thanks, helps or talks to somebody who is there."""
        self.town.meets(who, whom)
        self.tell(deed, who, whom=whom, **how)

    def answer(self, who: Person, whom: Person, what: Thing) -> None:
        """Somebody says where a thing is: it is there."""
        spot = self.town.spot[what]
        content = Event(IS_AT, Phrase(ITSELF), destination=spot.location)
        self.tell("tell", who, whom=whom, content=content, fact={"what": what.key, "where": spot.key})

    def feel(self, who: Person, feeling: str, degree: str = "", **how) -> None:
        """How somebody is."""
        self.tell("feel", who, quality=FEELINGS[feeling], degree=Word(degree, ""), fact={"what": feeling}, **how)

    def honour(self, who: Person, deed: str, whom: Person) -> None:
        """The doctor who treated the patient later received an award: the subject stands far from its verb."""
        prize = Phrase(self.pick(PRIZES), "a")
        self.far(who, deed, whom, "get", object=prize, frequency=LATER, fact={"what": prize.noun.en})

    def remember(self, who: Person, whom: Person) -> None:
        """The two tourists who met the baker were happy: the number of the subject decides, not the nearer noun's."""
        feeling = self.pick(("happy", "tired"))
        self.far(who, "meet", whom, "feel", quality=FEELINGS[feeling], degree=Word("", ""), fact={"what": feeling})

    def far(self, who: Person, deed: str, whom: Person, verb: str, fact: dict, **parts) -> None:
        """A sentence whose subject has a relative clause."""
        self.close()
        relative = Event(TOLD[deed], Phrase(who.pronoun), recipient=Phrase(whom.noun, whom.determiner), gap="agent")
        event = Event(TOLD[verb], Phrase(who.noun, who.determiner, relative=relative), **parts)
        self.clauses.append(("", event))
        self.note(verb, Deed(event, who, None, None, None, None), fact)


PRIZES = [Noun(en, en + "s", "", "", frozenset()) for en in ("award", "prize", "medal")]
TELLING = set("old new beautiful heavy warm red blue green yellow white black brown".split())
