"""What stories are about: each plot tells one small affair from its beginning to its end."""

from seqbook.data.world import lexicon, modifiers
from seqbook.data.world.events import Phrase
from seqbook.data.world.lexicon import SHE, THEY
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


def kept(s: Story) -> None:
    """A thing is put somewhere, its owner goes away, somebody may move it, the owner comes back for it."""
    a, b = s.two()
    room = s.room()
    thing = s.thing("small", a)
    if s.chance(0.4):
        introduce(s, a)
    s.owns(a, thing)
    arrive(s, a, room, when=s.date())
    spot = s.put(a, thing, join="and")
    outing(s, a, dated=s.chance(0.5))
    moved = s.chance(0.55)
    if moved or s.chance(0.5):
        s.go(b, room, when=s.date() if s.chance(0.5) else None)
        if not moved:
            pastime(s, b, "and") if s.chance(0.5) else aside(s, b, spot)
        elif s.chance(0.4):
            aside(s, b, spot)
    if moved:
        s.take(b, thing, found=s.chance(0.3))
        s.put(b, thing, spot, join="and")
        if s.chance(0.3):
            outing(s, b, dated=s.chance(0.5))
    if s.chance(0.75):
        s.go(a, room, "go back", when=s.date())
        s.tell("look for", a, what=thing, join="and")
        if s.town.place.get(b) is room:
            s.tell("ask where", a, whom=b, what=thing)
            if moved:
                s.answer(b, a, thing)
            else:
                s.tell("know not", b, what=thing, negated=True)
        if s.chance(0.8):
            s.take(a, thing, found=s.chance(0.6), keeps=True)
            s.feel(a, "happy") if s.chance(0.3) else None


def gift(s: Story) -> None:
    """Something is bought, given away, and put somewhere by its new owner."""
    a = s.somebody()
    b = s.relation(a) if s.chance(0.35) else s.somebody("male" if a.pronoun is SHE else "female")
    if s.chance(0.5):
        introduce(s, a)
    thing = shopping(s, a, "garment headgear violin flute guitar book novel camera vase lamp toy")
    room = s.room()
    encounter(s, a, b, room)
    s.give(a, thing, b)
    if s.chance(0.7):
        s.social("thank", b, a) if s.chance(0.6) else s.feel(b, "happy", s.pick(("", "very")))
    if s.chance(0.4):
        outing(s, a, dated=s.chance(0.5))
    s.put(b, thing)
    if s.chance(0.4):
        outing(s, b)


def loan(s: Story) -> None:
    """Something is lent, used, and perhaps given back."""
    a, b = s.two()
    place = s.away()
    thing = s.thing("umbrella camera guitar violin flute hammer knife book novel map pen radio", a)
    if s.chance(0.5):
        introduce(s, b)
    s.owns(a, thing)
    encounter(s, a, b, place)
    if s.chance(0.6):
        s.tell("need", b, what=thing) if s.chance(0.5) else s.tell("ask for", b, whom=a, what=thing)
        s.give(a, thing, b, "lend", join="so")
    else:
        s.give(a, thing, b, "lend")
    room = s.room(place)
    s.go(b, room, when=s.date())
    s.put(b, thing, join="and") if s.chance(0.5) else s.use(b, thing, used(thing), join="and")
    if s.chance(0.4):
        pastime(s, a)
    if s.town.holder.get(thing) is b and s.chance(0.8):
        s.go(b, place, "go back", when=s.date())
        s.give(b, thing, a, "return", join="and")
        if s.chance(0.5):
            s.social("thank", b, a)
    elif s.chance(0.5):
        outing(s, b)


def used(thing: Thing) -> str:
    """What one does with a thing."""
    classes = thing.noun.classes
    return "read" if "text" in classes else "play" if classes & {"keys_played", "bowed", "blown"} else "use"


def broken(s: Story) -> None:
    """Something breaks, somebody repairs it."""
    a, b = s.somebody(), s.professional("carpenter engineer plumber gardener farmer")
    thing = s.thing("bicycle radio computer clock lamp camera watch guitar violin toy", a)
    if s.chance(0.6):
        introduce(s, a)
    s.owns(a, thing)
    s.tell("be broken", thing, join="but")
    place = s.away()
    encounter(s, a, b, place)
    s.give(a, thing, b)
    s.use(b, thing, "repair", when=s.date() if s.chance(0.6) else None)
    s.give(b, thing, a, "return", join="and")
    s.social("thank", a, b) if s.chance(0.6) else s.feel(a, "happy")
    if s.chance(0.5):
        outing(s, a)
    if s.chance(0.35):
        s.honour(b, "help", a)


