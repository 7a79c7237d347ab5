"""Words that nobody has heard before: each prompt says anew what they mean, so that only reading the prompt helps.

Nouns and verbs are words of their own in a vocabulary, but no text gives them a meaning that the next one keeps. All
meanings that a prompt gives fit its sentence equally well: Anna fed the wug, which may be a dog, a cat or a horse.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from microworld.draw.dice import Dice
from microworld.draw.scenes import DEEDS, THINGS_OF, Scenes
from microworld.events import Event, Phrase, Sentence, held_out
from microworld.realize import english
from microworld.words.nouns import Noun
from microworld.words.verbs import Verb, inflect

NOUNS = tuple(
    "wug dax fep toma zib blicket gazzer modil koba tupa lirn vash norg snib plim drock trell zorp lorp mib nool peb rilk "
    "sarp vep yark bozzle corl dilp fendle hux jandle keff limdo mavo nardle prell rupo sindle tazzo vimba wendle zupo "
    "clorp drent smeb skell brop vark fimble dorvin ruggo besk".split()
)
# Each takes -ed as it is.
VERBS = tuple(
    "gorp plond tesk marn blisk vort nisk drimp salk zund krelp foond yelsk trunt semp jorn birk rulf dalk spelf tomp gask "
    "velp flomp brask trosk murnt zelk pring kowst".split()
)
FEWEST, MOST = 2, 3  # words that a prompt explains
HELD_OUT = 0.2  # of the examples ask for a pair of word and meaning that no other prompt explains
# What may be done to a thing, as far as training may tell of it.
DEEDS_TO = {
    noun: [v for v in DEEDS if noun in THINGS_OF[v] and not held_out(f"{v.forms[0]} {noun.en}")]
    for verb in DEEDS
    for noun in THINGS_OF[verb]
}
Meaning = TypeVar("Meaning", Noun, Verb)


class NewWords:
    """Draws deeds, and new words for their verb and their object."""

    def __init__(self, rng: Dice) -> None:
        self.rng = rng
        self.scenes = Scenes(rng)

    def example(self, held: bool) -> dict | None:
        """The fields of a prompt and of its answers; None where a pair of words isn't to be had."""
        count = self.rng.pick(range(FEWEST, MOST + 1))
        deed = self.scenes.deed()
        verb, noun = deed.verb, deed.object.noun
        # Each of the things could be the one asked for, and each of the deeds: the sentence tells nothing.
        nouns = {n.zh: n for n in THINGS_OF[verb] if verb in DEEDS_TO[n] and len(DEEDS_TO[n]) >= count}
        if len(nouns) < count or nouns.pop(noun.zh, None) is not noun:
            return None
        asked = self.rng.pick(range(count))
        things = self.rng.sample(list(nouns.values()), count - 1)
        things.insert(asked, noun)
        # Shuffled, for verbs that few things fit would else be asked for more often than others.
        rivals = self.rng.sample([v for v in DEEDS_TO[noun] if v is not verb], count - 1)
        verbs = self.rng.sample([verb, *rivals], count)
        deed = replace(deed, object=Phrase(noun, self.rng.pick(("the", "the", "a"))))
        other = replace(deed, verb=verbs[asked], place=None)
        said, named = self.words(VERBS, verbs, asked, held), self.words(NOUNS, things, asked, held)
        if not said or not named:
            return None
        new_noun = replace(noun, en=named[asked], plural=named[asked] + "s")
        new_verb = replace(other.verb, forms=inflect(said[asked]))
        return {
            "invented": [*named, *said],
            "means": " ".join(f"{word} means {n.en}." for word, n in zip(named, things, strict=True)),
            "are": " ".join(f"A {word} is {a(n)}." for word, n in zip(named, things, strict=True)),
            "chinese": " ".join(
                f"In Chinese, a {word} is called {n.zh}." for word, n in zip(named, things, strict=True)
            ),
            "called": " ".join(f"We call {a(n)} a {word}." for word, n in zip(named, things, strict=True)),
            "to": " ".join(f"To {word} means to {v.forms[0]}." for word, v in zip(said, verbs, strict=True)),
            "word": named[asked],
            "a_meaning": a(noun),
            "told": spell(replace(deed, object=replace(deed.object, noun=new_noun))),
            "told_verb": spell(replace(other, verb=new_verb)),
            "right": asked,
            "candidates": [
                {
                    "word": word,
                    "meaning": n.en,
                    "a_meaning": a(n),
                    "zh": n.zh,
                    "plain": spell(replace(deed, object=replace(deed.object, noun=n))),
                    "plain_verb": spell(replace(other, verb=v)),
                }
                for word, n, v in zip(named, things, verbs, strict=True)
            ],
        }

    def words(self, words: Sequence[str], meanings: Sequence[Meaning], asked: int, held: bool) -> list[str]:
        """A new word for each meaning; only the one asked for may be a pair that is held out, if `held`."""
        chosen: list[str] = []
        for i, meaning in enumerate(meanings):
            name = meaning.en if isinstance(meaning, Noun) else meaning.forms[0]
            fits = [w for w in words if held_out(f"{w} {name}") is (held and i == asked) and w not in chosen]
            if not fits:
                return []
            chosen.append(self.rng.pick(fits))
        return chosen


def examples(seed: int) -> Iterator[tuple[dict, bool]]:
    """Yield (row, whether its words and meanings are held-out pairs) without end; no two rows tell the same."""
    draw = NewWords(Dice(seed))
    seen = set()
    while True:
        draw.scenes.phrases.mentioned.clear()
        held = draw.rng.chance(HELD_OUT)
        row = draw.example(held)
        if row and row["told"] not in seen:
            seen.add(row["told"])
            yield row, held


def a(noun: Noun) -> str:
    """A dog, an apple."""
    return " ".join(word for word, _ in english.phrase(Phrase(noun, "a"), ""))


def spell(deed: Event) -> str:
    """The deed as an English sentence."""
    return english.text(Sentence(deed))
