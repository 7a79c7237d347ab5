"""Natural language inference: does the hypothesis follow from the premise, contradict it, or neither?

The label is drawn first, then the hypothesis, then a premise that fits the label, so that the hypothesis alone does not
reveal the label. Premise and hypothesis are about the same day: if Anna washed the car in the garden, she did not wash
it in the park.
"""

from collections.abc import Callable, Iterator

from microworld.draw.dice import Dice
from microworld.draw.scenes import COMPARED, EQUALLY, FEELING, MORE, MUCH_MORE, OPPOSITE, THINGS_OF, Scenes
from microworld.events import Event, Phrase, Sentence, combinations, held_out
from microworld.realize import english
from microworld.words.modifiers import NUMBERS, PAST_TIMES
from microworld.words.nouns import Noun
from microworld.words.people import pronoun_of
from microworld.words.selection import ADJECTIVES_OF
from microworld.words.story_verbs import TOLD, english_verb
from microworld.words.things import KIND_OF, MEMBERS
from microworld.words.verbs import BEING, EQUALLING

LABELS = ("entailment", "neutral", "contradiction")
BUY, RECEIVE, BORROW = "buy buys bought bought buying", "receive", "borrow"
# The same deed with the receiver as the subject: with the giver, and without.
CONVERSE = {base: english_verb(forms, "V O from R") for base, forms in
            [("give", RECEIVE), ("send", RECEIVE), ("sell", BUY), ("lend", BORROW)]}  # fmt: skip
ALONE = {base: english_verb(verb.forms[0] if verb.forms[0] != "buy" else BUY, "V O") for base, verb in CONVERSE.items()}
GIVING = tuple(TOLD[base] for base in CONVERSE)
SOMEBODY, NOBODY = (Phrase(Noun(en, en, "", "个", frozenset())) for en in ("somebody", "nobody"))


