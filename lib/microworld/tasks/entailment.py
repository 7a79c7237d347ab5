"""Does the premise say so? The hypothesis is drawn first and the label next, then a premise that makes the label true.

So the hypothesis alone tells nothing about the label. Premise and hypothesis tell of the same day in the town: if Anna
washed the car in the garden, she didn't wash it in the park.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

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
# The same deed told by the one who gets the thing, with the giver and without.
CONVERSE = {base: english_verb(forms, "V O from R") for base, forms in
            [("give", RECEIVE), ("send", RECEIVE), ("sell", BUY), ("lend", BORROW)]}  # fmt: skip
ALONE = {base: english_verb(verb.forms[0] if verb.forms[0] != "buy" else BUY, "V O") for base, verb in CONVERSE.items()}
GIVING = tuple(TOLD[base] for base in CONVERSE)
SOMEBODY, NOBODY = (Phrase(Noun(en, en, "", "个", frozenset())) for en in ("somebody", "nobody"))


class Inference:
    """Draws a hypothesis, and for each label a premise; each method returns (premise, hypothesis)."""

    def __init__(self, rng: Dice) -> None:
        self.rng = rng
        self.scenes = Scenes(rng)

    def pair(self, label: str) -> tuple[Sentence, Sentence]:
        """A premise from which the hypothesis follows, or whose opposite follows, or neither."""
        draw: Callable[[str], tuple[Sentence, Sentence]] = self.rng.pick(
            (self.deeds, self.deeds, self.deeds, self.transfers, self.comparisons, self.orders)
        )
        return draw(label)

    def deeds(self, label: str) -> tuple[Sentence, Sentence]:
        """Details dropped or added, kinds of things, negation, another agent, place or number."""
        said = self.scenes.deed()
        while not self.lessened(said):
            said = self.scenes.deed()
        if said.object.noun in KIND_OF and not said.object.adjectives and self.rng.chance(0.5):
            said = replace(said, object=replace(said.object, noun=KIND_OF[said.object.noun]))
        if self.rng.chance(0.15):
            said = replace(said, agent=SOMEBODY)
        denied = said.agent is not SOMEBODY and self.rng.chance(0.4)
        if label == "entailment":
            premise = replace(self.rng.pick(self.lessened(said)), negated=True) if denied else self.more(said)
        elif label == "contradiction":
            premise = self.more(said) if denied else self.against(said)
        elif denied and self.rng.chance(0.5) and (longer := self.longer(said)) != said:
            premise = replace(longer, negated=True)
        else:
            premise = self.longer(self.rng.pick(self.lessened(said)), said)
        if premise.agent is SOMEBODY and (premise == said or self.rng.chance(0.7)):
            premise = replace(premise, agent=self.scenes.somebody())
        hypothesis = replace(said, negated=denied)
        if premise == hypothesis or (self.rng.chance(0.15) and not premise.negated and premise.agent is not SOMEBODY):
            return Sentence(premise, passive=premise.agent is not NOBODY), Sentence(hypothesis)
        return self.circumstance(premise), Sentence(hypothesis)

    def circumstance(self, deed: Event) -> Sentence:
        """The deed, sometimes with a feeling that changes nothing: although Anna was tired, she …"""
        pronoun = pronoun_of(deed.agent.noun)
        if not pronoun or self.rng.chance(0.6):
            return Sentence(deed)
        side = Event(BEING[0], deed.agent, quality=self.rng.pick(FEELING), degree=EQUALLY)
        return Sentence(replace(deed, agent=Phrase(pronoun)), "although", side, side_first=True)

    def more(self, said: Event) -> Event:
        """All that was said, perhaps told more exactly."""
        if said.object.noun in MEMBERS:
            noun = self.rng.pick([n for n in MEMBERS[said.object.noun] if n in THINGS_OF[said.verb]])
            said = replace(said, object=replace(said.object, noun=noun))
        return self.longer(said)

    def longer(self, event: Event, said: Event | None = None) -> Event:
        """The event with a place, a time or a property that neither it nor `said` has."""
        said = said or event
        if event.verb.places and not (event.place or said.place) and self.rng.chance(0.5):
            event = replace(event, place=self.scenes.somewhere(event.verb))
        if not (event.time or said.time) and self.rng.chance(0.5):
            event = replace(event, time=self.rng.pick(PAST_TIMES))
        options = ADJECTIVES_OF.get(event.object.noun)
        if options and not (event.object.adjectives or said.object.adjectives) and self.rng.chance(0.3):
            event = replace(event, object=replace(event.object, adjectives=(self.rng.pick(options),)))
        return event

    def lessened(self, said: Event) -> list[Event]:
        """The event without its place, without its time, without the property of its object: what it has of these."""
        less = [replace(said, place=None)] if said.place else []
        if said.time:
            less.append(replace(said, time=None))
        if said.object.adjectives:
            less.append(replace(said, object=replace(said.object, adjectives=())))
        return less

    def against(self, said: Event) -> Event:
        """What can't be true together with what was said."""
        denied = replace(said, agent=NOBODY) if said.agent is SOMEBODY else replace(said, negated=True)
        options = [denied]
        if said.agent is not SOMEBODY and said.object.determiner == "the":
            options.append(self.more(replace(said, agent=self.scenes.somebody(said.agent))))
        if said.place:
            options.append(self.more(replace(said, place=self.scenes.somewhere(said.verb, said.place.phrase.noun))))
        if said.object.determiner in NUMBERS:
            number = self.rng.pick([n for n in NUMBERS[:4] if n != said.object.determiner])
            options.append(self.more(replace(said, object=replace(said.object, determiner=number))))
        return self.rng.pick(options)

    def transfers(self, label: str) -> tuple[Sentence, Sentence]:
        """Whoever gives, somebody receives: the same deed told from both sides."""
        deed = replace(self.scenes.transfer(GIVING), place=None)
        giver, receiver = deed.agent, deed.recipient
        heard = self.rng.pick((deed, self.converse(deed)))
        if label == "entailment":
            premise = self.converse(deed) if heard is deed else deed
        elif label == "contradiction":
            premise = self.rng.pick((
                replace(deed, agent=receiver, recipient=giver),
                replace(deed, recipient=self.scenes.somebody(giver, receiver)),
                replace(deed, negated=True),
            ))  # fmt: skip
            premise = self.rng.pick((premise, self.converse(premise)))
        elif deed.time and self.rng.chance(0.5):
            premise = replace(self.rng.pick((deed, self.converse(deed))), time=None)
        else:
            premise = replace(deed, verb=ALONE[deed.verb.forms[0]], agent=receiver, recipient=None)
        return Sentence(premise), Sentence(heard)

    @staticmethod
    def converse(deed: Event) -> Event:
        """Anna gave the key to Ben: Ben received the key from Anna."""
        return replace(deed, verb=CONVERSE[deed.verb.forms[0]], agent=deed.recipient, recipient=deed.agent)

    def comparisons(self, label: str) -> tuple[Sentence, Sentence]:
        """If Anna is taller than Ben, Ben is shorter than Anna, and not taller."""
        said = self.scenes.comparison()
        first, second = said.agent, said.object
        above = [replace(said, degree=MUCH_MORE)]
        not_above = [
            replace(said, agent=second, object=first),
            replace(said, agent=second, object=first, degree=MUCH_MORE),
            replace(said, verb=EQUALLING, degree=EQUALLY),
        ]
        opposite = OPPOSITE.get(said.quality)
        if opposite:
            above += [replace(said, agent=second, object=first, quality=opposite)] * 2
            not_above += [replace(said, quality=opposite)] * 2
        denied = self.rng.chance(0.4)
        if label == "neutral":
            other = self.scenes.somebody(first, second)
            quality = self.rng.pick([a for a in COMPARED if a not in (said.quality, opposite)])
            unsaid = [replace(said, agent=other), replace(said, object=other), replace(said, quality=quality)]
            premise = self.rng.pick(unsaid)
            premise = replace(premise, degree=self.rng.pick((MORE, MUCH_MORE)))
        else:
            premise = self.rng.pick(above if (label == "entailment") is not denied else not_above)
        return Sentence(premise), Sentence(replace(said, negated=denied))

    def orders(self, label: str) -> tuple[Sentence, Sentence]:
        """What is done before something is followed by it."""
        who = self.scenes.phrases.name()
        first, second = (replace(self.scenes.deed(who), place=None, time=None) for _ in range(2))
        while second.verb is first.verb or second.object.noun is first.object.noun:
            second = replace(self.scenes.deed(who), place=None, time=None)
        she = Phrase(pronoun_of(who.noun))

        def told(one: Event, two: Event, link: str) -> Sentence:
            # The name comes first, the pronoun after it.
            if self.rng.chance(0.3):
                return Sentence(replace(one, agent=she), link, two, side_first=True)
            return Sentence(one, link, replace(two, agent=she))

        hypothesis = self.rng.pick((told(first, second, "before"), told(second, first, "after")))
        if label == "neutral":
            other = replace(self.scenes.deed(who), place=None, time=None)
            while other.verb in (first.verb, second.verb):
                other = replace(self.scenes.deed(who), place=None, time=None)
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
