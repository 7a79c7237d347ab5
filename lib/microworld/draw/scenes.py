"""Draws simple deeds whose parts can be varied one by one, for the tasks that compare sentences."""

from collections.abc import Sequence
from dataclasses import replace

from microworld.draw.dice import Dice
from microworld.draw.phrases import PLACES_OF, Phrases
from microworld.events import Event, Location, Phrase, place_of
from microworld.words.adjectives import ADJECTIVE
from microworld.words.modifiers import PAST_TIMES, Word
from microworld.words.names import TOWNS
from microworld.words.nouns import Noun
from microworld.words.people import JOBS
from microworld.words.selection import ADJECTIVES_OF, OBJECTS
from microworld.words.things import PLACES, THINGS
from microworld.words.verbs import COMPARING, VERBS, Verb

_KINDS = {"buying", "finding", "losing", "repairing", "washing", "opening", "cooking", "reading", "writing", "painting",
          "planting", "watering", "feeding", "breaking", "closing"}  # fmt: skip
DEEDS = [v for v in VERBS if v.kind in _KINDS and " ".join(slot for slot, _ in v.en) == "V O"]
TRANSFERS = [v for v in VERBS if " ".join(slot for slot, _ in v.en) == "V O to R"]
# With the person as the object, so that the verb has a passive.
MEETINGS = [
    replace(v, en=(("V", "verb"), ("O", "verb")))
    for v in VERBS if v.forms[0] in ("meet", "thank", "help", "visit", "call", "see") and v.en[-1][0] in ("R", "O") and len(v.en) == 2
]  # fmt: skip
COMPARED = [ADJECTIVE[en] for en in "tall short kind clever brave busy polite rich poor strong".split()]
OPPOSITE = {ADJECTIVE["tall"]: ADJECTIVE["short"], ADJECTIVE["rich"]: ADJECTIVE["poor"]}
OPPOSITE |= {opposite: quality for quality, opposite in OPPOSITE.items()}
FEELING = [ADJECTIVE[en] for en in ("tired", "hungry", "busy", "sad", "nervous")]
MORE, MUCH_MORE, EQUALLY = Word("-er", ""), Word("much -er", ""), Word("", "")
THINGS_OF = {
    verb: [
        n
        for n in OBJECTS[verb]
        if n in THINGS and "mass" not in n.classes and (verb.forms[0], n.en) != ("read", "song")
    ]
    for verb in VERBS
}
# Lost things can't be lost again.
_LASTING = {noun: [a for a in options if a.en not in ("lost", "broken")] for noun, options in ADJECTIVES_OF.items()}
_JOBS = [job for job in JOBS if job.en not in ("judge", "writer")]


class Scenes:
    """Draws deeds. A place, a time and an adjective are each drawn with probability 1/2."""

    def __init__(self, rng: Dice) -> None:
        self.rng = rng
        self.phrases = Phrases(rng)

    def somebody(self, *but: Phrase | None) -> Phrase:
        """A person other than `but`, by name or by job."""
        taken = {phrase.noun for phrase in but if phrase}
        while True:
            who = self.phrases.name() if self.rng.chance(0.65) else Phrase(self.rng.pick(_JOBS), "the")
            if who.noun not in taken:
                return who

    def deed(self, who: Phrase | None = None, but: Verb | None = None) -> Event:
        """Somebody does something to a thing."""
        verb = self.rng.pick(DEEDS)
        while verb is but:
            verb = self.rng.pick(DEEDS)
        who = who or self.somebody()
        thing = self.object_phrase(self.rng.pick(THINGS_OF[verb]))
        return Event(verb, who, object=thing, **self.circumstances(verb))

    def transfer(self, transfers: Sequence[Verb] = TRANSFERS) -> Event:
        """Somebody gives, sends, lends or sells a thing to somebody."""
        verb = self.rng.pick(transfers)
        giver = self.somebody()
        thing = self.object_phrase(self.rng.pick(THINGS_OF[verb])).but(determiner="the")
        return Event(verb, giver, object=thing, recipient=self.somebody(giver), **self.circumstances(verb))

    def object_phrase(self, noun: Noun) -> Phrase:
        """The key, an old key, three keys."""
        determiner = self.rng.pick(("the", "the", "a", "two", "three", "four"))
        options = _LASTING[noun]
        adjectives = (self.rng.pick(options),) if options and self.rng.chance(0.5) else ()
        return Phrase(noun, determiner, adjectives=adjectives)

    def circumstances(self, verb: Verb) -> dict[str, Location | Word | None]:
        """A place or a time of an event with this verb, or both, or neither."""
        place = self.somewhere(verb) if verb.places and self.rng.chance(0.5) else None
        time = self.rng.pick(PAST_TIMES) if self.rng.chance(0.5) else None
        return {"place": place, "time": time}

    def somewhere(self, verb: Verb, *but: Noun) -> Location:
        """In the park, in Oxford."""
        if self.rng.chance(0.25):
            return place_of(self.rng.pick([town for town in TOWNS if town not in but]))
        kind = "planting" if verb.kind == "washing" else verb.kind  # nobody washes a car in the kitchen
        return place_of(self.rng.pick([place for place in PLACES_OF.get(kind, PLACES) if place not in but]))

    def comparison(self) -> Event:
        """Anna is taller than Ben."""
        first = self.somebody()
        return Event(COMPARING, first, "present", object=self.somebody(first), quality=self.rng.pick(COMPARED),
                     degree=MORE)  # fmt: skip
