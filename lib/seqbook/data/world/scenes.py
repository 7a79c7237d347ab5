"""Single deeds, drawn so that they can be varied: the material of the two tasks that compare sentences."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from seqbook.data.world import lexicon, modifiers, verbs
from seqbook.data.world.choices import OBJECTS, PLACES_OF
from seqbook.data.world.events import Event, Location, Phrase
from seqbook.data.world.modifiers import PAST_TIMES, Word
from seqbook.data.world.nouns import Noun
from seqbook.data.world.phrases import Phrases
from seqbook.data.world.story import place_of
from seqbook.data.world.things import PLACES, THINGS
from seqbook.data.world.verbs import VERBS, Verb

KINDS = {"buying", "finding", "losing", "repairing", "washing", "opening", "cooking", "reading", "writing", "painting",
          "planting", "watering", "feeding", "breaking", "closing"}  # fmt: skip
DEEDS = [v for v in VERBS if v.kind in KINDS and " ".join(slot for slot, _ in v.en) == "V O"]
TRANSFERS = [v for v in VERBS if " ".join(slot for slot, _ in v.en) == "V O to R"]
# Each with the person as its object, so that it can be told in the passive.
MEETINGS = [
    replace(v, en=(("V", "verb"), ("O", "verb")))
    for v in VERBS if v.forms[0] in ("meet", "thank", "help", "visit", "call", "see") and v.en[-1][0] in ("R", "O") and len(v.en) == 2
]  # fmt: skip
COMPARED = [
    a for a in modifiers.ADJECTIVES if a.en in "tall short clever kind brave rich poor strong busy polite".split()
]
_QUALITY = {adjective.en: adjective for adjective in modifiers.ADJECTIVES}
OPPOSITE = {_QUALITY["tall"]: _QUALITY["short"], _QUALITY["rich"]: _QUALITY["poor"]}
OPPOSITE |= {opposite: quality for quality, opposite in OPPOSITE.items()}
FEELING = [_QUALITY[en] for en in ("tired", "hungry", "busy", "sad", "nervous")]
MORE, MUCH_MORE, EQUALLY = Word("-er", ""), Word("much -er", ""), Word("", "")
THINGS_OF = {
    verb: [
        n
        for n in OBJECTS[verb]
        if n in THINGS and "mass" not in n.classes and (verb.forms[0], n.en) != ("read", "song")
    ]
    for verb in VERBS
}
JOBS = [job for job in lexicon.JOBS if job.en not in ("judge", "writer")]


class Scenes(Phrases):
    """Draws deeds with a place, a time and properties, each as likely as `detail` says."""

    def __init__(self, rng: Random) -> None:
        super().__init__(rng)
        self.detail = 0.5

    def somebody(self, *but: Phrase | None) -> Phrase:
        """A person who isn't one of `but`: by name or by job."""
        taken = {phrase.noun for phrase in but if phrase}
        while True:
            who = self.name() if self.chance(0.65) else Phrase(self.pick(JOBS), "the")
            if who.noun not in taken:
                return who

    def deed(self, who: Phrase | None = None, but: Verb | None = None) -> Event:
        """Somebody does something to a thing."""
        verb = self.pick(DEEDS)
        while verb is but:
            verb = self.pick(DEEDS)
        return self.detailed(Event(verb, who or self.somebody(), object=self.thing(self.pick(THINGS_OF[verb]))))

    def transfer(self, transfers: Sequence[Verb] = TRANSFERS) -> Event:
        """Somebody gives, sends, lends or sells a thing to somebody."""
        verb = self.pick(transfers)
        giver = self.somebody()
        thing = replace(self.thing(self.pick(THINGS_OF[verb])), determiner="the")
        return self.detailed(Event(verb, giver, object=thing, recipient=self.somebody(giver)))

    def thing(self, noun: Noun) -> Phrase:
        """The key, an old key, three keys."""
        determiner = self.pick(("the", "the", "a", "two", "three", "four"))
        options = [
            a for a in modifiers.ADJECTIVES_OF[noun] if a.en not in ("lost", "broken")
        ]  # nobody loses what is lost
        adjectives = (self.pick(options),) if options and self.chance(self.detail) else ()
        return Phrase(noun, determiner, adjectives=adjectives)

    def detailed(self, event: Event) -> Event:
        """The event with a place or a time, or both, or neither."""
        place = self.somewhere(event.verb) if event.verb.places and self.chance(self.detail) else None
        time = self.pick(PAST_TIMES) if self.chance(self.detail) else None
        return replace(event, place=place, time=time)

    def somewhere(self, verb: Verb, *but: Noun) -> Location:
        """In the park, in Oxford."""
        if self.chance(0.25):
            return place_of(self.pick([town for town in lexicon.TOWNS if town not in but]))
        kind = "planting" if verb.kind == "washing" else verb.kind  # nobody washes a car in the kitchen
        return place_of(self.pick([place for place in PLACES_OF.get(kind, PLACES) if place not in but]))

    def comparison(self) -> Event:
        """Anna is taller than Ben."""
        first = self.somebody()
        return Event(verbs.COMPARING, first, "present", object=self.somebody(first), quality=self.pick(COMPARED),
                     degree=MORE)  # fmt: skip
