"""What happens in any story: somebody is introduced, goes out, meets somebody, buys something, puts something down."""

from seqbook.data.world import lexicon, modifiers
from seqbook.data.world.events import Phrase
from seqbook.data.world.lexicon import SHE
from seqbook.data.world.modifiers import Word
from seqbook.data.world.nouns import Noun
from seqbook.data.world.story import NOUN, Story, place_of
from seqbook.data.world.telling import ORGS
from seqbook.data.world.town import Person, Spot, Thing

PASTIMES = {  # what one does in a place, as (deed, object)
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
STUDIED = {noun.en: noun for noun in [*lexicon.SUBJECTS, *lexicon.SPORTS]}
ALSO = Word("also", "")


def introduce(s: Story, who: Person) -> None:
    """Where somebody lives or works."""
    draw = s.rng.random()
    if draw < 0.4:
        home = s.pick(lexicon.TOWNS) if s.chance(0.6) else s.pick(lexicon.STREETS)
        s.tell("live", who, place=place_of(home))
    elif draw < 0.7:
        org = s.pick(ORGS)
        s.tell("study at" if org.en.endswith("School") and s.chance(0.7) else "work at", who, place=place_of(org))
    else:
        unlike = "male" if who.pronoun is SHE else "female"
        job = s.pick([job for job in lexicon.JOBS if modifiers.GENDER.get(job) != unlike])
        s.tell("be", who, what=Phrase(job, "a"))


def pastime(s: Story, who: Person, join: str = "") -> None:
    """Somebody passes the time where they are."""
    options = [(deed, what) for deed, what in PASTIMES[s.town.place[who].en] if what not in s.used]
    deed, what = s.pick(options or [("rest", "")])
    if what:
        s.used.add(what)
        phrase = Phrase(STUDIED[what]) if what in STUDIED else Phrase(NOUN[what], "a")
        s.tell(deed, who, what=phrase, join=join)
    else:
        s.tell(deed, who, join=join)


def outing(s: Story, who: Person, place: Noun | None = None, *, dated: bool = True) -> None:
    """Somebody goes somewhere, and does there what one does."""
    first, second = s.pair()
    s.go(who, place or s.away(*s.town.place.values()), join=first, when=s.date() if dated else None)
    pastime(s, who, second)


def encounter(s: Story, who: Person, whom: Person, place: Noun) -> None:
    """Somebody goes somewhere, and meets somebody there."""
    first, second = s.pair()
    s.go(who, place, join=first, when=s.date())
    s.meet(who, whom, join=second)


def aside(s: Story, who: Person, *but: Spot) -> None:
    """Somebody else puts something of theirs somewhere: one more fact to keep apart from the others."""
    thing = s.thing("headgear small")
    s.owns(who, thing)
    s.put(who, thing, *but, join="and")


def bystander(s: Story) -> None:
    """Somebody who is somewhere else puts something of theirs there."""
    who = s.somebody()
    s.is_at(who, s.room())
    aside(s, who)


def arrive(s: Story, who: Person, room: Noun, **how) -> None:
    """Somebody is in a room, or goes there."""
    s.is_at(who, room, **how) if s.chance(0.4) else s.go(who, room, **how)


def shopping(s: Story, who: Person, kinds: str) -> Thing:
    """Somebody buys something."""
    thing = s.thing(kinds)
    shop = NOUN[s.pick(("market", "market", "shop"))]
    if thing.adjectives and s.chance(0.6):
        s.tell("want", who, what=Phrase(thing.noun, "a"))
        s.go(who, shop, join="so", when=s.date() if s.chance(0.3) else None)
    else:
        s.go(who, shop, when=s.date())
    s.buy(who, thing, join="and")
    if s.chance(0.3):
        s.buy(who, s.thing("small food"), frequency=ALSO)
    return thing