class Inference:
    """Draws a hypothesis, and a premise that fits the label. Each public method returns (premise, hypothesis)."""

    def __init__(self, rng: Dice) -> None:
        self.rng = rng
        self.scenes = Scenes(rng)

    def pair(self, label: str) -> tuple[Sentence, Sentence]:
        """A pair with this label, of any kind."""
        draw: Callable[[str], tuple[Sentence, Sentence]] = self.rng.pick(
            (self.deeds, self.deeds, self.deeds, self.transfers, self.comparisons, self.orders)
        )
        return draw(label)

    def deeds(self, label: str) -> tuple[Sentence, Sentence]:
        """Pairs about one deed: dropped or added details, hypernyms, negation, another agent, place or number."""
        said = self.scenes.deed()
        while not self.lessened(said):
            said = self.scenes.deed()
        if said.object.noun in KIND_OF and not said.object.adjectives and self.rng.chance(0.5):
            said = said.but(object=said.object.but(noun=KIND_OF[said.object.noun]))
        if self.rng.chance(0.15):
            said = said.but(agent=SOMEBODY)
        denied = said.agent is not SOMEBODY and self.rng.chance(0.4)
        if label == "entailment":
            premise = self.rng.pick(self.lessened(said)).but(negated=True) if denied else self.more(said)
        elif label == "contradiction":
            premise = self.more(said) if denied else self.against(said)
        elif denied and self.rng.chance(0.5) and (longer := self.longer(said)) != said:
            premise = longer.but(negated=True)
        else:
            premise = self.longer(self.rng.pick(self.lessened(said)), said)
        if premise.agent is SOMEBODY and (premise == said or self.rng.chance(0.7)):
            premise = premise.but(agent=self.scenes.somebody())
        hypothesis = said.but(negated=denied)
        if premise == hypothesis or (self.rng.chance(0.15) and not premise.negated and premise.agent is not SOMEBODY):
            return Sentence(premise, passive=premise.agent is not NOBODY), Sentence(hypothesis)
        return self.circumstance(premise), Sentence(hypothesis)

    def circumstance(self, deed: Event) -> Sentence:
        """The deed, sometimes with a clause that does not change its meaning: although Anna was tired, she …"""
        pronoun = pronoun_of(deed.agent.noun)
        if not pronoun or self.rng.chance(0.6):
            return Sentence(deed)
        side = Event(BEING[0], deed.agent, quality=self.rng.pick(FEELING), degree=EQUALLY)
        return Sentence(deed.but(agent=Phrase(pronoun)), "although", side, side_first=True)

    def more(self, said: Event) -> Event:
        """The event, perhaps with a hyponym or more details: it entails `said`."""
        if said.object.noun in MEMBERS:
            noun = self.rng.pick([n for n in MEMBERS[said.object.noun] if n in THINGS_OF[said.verb]])
            said = said.but(object=said.object.but(noun=noun))
        return self.longer(said)

    def longer(self, event: Event, said: Event | None = None) -> Event:
        """The event with a place, a time or an adjective that neither it nor `said` has."""
        said = said or event
        if event.verb.places and not (event.place or said.place) and self.rng.chance(0.5):
            event = event.but(place=self.scenes.somewhere(event.verb))
        if not (event.time or said.time) and self.rng.chance(0.5):
            event = event.but(time=self.rng.pick(PAST_TIMES))
        options = ADJECTIVES_OF.get(event.object.noun)
        if options and not (event.object.adjectives or said.object.adjectives) and self.rng.chance(0.3):
            event = event.but(object=event.object.but(adjectives=(self.rng.pick(options),)))
        return event

    def lessened(self, said: Event) -> list[Event]:
        """The event without its place, without its time, and without the adjective of its object, as far as it has them."""
        less = [said.but(place=None)] if said.place else []
        if said.time:
            less.append(said.but(time=None))
        if said.object.adjectives:
            less.append(said.but(object=said.object.but(adjectives=())))
        return less

    def against(self, said: Event) -> Event:
        """An event that contradicts `said`."""
        denied = said.but(agent=NOBODY) if said.agent is SOMEBODY else said.but(negated=True)
        options = [denied]
        if said.agent is not SOMEBODY and said.object.determiner == "the":
            options.append(self.more(said.but(agent=self.scenes.somebody(said.agent))))
        if said.place:
            options.append(self.more(said.but(place=self.scenes.somewhere(said.verb, said.place.phrase.noun))))
        if said.object.determiner in NUMBERS:
            number = self.rng.pick([n for n in NUMBERS[:4] if n != said.object.determiner])
            options.append(self.more(said.but(object=said.object.but(determiner=number))))
        return self.rng.pick(options)

    def transfers(self, label: str) -> tuple[Sentence, Sentence]:
        """Pairs about a transfer: giving and receiving are the same deed."""
        deed = self.scenes.transfer(GIVING).but(place=None)
        giver, receiver = deed.agent, deed.recipient
        heard = self.rng.pick((deed, self.converse(deed)))
        if label == "entailment":
            premise = self.converse(deed) if heard is deed else deed
        elif label == "contradiction":
            premise = self.rng.pick((
                deed.but(agent=receiver, recipient=giver),
                deed.but(recipient=self.scenes.somebody(giver, receiver)),
                deed.but(negated=True),
            ))  # fmt: skip
            premise = self.rng.pick((premise, self.converse(premise)))
        elif deed.time and self.rng.chance(0.5):
            premise = self.rng.pick((deed, self.converse(deed))).but(time=None)
        else:
            premise = deed.but(verb=ALONE[deed.verb.forms[0]], agent=receiver, recipient=None)
        return Sentence(premise), Sentence(heard)

    @staticmethod
    def converse(deed: Event) -> Event:
        """Anna gave the key to Ben: Ben received the key from Anna."""
        return deed.but(verb=CONVERSE[deed.verb.forms[0]], agent=deed.recipient, recipient=deed.agent)

    def comparisons(self, label: str) -> tuple[Sentence, Sentence]:
        """Pairs about a comparison: if Anna is taller than Ben, Ben is shorter than Anna, and not taller."""
        said = self.scenes.comparison()
        first, second = said.agent, said.object
        above = [said.but(degree=MUCH_MORE)]
        not_above = [
            said.but(agent=second, object=first),
            said.but(agent=second, object=first, degree=MUCH_MORE),
            said.but(verb=EQUALLING, degree=EQUALLY),
        ]
        opposite = OPPOSITE.get(said.quality)
        if opposite:
            above += [said.but(agent=second, object=first, quality=opposite)] * 2
            not_above += [said.but(quality=opposite)] * 2
        denied = self.rng.chance(0.4)
        if label == "neutral":
            other = self.scenes.somebody(first, second)
            quality = self.rng.pick([a for a in COMPARED if a not in (said.quality, opposite)])
            unsaid = [said.but(agent=other), said.but(object=other), said.but(quality=quality)]
            premise = self.rng.pick(unsaid)
            premise = premise.but(degree=self.rng.pick((MORE, MUCH_MORE)))
        else:
            premise = self.rng.pick(above if (label == "entailment") is not denied else not_above)
        return Sentence(premise), Sentence(said.but(negated=denied))

    def orders(self, label: str) -> tuple[Sentence, Sentence]:
        """Pairs about the order of two deeds: if one is done before the other, the other is done after it."""
        who = self.scenes.phrases.name()
        first, second = (self.scenes.deed(who).but(place=None, time=None) for _ in range(2))
        while second.verb is first.verb or second.object.noun is first.object.noun:
            second = self.scenes.deed(who).but(place=None, time=None)
        she = Phrase(pronoun_of(who.noun))

        def told(one: Event, two: Event, link: str) -> Sentence:
            # The name comes before the pronoun.
            if self.rng.chance(0.3):
                return Sentence(one.but(agent=she), link, two, side_first=True)
            return Sentence(one, link, two.but(agent=she))

        hypothesis = self.rng.pick((told(first, second, "before"), told(second, first, "after")))
        if label == "neutral":
            other = self.scenes.deed(who).but(place=None, time=None)
            while other.verb in (first.verb, second.verb):
                other = self.scenes.deed(who).but(place=None, time=None)
            first, second = self.rng.pick(((first, other), (other, second), (other, first), (second, other)))
        if label == "contradiction":
            first, second = second, first
        premise = hypothesis
        while premise == hypothesis:
            premise = self.rng.pick((told(first, second, "before"), told(second, first, "after")))
        return premise, hypothesis


def examples(seed: int) -> Iterator[tuple[dict, bool]]:
    """Yield (row, whether it has a held-out combination) without end; no two rows have the same premise."""
    inference = Inference(Dice(seed))
    seen = set()
    while True:
        label, row = inference.rng.pick(LABELS), None
        while row is None or row["premise"] in seen or row["premise"] == row["hypothesis"]:
            inference.scenes.phrases.mentioned.clear()
            premise, hypothesis = inference.pair(label)
            row = {"premise": english.text(premise), "hypothesis": english.text(hypothesis), "label": label}
        seen.add(row["premise"])
        yield row, any(map(held_out, (*combinations(premise), *combinations(hypothesis))))
