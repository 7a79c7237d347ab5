"""Invented words: each prompt defines their meaning, so that a model has to read the prompt.

The invented nouns and verbs are in the vocabulary, but their meaning changes from prompt to prompt. All meanings in a
prompt fit its sentence equally well: in "Anna fed the wug", a wug can be a dog, a cat or a horse.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
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
# Each forms its past with -ed.
VERBS = tuple(
    "gorp plond tesk marn blisk vort nisk drimp salk zund krelp foond yelsk trunt semp jorn birk rulf dalk spelf tomp gask "
    "velp flomp brask trosk murnt zelk pring kowst".split()
)
FEWEST, MOST = 2, 3  # words that a prompt defines
HELD_OUT = 0.2  # of the examples ask for a held-out pair of word and meaning
# What can be done to a thing, without held-out combinations.
DEEDS_TO = {
    noun: [v for v in DEEDS if noun in THINGS_OF[v] and not held_out(f"{v.forms[0]} {noun.en}")]
    for verb in DEEDS
    for noun in THINGS_OF[verb]
}
Meaning = TypeVar("Meaning", Noun, Verb)


class NewWords:
    """Draws deeds, and new words for the verb and the object."""

    def __init__(self, rng: Dice) -> None:
        self.rng = rng
        self.scenes = Scenes(rng)

    def example(self, held: bool) -> dict | None:
        """The fields of a prompt and of its answers; None if there are too few words that fit."""
        count = self.rng.pick(range(FEWEST, MOST + 1))
        deed = self.scenes.deed()
        verb, noun = deed.verb, deed.object.noun
        # Every candidate noun and verb fits the sentence, so that the sentence doesn't give the answer away.
        nouns = {n.zh: n for n in THINGS_OF[verb] if verb in DEEDS_TO[n] and len(DEEDS_TO[n]) >= count}
        if len(nouns) < count or nouns.pop(noun.zh, None) is not noun:
            return None
        asked = self.rng.pick(range(count))
        things = self.rng.sample(list(nouns.values()), count - 1)
        things.insert(asked, noun)
        # Shuffled: otherwise verbs that go with few things would be asked for more often.
        rivals = self.rng.sample([v for v in DEEDS_TO[noun] if v is not verb], count - 1)
        verbs = self.rng.sample([verb, *rivals], count)
        deed = deed.but(object=Phrase(noun, self.rng.pick(("the", "the", "a"))))
        other = deed.but(verb=verbs[asked], place=None)
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
            "told": spell(deed.but(object=deed.object.but(noun=new_noun))),
            "told_verb": spell(other.but(verb=new_verb)),
            "right": asked,
            "candidates": [
                {
                    "word": word,
                    "meaning": n.en,
                    "a_meaning": a(n),
                    "zh": n.zh,
                    "plain": spell(deed.but(object=deed.object.but(noun=n))),
                    "plain_verb": spell(other.but(verb=v)),
                }
                for word, n, v in zip(named, things, verbs, strict=True)
            ],
        }

    def words(self, words: tuple[str, ...], meanings: Sequence[Meaning], asked: int, held: bool) -> list[str]:
        """A new word for each meaning; if `held`, the one asked for is a held-out pair, and no other is."""
        chosen: list[str] = []
        for i, meaning in enumerate(meanings):
            name = meaning.en if isinstance(meaning, Noun) else meaning.forms[0]
            fits = [word for word in _fitting(words, name, held and i == asked) if word not in chosen]
            if not fits:
                return []
            chosen.append(self.rng.pick(fits))
        return chosen


def examples(seed: int) -> Iterator[tuple[dict, bool]]:
    """Yield (row, whether its words and meanings are held-out pairs) without end; no two rows have the same sentence."""
    draw = NewWords(Dice(seed))
    seen = set()
    while True:
        draw.scenes.phrases.mentioned.clear()
        held = draw.rng.chance(HELD_OUT)
        row = draw.example(held)
        if row and row["told"] not in seen:
            seen.add(row["told"])
            yield row, held


@cache
def _fitting(words: tuple[str, ...], meaning: str, held: bool) -> list[str]:
    """The new words whose pair with this meaning is held out, or those whose pair is not."""
    return [word for word in words if held_out(f"{word} {meaning}") is held]


def a(noun: Noun) -> str:
    """A dog, an apple."""
    return " ".join(word for word, _ in english.phrase(Phrase(noun, "a"), ""))


def spell(deed: Event) -> str:
    """The deed as an English sentence."""
    return english.text(Sentence(deed))
