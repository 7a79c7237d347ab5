"""What can happen in any story: somebody is introduced, goes out, meets somebody, buys something, puts something down."""

from microworld.events import Phrase, place_of
from microworld.story.story import NOUN, Story
from microworld.story.town import Person, Spot, Thing
from microworld.words.modifiers import Word
from microworld.words.names import ORGS, STREETS, TOWNS
from microworld.words.nouns import Noun
from microworld.words.people import GENDER, HE, JOBS, SHE
from microworld.words.things import SPORTS, SUBJECTS

PASTIMES = {  # what people do in a place, as (deed, object)
    "park": [("rest", ""), ("play", "football"), ("play", "tennis")], "library": [("read", "newspaper"), ("study", "history"), ("work", "")],
    "museum": [("admire", "painting"), ("admire", "clock")], "restaurant": [("eat", "sandwich"), ("eat", "fish"), ("eat", "pie")], "beach": [("swim", ""), ("rest", "")],
    "theatre": [("watch", "film")], "school": [("study", "French"), ("study", "mathematics"), ("study", "music")],
    "bakery": [("eat", "cake"), ("eat", "pie")], "hotel": [("sleep", ""), ("rest", "")], "square": [("eat", "apple"), ("play", "chess")],
    "harbour": [("paint", "boat"), ("eat", "fish")], "castle": [("admire", "tower")], "church": [("rest", "")],
    "station": [("read", "newspaper"), ("read", "magazine")], "garden": [("water", "tree"), ("rest", ""), ("water", "rose")],
    "kitchen": [("eat", "sandwich"), ("eat", "egg"), ("clean", "window")], "bedroom": [("sleep", ""), ("read", "magazine")],
    "office": [("work", ""), ("write", "report"), ("write", "letter")], "classroom": [("study", "English"), ("write", "poem")],
    "market": [("eat", "pear"), ("eat", "orange")], "bank": [("work", "")], "hospital": [("rest", "")],
}  # fmt: skip
STUDIED = {noun.en: noun for noun in [*SUBJECTS, *SPORTS]}
_ALSO = Word("also", "")
_JOBS_OF = {
    HE: [job for job in JOBS if GENDER.get(job) != "female"], SHE: [job for job in JOBS if GENDER.get(job) != "male"],
}  # fmt: skip


def introduce(s: Story, who: Person) -> None:
    """Where somebody lives or works."""
    draw = s.rng.random()
    if draw < 0.4:
        home = s.rng.pick(TOWNS) if s.rng.chance(0.6) else s.rng.pick(STREETS)
        s.telling.tell("live", who, place=place_of(home))
    elif draw < 0.7:
        org = s.rng.pick(ORGS)
        s.telling.tell(
            "study at" if org.en.endswith("School") and s.rng.chance(0.7) else "work at", who, place=place_of(org)
        )
    else:
        s.telling.tell("be", who, what=Phrase(s.rng.pick(_JOBS_OF[who.pronoun]), "a"))


def pastime(s: Story, who: Person, join: str = "") -> None:
    """Somebody does what people do where they are."""
    options = [(deed, what) for deed, what in PASTIMES[s.town.place[who].en] if what not in s.used]
    deed, what = s.rng.pick(options or [("rest", "")])
    if what:
        s.used.add(what)
        phrase = Phrase(STUDIED[what]) if what in STUDIED else Phrase(NOUN[what], "a")
        s.telling.tell(deed, who, what=phrase, join=join)
    else:
        s.telling.tell(deed, who, join=join)


def outing(s: Story, who: Person, place: Noun | None = None, *, dated: bool = True) -> None:
    """Somebody goes somewhere, and does what people do there."""
    first, second = s.pair()
    s.go(who, place or s.away(*s.town.place.values()), join=first, when=s.telling.date() if dated else None)
    pastime(s, who, second)


def encounter(s: Story, who: Person, whom: Person, place: Noun) -> None:
    """Somebody goes somewhere, and meets somebody there."""
    first, second = s.pair()
    s.go(who, place, join=first, when=s.telling.date())
    s.meet(who, whom, join=second)


def aside(s: Story, who: Person, *but: Spot) -> None:
    """Somebody else puts something of theirs somewhere: a distractor."""
    thing = s.new_thing("headgear small")
    s.owns(who, thing)
    s.put(who, thing, *but, join="and")


def bystander(s: Story) -> None:
    """Somebody who is in another room puts something of theirs there."""
    who = s.somebody()
    s.is_at(who, s.room())
    aside(s, who)


def arrive(s: Story, who: Person, room: Noun, **how) -> None:
    """Somebody is in a room, or goes there."""
    s.is_at(who, room, **how) if s.rng.chance(0.4) else s.go(who, room, **how)


def shopping(s: Story, who: Person, kinds: str) -> Thing:
    """Somebody buys something."""
    thing = s.new_thing(kinds)
    shop = NOUN[s.rng.pick(("market", "market", "shop"))]
    if thing.adjectives and s.rng.chance(0.6):
        s.telling.tell("want", who, what=Phrase(thing.noun, "a"))
        s.go(who, shop, join="so", when=s.telling.date() if s.rng.chance(0.3) else None)
    else:
        s.go(who, shop, when=s.telling.date())
    s.buy(who, thing, join="and")
    if s.rng.chance(0.3):
        s.buy(who, s.new_thing("small food"), frequency=_ALSO)
    return thing
