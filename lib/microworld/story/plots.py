"""The plots of stories, each from its beginning to its end, and the generator that draws stories."""

from collections.abc import Callable, Iterator, Sequence

from microworld.draw.dice import Dice
from microworld.events import Phrase, place_of
from microworld.story.incidents import arrive, aside, encounter, introduce, outing, pastime, shopping
from microworld.story.story import NOUN, Story
from microworld.story.town import Person, Thing
from microworld.words.names import TOWNS
from microworld.words.people import SHE, THEY

FEWEST_SENTENCES, MOST_SENTENCES = 3, 12


def kept(s: Story) -> None:
    """A thing is put somewhere, its owner goes away, somebody may move it, and the owner comes back for it."""
    a, b = s.two()
    room = s.room()
    thing = s.new_thing("small", a)
    if s.rng.chance(0.4):
        introduce(s, a)
    s.owns(a, thing)
    arrive(s, a, room, when=s.telling.date())
    spot = s.put(a, thing, join="and")
    outing(s, a, dated=s.rng.chance(0.5))
    moved = s.rng.chance(0.55)
    if moved or s.rng.chance(0.5):
        s.go(b, room, when=s.telling.date() if s.rng.chance(0.5) else None)
        if not moved:
            pastime(s, b, "and") if s.rng.chance(0.5) else aside(s, b, spot)
        elif s.rng.chance(0.4):
            aside(s, b, spot)
    if moved:
        s.take(b, thing, found=s.rng.chance(0.3))
        s.put(b, thing, spot, join="and")
        if s.rng.chance(0.3):
            outing(s, b, dated=s.rng.chance(0.5))
    if s.rng.chance(0.75):
        s.go(a, room, "go back", when=s.telling.date())
        s.telling.tell("look for", a, what=thing, join="and")
        if s.town.place.get(b) is room:
            s.telling.tell("ask where", a, whom=b, what=thing)
            if moved:
                s.answer(b, a, thing)
            else:
                s.telling.tell("know not", b, what=thing, negated=True)
        if s.rng.chance(0.8):
            s.take(a, thing, found=s.rng.chance(0.6), keeps=True)
            s.feel(a, "happy") if s.rng.chance(0.3) else None


def gift(s: Story) -> None:
    """Something is bought, given away, and put somewhere by its new owner."""
    a = s.somebody()
    b = s.relation(a) if s.rng.chance(0.35) else s.somebody("male" if a.pronoun is SHE else "female")
    if s.rng.chance(0.5):
        introduce(s, a)
    thing = shopping(s, a, "garment headgear violin flute guitar book novel camera vase lamp toy")
    room = s.room()
    encounter(s, a, b, room)
    s.give(a, thing, b)
    if s.rng.chance(0.7):
        s.social("thank", b, a) if s.rng.chance(0.6) else s.feel(b, "happy", s.rng.pick(("", "very")))
    if s.rng.chance(0.4):
        outing(s, a, dated=s.rng.chance(0.5))
    s.put(b, thing)
    if s.rng.chance(0.4):
        outing(s, b)


def loan(s: Story) -> None:
    """Something is lent, used, and perhaps given back."""
    a, b = s.two()
    place = s.away()
    thing = s.new_thing("umbrella camera guitar violin flute hammer knife book novel map pen radio", a)
    if s.rng.chance(0.5):
        introduce(s, b)
    s.owns(a, thing)
    encounter(s, a, b, place)
    if s.rng.chance(0.6):
        s.telling.tell("need", b, what=thing) if s.rng.chance(0.5) else s.telling.tell("ask for", b, whom=a, what=thing)
        s.give(a, thing, b, "lend", join="so")
    else:
        s.give(a, thing, b, "lend")
    room = s.room(place)
    s.go(b, room, when=s.telling.date())
    s.put(b, thing, join="and") if s.rng.chance(0.5) else s.use(b, thing, used(thing), join="and")
    if s.rng.chance(0.4):
        pastime(s, a)
    if s.town.holder.get(thing) is b and s.rng.chance(0.8):
        s.go(b, place, "go back", when=s.telling.date())
        s.give(b, thing, a, "return", join="and")
        if s.rng.chance(0.5):
            s.social("thank", b, a)
    elif s.rng.chance(0.5):
        outing(s, b)


def used(thing: Thing) -> str:
    """What people do with a thing."""
    classes = thing.noun.classes
    return "read" if "text" in classes else "play" if classes & {"keys_played", "bowed", "blown"} else "use"


def broken(s: Story) -> None:
    """Something breaks, somebody repairs it."""
    a, b = s.somebody(), s.professional("carpenter engineer plumber gardener farmer")
    thing = s.new_thing("bicycle radio computer clock lamp camera watch guitar violin toy", a)
    if s.rng.chance(0.6):
        introduce(s, a)
    s.owns(a, thing)
    s.telling.tell("be broken", thing, join="but")
    place = s.away()
    encounter(s, a, b, place)
    s.give(a, thing, b)
    s.use(b, thing, "repair", when=s.telling.date() if s.rng.chance(0.6) else None)
    s.give(b, thing, a, "return", join="and")
    s.social("thank", a, b) if s.rng.chance(0.6) else s.feel(a, "happy")
    if s.rng.chance(0.5):
        outing(s, a)
    if s.rng.chance(0.35):
        s.honour(b, "help", a)


