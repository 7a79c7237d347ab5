"""Events and their parts: copied with changes, and never changed."""

import pytest

from microworld.events import Event, Phrase, Sentence, combinations, inside, phrases
from microworld.words.adjectives import ADJECTIVE
from microworld.words.names import NAMES
from microworld.words.people import HE, JOBS
from microworld.words.things import THINGS
from microworld.words.verbs import VERBS

WASH, SAY = (next(verb for verb in VERBS if verb.forms[0] == base) for base in ("wash", "say"))
CAR = next(noun for noun in THINGS if noun.en == "car")
ANNA, DOCTOR = NAMES[0], JOBS[0]


def test_a_copy_has_the_changes_and_the_original_has_not():
    deed = Event(WASH, Phrase(ANNA), object=Phrase(CAR, "the"), time_first=True)
    denied = deed.but(negated=True, agent=None)
    assert denied == Event(WASH, None, negated=True, object=Phrase(CAR, "the"), time_first=True)
    assert deed == Event(WASH, Phrase(ANNA), object=Phrase(CAR, "the"), time_first=True)
    assert denied.object is deed.object


@pytest.mark.parametrize("part", [Phrase(ANNA), Event(WASH, None), Sentence(Event(WASH, None))], ids=["P", "E", "S"])
def test_an_unknown_part_is_refused_by_name(part):
    with pytest.raises(AttributeError, match="negatd"):
        part.but(negatd=True)


def test_what_an_event_mentions_and_combines():
    """Anna said that Anna's doctor, who washed the red car, and Anna washed the red car."""
    car = Phrase(CAR, "the", adjectives=(ADJECTIVE["red"],))
    relative = Event(WASH, Phrase(HE), object=car, gap="agent")
    content = Event(WASH, Phrase(DOCTOR, "the", owner=Phrase(ANNA), relative=relative, other=Phrase(ANNA)), object=car)
    main = Event(SAY, Phrase(ANNA), content=content)
    assert [phrase.noun for phrase in phrases(content)] == [DOCTOR, ANNA, ANNA, CAR]
    assert inside(main) == [main, content, relative]
    assert Sentence(main, "because", relative, added=content).events == [
        main,
        content,
        relative,
        relative,
        content,
        relative,
    ]
    assert combinations(Sentence(main)) == ["wash car", "red car"] * 2
