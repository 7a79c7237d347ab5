"""Sentiment of opinions, positive or negative: "not boring" is positive, and the main clause decides over "although …"."""

import re
from collections.abc import Iterator

from microworld.draw.dice import Dice
from microworld.draw.phrases import Phrases
from microworld.events import Event, Phrase, Sentence, held_out
from microworld.realize import english
from microworld.words.adjectives import Adjective
from microworld.words.modifiers import PAST_TIMES, Word
from microworld.words.nouns import Noun
from microworld.words.people import ME, WE, pronoun_of
from microworld.words.story_verbs import GO, TAKE, english_verb
from microworld.words.verbs import BEING

PRAISE = {
    "food": "delicious fresh good excellent tasty",
    "person": "friendly polite kind helpful patient",
    "room": "clean quiet warm beautiful",
    "seat": "comfortable clean warm",
    "story": "interesting funny exciting good wonderful",
    "music": "beautiful good wonderful interesting",
    "whole": "wonderful great pleasant good excellent",
}
BLAME = {
    "food": "cold bad terrible awful disgusting",
    "person": "rude unfriendly lazy impatient",
    "room": "dirty noisy cold ugly",
    "seat": "uncomfortable dirty cold",
    "story": "boring dull bad terrible slow",
    "music": "boring dull bad terrible",
    "whole": "terrible awful bad unpleasant boring",
}
STRONG = {"excellent", "wonderful", "terrible", "awful", "disgusting"}  # "not awful" is neither positive nor negative
LOVED, HATED = ("love", "like", "enjoy"), ("hate", "dislike")
OPINION = {base: english_verb(base, "V O") for base in (*LOVED, *HATED)}
# What opinions are about: the verb of the neutral sentence, nouns for the whole, and nouns for its parts by kind.
SCENES = [
    (english_verb(GO, "V to the restaurant"), "evening meal dinner",
     {"food": "soup fish cake pie bread", "person": "waiter cook", "seat": "chair"}),
    (english_verb("stay", "V at the hotel"), "hotel stay",
     {"food": "breakfast coffee bread", "person": "waiter cook", "room": "bedroom kitchen", "seat": "bed"}),
    (english_verb(GO, "V to the theatre"), "play evening concert",
     {"music": "music song", "story": "story ending", "person": "singer musician", "seat": "seat", "room": "theatre"}),
    (english_verb("watch", "V a film"), "film", {"story": "story beginning ending", "music": "music"}),
    (english_verb("read read read read reading", "V a novel"), "novel", {"story": "story beginning ending"}),
    (english_verb("visit", "V the museum"), "museum visit", {"music": "painting", "person": "guide", "story": "film"}),
    (english_verb("visit", "V the school"), "school lesson visit", {"person": "teacher librarian", "room": "classroom library"}),
    (english_verb(TAKE, "V the train"), "journey", {"person": "driver waiter", "room": "train", "seat": "seat", "food": "coffee sandwich"}),
    (english_verb("walk", "V to the market"), "market", {"food": "bread cheese pie soup", "person": "baker farmer", "music": "music"}),
]  # fmt: skip
DAYS = [word for word in PAST_TIMES if not re.search("morning|noon|evening|night|summer|winter|year|at ", word.en)]
NOUN = {
    word: Noun(word, "", "", "", frozenset())
    for _, whole, parts in SCENES for words in (whole, *parts.values()) for word in words.split()
}  # fmt: skip
QUALITY = {
    word: Adjective(word, "", "", "", "", frozenset())
    for kinds in (PRAISE, BLAME) for words in kinds.values() for word in words.split()
}  # fmt: skip
PLAIN, VERY = Word("", ""), Word("very", "")


class Opinions:
    """Draws clauses that are positive or negative by their adjective or verb and their "not"."""

    def __init__(self, rng: Dice) -> None:
        self.rng = rng
        self.phrases = Phrases(rng)

    def about(self, noun: str, kind: str, positive: bool) -> Event:
        """The soup was not cold."""
        negated = self.rng.chance(0.4)
        words = (PRAISE if positive is not negated else BLAME)[kind].split()
        quality = QUALITY[self.rng.pick([word for word in words if not (negated and word in STRONG)])]
        degree = PLAIN if negated or quality.en in STRONG or self.rng.chance(0.6) else VERY
        return Event(BEING[0], Phrase(NOUN[noun], "the"), negated=negated, quality=quality, degree=degree)

    def part(self, parts: dict[str, str], positive: bool) -> Event:
        """An opinion about a part of the whole."""
        kind = self.rng.pick(tuple(parts))
        return self.about(self.rng.pick(parts[kind].split()), kind, positive)

    def verdict(self, who: Phrase, whole: str, positive: bool) -> Event:
        """The film was wonderful, or: Anna did not like the film."""
        if self.rng.chance(0.5):
            return self.about(whole, "whole", positive)
        negated = not positive and self.rng.chance(0.6)
        verb = OPINION[self.rng.pick(LOVED[1:] if negated else LOVED if positive else HATED)]
        return Event(verb, who, negated=negated, object=Phrase(NOUN[whole], "the"))

    def opinion(self, positive: bool) -> tuple[Sentence, ...]:
        """A sentence with an opinion, perhaps after a neutral one that says what happened."""
        opener, wholes, parts = self.rng.pick(SCENES)
        who = self.rng.pick((Phrase(ME), Phrase(WE), self.phrases.name(), self.phrases.name()))
        opened = self.rng.chance(0.7)
        verdict = self.verdict(Phrase(pronoun_of(who.noun)) if opened else who, self.rng.pick(wholes.split()), positive)
        shape = self.rng.pick(("alone", "although", "although", "but", "but", "because"))
        if shape == "alone":
            sentence = Sentence(verdict if self.rng.chance(0.5) else self.part(parts, positive))
        elif shape == "although":
            sentence = Sentence(verdict, "although", self.part(parts, not positive), side_first=self.rng.chance(0.75))
        elif shape == "but":
            sentence = Sentence(self.part(parts, not positive), joint="but", added=verdict)
        else:
            sentence = Sentence(verdict, "because", self.part(parts, positive))
        if not opened:
            return (sentence,)
        return Sentence(Event(opener, who, time=self.rng.pick(DAYS), time_first=self.rng.chance(0.6))), sentence


def examples(seed: int) -> Iterator[tuple[dict, bool]]:
    """Yield (row, whether it has a held-out combination) without end; no two rows have the same text."""
    opinions = Opinions(Dice(seed))
    seen = set()
    while True:
        opinions.phrases.mentioned.clear()
        positive = opinions.rng.chance(0.5)
        sentences = opinions.opinion(positive)
        text = " ".join(map(english.text, sentences))
        if text not in seen:
            seen.add(text)
            row = {"text": text, "label": "positive" if positive else "negative"}
            yield row, any(held_out(pair) for event in sentences[-1].events for pair in combined(event))


def combined(event: Event) -> Iterator[str]:
    """The pair of words that an opinion combines: "boring film", "love film"."""
    if event.quality:
        yield f"{event.quality.en} {event.agent.noun.en}"
    else:
        yield f"{event.verb.forms[0]} {event.object.noun.en}"
