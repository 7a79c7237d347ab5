"""Paraphrases: do two sentences mean the same?

Passives, reordered clauses and synonyms keep the meaning; other words or swapped roles change it. With either label, half of
the pairs have the same content words and half differ in one, so that comparing words does not help.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from microworld.draw.dice import Dice
from microworld.draw.scenes import DEEDS, EQUALLY, FEELING, MEETINGS, OPPOSITE, THINGS_OF, TRANSFERS, Scenes
from microworld.events import Event, Sentence, combinations, held_out
from microworld.realize import english
from microworld.words.selection import ADJECTIVES_OF
from microworld.words.verbs import BEING, COMPARING

DATIVE = {
    verb: replace(verb, en=(("V", "verb"), ("R", ""), ("O", ""))) for verb in TRANSFERS if verb.forms[0] != "return"
}
# In both directions. None that can follow "a" begins with a vowel.
SYNONYMS = dict(pair.split() for pair in (
    "big large, beautiful lovely, clever smart, difficult hard, delicious tasty, dirty filthy, small little, "
    "tired weary, nervous worried, sad unhappy, bought purchased, repaired mended, closed shut, found discovered, "
    "met encountered, called phoned, photo picture, photos pictures, bicycle bike, "
    "bicycles bikes, phone telephone, phones telephones, shop store, carpet rug, carpets rugs, doctor physician, "
    "boat ship, boats ships, postman mailman, sweater pullover, sweaters pullovers, truck lorry, trucks lorries, "
    "cup mug, cups mugs, hat cap, hats caps, coat jacket, coats jackets, plate dish, plates dishes, sailor seaman, "
    "shopkeeper merchant, letter note, letters notes, cook chef"
).split(", "))  # fmt: skip
SYNONYMS |= {other: word for word, other in SYNONYMS.items()}


class Rewording:
    """Draws a sentence, its paraphrases, and similar sentences with another meaning."""

    def __init__(self, rng: Dice) -> None:
        self.rng = rng
        self.scenes = Scenes(rng)

    def said(self, swaps: bool) -> Sentence:
        """A sentence; with `swaps`, one whose noun phrases can swap roles."""
        draws: tuple[Callable[[], Sentence], ...] = (self.transferred, self.between, self.compared, self.linked)
        return self.rng.pick(draws if swaps else (*draws, self.done, self.done))()

    def done(self) -> Sentence:
        """Anna repaired the bicycle in the park on Monday."""
        return Sentence(self.scenes.deed())

    def transferred(self) -> Sentence:
        """Anna gave the key to Ben."""
        return Sentence(self.scenes.transfer(tuple(DATIVE)).but(place=None))

    def between(self) -> Sentence:
        """The doctor thanked Anna."""
        who, verb = self.scenes.somebody(), self.rng.pick(MEETINGS)
        return Sentence(Event(verb, who, object=self.scenes.somebody(who), **self.scenes.circumstances(verb)))

    def compared(self) -> Sentence:
        """Anna is taller than Ben."""
        return Sentence(self.scenes.comparison().but(quality=self.rng.pick(tuple(OPPOSITE))))

    def linked(self) -> Sentence:
        """Anna washed the car because Ben was tired, or before Ben opened the window."""
        main = self.scenes.deed(self.scenes.phrases.name()).but(time=None)
        other = self.scenes.somebody(main.agent)
        if self.rng.chance(0.5):
            return Sentence(main, "because", Event(BEING[0], other, quality=self.rng.pick(FEELING), degree=EQUALLY))
        return Sentence(main, self.rng.pick(("before", "after")), self.scenes.deed(other, main.verb).but(time=None))

    def tellings(self, said: Sentence) -> list[Sentence]:
        """All paraphrases of a sentence, itself included."""
        event = said.main
        if said.link:
            ways = [said, said.but(side_first=True)]
            if said.link in ("before", "after"):
                turned = Sentence(said.side, "after" if said.link == "before" else "before", event)
                ways += [turned, turned.but(side_first=True)]
            return ways
        if event.verb is COMPARING:
            return [
                said,
                Sentence(event.but(agent=event.object, object=event.agent, quality=OPPOSITE[event.quality])),
            ]
        ways = [said, said.but(passive=True)]
        if event.verb in DATIVE:
            ways.append(Sentence(event.but(verb=DATIVE[event.verb])))
        if event.time:
            ways.append(Sentence(event.but(time_first=True)))
        return ways

    def swapped(self, said: Sentence) -> Sentence:
        """The same words in other roles: the giver receives, the earlier deed is the later one."""
        event = said.main
        if said.link == "because":
            return said.but(main=event.but(agent=said.side.agent), side=said.side.but(agent=event.agent))
        if said.link:
            return said.but(link="after" if said.link == "before" else "before")
        if event.recipient:
            return Sentence(event.but(agent=event.recipient, recipient=event.agent))
        return Sentence(event.but(agent=event.object, object=event.agent))

    def mistaken(self, said: Sentence) -> Sentence:
        """The same sentence with one word changed."""
        event, thing = said.main, said.main.object
        if event.verb is COMPARING:
            return Sentence(event.but(quality=self.rng.pick([a for a in OPPOSITE if a is not event.quality])))
        rival = self.scenes.somebody(event.agent, event.recipient, thing, said.side and said.side.agent)
        options = [event.but(agent=rival)]
        if event.verb in MEETINGS:
            similar = [verb for verb in MEETINGS if verb is not event.verb and verb.places >= bool(event.place)]
            options.append(event.but(verb=self.rng.pick(similar)))
        else:
            owned = set(thing.adjectives)
            nouns = [n for n in THINGS_OF[event.verb] if n is not thing.noun and owned <= {*ADJECTIVES_OF[n]}]
            options += [event.but(object=thing.but(noun=self.rng.pick(nouns)))] * 2 if nouns else []
            similar = [v for v in (DEEDS if event.verb in DEEDS else DATIVE) if thing.noun in THINGS_OF[v]]
            similar = [v for v in similar if v is not event.verb and v.places >= bool(event.place)]
            options += [event.but(verb=self.rng.pick(similar))] * 2 if similar else []
            others = [a for a in ADJECTIVES_OF[thing.noun] if a not in owned]
            if owned and others:
                options += [event.but(object=thing.but(adjectives=(self.rng.pick(others),)))] * 2
        return said.but(main=self.rng.pick(options))

    def pair(self, paraphrase: bool, reworded: bool) -> tuple[english.Tagged, english.Tagged, bool] | None:
        """Two sentences, and whether they have a held-out combination; None if no word has a synonym."""
        said = self.said(swaps=not reworded)
        other = said if paraphrase else self.mistaken(said) if reworded else self.swapped(said)
        ways = self.tellings(said)
        one, two = self.rng.sample(range(len(ways)), 2)
        if reworded and self.rng.chance(0.3):
            two = one
        first, second = english.sentence(ways[one]), english.sentence(self.tellings(other)[two])
        known = [i for i, (word, _) in enumerate(second) if word in SYNONYMS]
        if reworded and not known:
            return None
        # Each word can be replaced in any pair, so that a rare word is no sign of a paraphrase.
        chosen = {word: self.rng.pick((word, SYNONYMS[word])) for word, _ in (*first, *second) if word in SYNONYMS}
        chosen |= {SYNONYMS[word]: choice for word, choice in chosen.items()}
        first, second = ([(chosen.get(word, word), tag) for word, tag in words] for words in (first, second))
        if paraphrase and reworded:
            i = self.rng.pick(known)
            second[i] = SYNONYMS[second[i][0]], ""
        return first, second, any(map(held_out, (*combinations(said), *combinations(other))))


def examples(seed: int) -> Iterator[tuple[dict, bool]]:
    """Yield (row, whether it has a held-out combination) without end; no sentence is in two rows."""
    rewording = Rewording(Dice(seed))
    seen = set()
    while True:
        paraphrase, reworded = rewording.rng.chance(0.5), rewording.rng.chance(0.5)
        drawn = None
        while drawn is None:
            rewording.scenes.phrases.mentioned.clear()
            drawn = rewording.pair(paraphrase, reworded)
        first, second = english.spell(drawn[0]), english.spell(drawn[1])
        if first != second and not seen & {first, second}:
            seen |= {first, second}
            yield {"first": first, "second": second, "label": "paraphrase" if paraphrase else "different"}, drawn[2]