def letter(s: Story) -> None:
    """Somebody gets a letter from another town, and visits the sender."""
    a, b = s.two()
    here, there = s.rng.pick(TOWNS[:25]), s.rng.pick(TOWNS[25:])
    s.telling.tell("live", a, place=place_of(here))
    s.telling.tell("live", b, place=place_of(there), join="but")
    note = s.new_thing("letter report photo poem")
    s.town.get(a, note)
    s.telling.tell("write" if "written" in note.noun.classes else "find", a, what=note, when=s.telling.date())
    s.town.holder[note] = b
    s.telling.tell("send", a, what=note, whom=b, join="and")
    s.start(b, s.room())
    if "written" in note.noun.classes:
        s.use(b, note, "read", when=s.telling.date())
        s.feel(b, s.rng.pick(("happy", "sad", "proud")), join="and")
    elif "small" in note.noun.classes:
        s.put(b, note, when=s.telling.date())
    if s.rng.chance(0.8):
        s.town.place[a] = here
        s.go(b, here, "travel", when=s.telling.date())
        if s.rng.chance(0.7):
            s.meet(b, a, join="and")
            s.telling.tell(
                "visit",
                s.rng.pick((a, b)),
                what=Phrase(NOUN[s.rng.pick("museum castle theatre church".split())], "the"),
            )
    s.feel(a, "happy")


def meal(s: Story) -> None:
    """Food is bought, cooked, shared or stolen."""
    a, b = s.two()
    if s.rng.chance(0.5):
        introduce(s, b)
    food = shopping(s, a, "potato egg fish cake pie")
    if s.rng.chance(0.5):
        s.meet(a, b)
        s.telling.tell("invite", a, whom=b, join="and")
    kitchen = NOUN["kitchen"]
    s.go(a, kitchen, when=s.telling.date())
    s.use(a, food, "bake" if "baked" in food.noun.classes else "cook", join="and")
    if s.rng.chance(0.6):
        s.put(a, food)
        outing(s, a, dated=s.rng.chance(0.5))
        s.go(b, kitchen, when=s.telling.date())
        s.take(b, food)
        s.eat(b, food, join="and")
        if s.rng.chance(0.7):
            s.go(a, kitchen, "go back", when=s.telling.date() if s.rng.chance(0.5) else None)
            s.feel(a, s.rng.pick(("angry", "sad")), s.rng.pick(("", "very")))
    else:
        s.go(b, kitchen)
        s.give(a, food, b)
        s.eat(b, food)
        s.social("thank", b, a, join="and")


def helper(s: Story) -> None:
    """Somebody needs help, and the helper gets an award."""
    doctor = s.professional("doctor nurse dentist")
    patient = s.professional("farmer sailor baker singer soldier tailor driver waiter student")
    hospital = NOUN["hospital"]
    s.feel(patient, s.rng.pick(("tired", "sad", "nervous")), s.rng.pick(("", "very")))
    s.go(patient, hospital, join="so", when=s.telling.date())
    s.start(doctor, hospital)
    s.social("treat", doctor, patient)
    if s.rng.chance(0.7):
        a = s.somebody()
        s.telling.tell("like", a, what=Phrase(patient.noun, "the"), fact={"what": "", "whom": patient.key})
        thing = shopping(s, a, "flower rose cake book magazine novel")
        s.go(a, hospital)
        s.give(a, thing, patient, "bring", join="and")
        s.social("thank", patient, a) if s.rng.chance(0.6) else s.feel(patient, "happy")
    s.honour(doctor, "treat", patient)


def visitors(s: Story) -> None:
    """Two or three visitors come to town, and somebody shows them around."""
    noun = NOUN[s.rng.pick("tourist guest student sailor musician soldier stranger".split())]
    group = Person(noun, THEY, s.rng.pick(("two", "three")))
    guide = s.professional("teacher professor librarian baker mayor writer driver")
    town = s.rng.pick(TOWNS)
    s.go(group, town, "travel", when=s.telling.date())
    group.determiner = "the " + group.determiner
    sight = NOUN[s.rng.pick("museum castle theatre church library".split())]
    s.telling.tell("visit", group, what=Phrase(sight, "the"), join=s.rng.pick(("", "and")))
    place = s.away(sight)
    s.go(group, place, when=s.telling.date())
    s.meet(group, guide, join="and")
    if s.rng.chance(0.6):
        thing = s.new_thing("map camera book novel pen")
        s.town.get(guide, thing)
        s.give(guide, thing, group)
        s.social("thank", group, guide)
    else:
        s.social(s.rng.pick(("help", "talk")), guide, group)
    s.remember(group, guide)


PLOTS = (kept,) * 4 + (gift,) * 3 + (loan,) * 3 + (broken,) * 2 + (letter,) + (meal,) * 2 + (helper, visitors)


def stories(rng: Dice, plots: Sequence[Callable[[Story], None]] = PLOTS) -> Iterator[Story]:
    """Yield stories with these plots without end; no two have the same text."""
    seen = set()
    for story in told(rng, plots):
        if story.text.string not in seen:
            seen.add(story.text.string)
            yield story


def told(rng: Dice, plots: Sequence[Callable[[Story], None]]) -> Iterator[Story]:
    """Yield stories with these plots without end, whose texts are not realized yet."""
    while True:
        story = Story(rng)
        rng.pick(plots)(story)
        story.telling.close()
        if FEWEST_SENTENCES <= story.telling.sentences <= MOST_SENTENCES:
            yield story