def letter(s: Story) -> None:
    """Somebody writes from another town, and is visited."""
    a, b = s.two()
    here, there = s.pick(lexicon.TOWNS[:25]), s.pick(lexicon.TOWNS[25:])
    s.tell("live", a, place=place_of(here))
    s.tell("live", b, place=place_of(there), join="but")
    note = s.thing("letter report photo poem")
    s.town.get(a, note)
    s.tell("write" if "written" in note.noun.classes else "find", a, what=note, when=s.date())
    s.town.holder[note] = b
    s.tell("send", a, what=note, whom=b, join="and")
    s.start(b, s.room())
    if "written" in note.noun.classes:
        s.use(b, note, "read", when=s.date())
        s.feel(b, s.pick(("happy", "sad", "proud")), join="and")
    elif "small" in note.noun.classes:
        s.put(b, note, when=s.date())
    if s.chance(0.8):
        s.town.place[a] = here
        s.go(b, here, "travel", when=s.date())
        if s.chance(0.7):
            s.meet(b, a, join="and")
            s.tell("visit", s.pick((a, b)), what=Phrase(NOUN[s.pick("museum castle theatre church".split())], "the"))
    s.feel(a, "happy")


def meal(s: Story) -> None:
    """Food is bought, cooked, shared or stolen."""
    a, b = s.two()
    if s.chance(0.5):
        introduce(s, b)
    food = shopping(s, a, "potato egg fish cake pie")
    if s.chance(0.5):
        s.meet(a, b)
        s.tell("invite", a, whom=b, join="and")
    kitchen = NOUN["kitchen"]
    s.go(a, kitchen, when=s.date())
    s.use(a, food, "bake" if "baked" in food.noun.classes else "cook", join="and")
    if s.chance(0.6):
        s.put(a, food)
        outing(s, a, dated=s.chance(0.5))
        s.go(b, kitchen, when=s.date())
        s.take(b, food)
        s.lose(b, food, "eat", join="and")
        if s.chance(0.7):
            s.go(a, kitchen, "go back", when=s.date() if s.chance(0.5) else None)
            s.feel(a, s.pick(("angry", "sad")), s.pick(("", "very")))
    else:
        s.go(b, kitchen)
        s.give(a, food, b)
        s.lose(b, food, "eat")
        s.social("thank", b, a, join="and")


def helper(s: Story) -> None:
    """Somebody is in need; the one who helps is honoured."""
    doctor = s.professional("doctor nurse dentist")
    patient = s.professional("farmer sailor baker singer soldier tailor driver waiter student")
    hospital = NOUN["hospital"]
    s.feel(patient, s.pick(("tired", "sad", "nervous")), s.pick(("", "very")))
    s.go(patient, hospital, join="so", when=s.date())
    s.start(doctor, hospital)
    s.social("treat", doctor, patient)
    if s.chance(0.7):
        a = s.somebody()
        s.tell("like", a, what=Phrase(patient.noun, "the"), fact={"what": "", "whom": patient.key})
        thing = shopping(s, a, "flower rose cake book magazine novel")
        s.go(a, hospital)
        s.give(a, thing, patient, "bring", join="and")
        s.social("thank", patient, a) if s.chance(0.6) else s.feel(patient, "happy")
    s.honour(doctor, "treat", patient)


def visitors(s: Story) -> None:
    """Two or three strangers come to town, and somebody shows them round."""
    group = Person(
        NOUN[s.pick("tourist guest student sailor musician soldier stranger".split())], THEY, s.pick(("two", "three"))
    )
    guide = s.professional("teacher professor librarian baker mayor writer driver")
    town = s.pick(lexicon.TOWNS)
    s.go(group, town, "travel", when=s.date())
    group.determiner = "the " + group.determiner
    sight = NOUN[s.pick("museum castle theatre church library".split())]
    s.tell("visit", group, what=Phrase(sight, "the"), join=s.pick(("", "and")))
    place = s.away(sight)
    s.go(group, place, when=s.date())
    s.meet(group, guide, join="and")
    if s.chance(0.6):
        thing = s.thing("map camera book novel pen")
        s.town.get(guide, thing)
        s.give(guide, thing, group)
        s.social("thank", group, guide)
    else:
        s.social(s.pick(("help", "talk")), guide, group)
    s.remember(group, guide)


PLOTS = (
    kept,
    kept,
    kept,
    kept,
    gift,
    gift,
    gift,
    loan,
    loan,
    loan,
    broken,
    broken,
    letter,
    meal,
    meal,
    helper,
    visitors,
)
