"""The reader of stories: it accepts what the generator tells, and notices what was changed."""

import re
from collections import defaultdict
from itertools import islice, pairwise
from random import Random

import pytest

from microworld.draw.dice import Dice
from microworld.reader.grammar import grammar
from microworld.reader.reading import read, read_all
from microworld.story.plots import stories
from microworld.words.names import NAMES
from microworld.words.things import PLACES

FLIPPED = {"he": "she", "she": "he", "him": "her", "He": "She", "She": "He"}
KEPT = (
    "Anna had an old scarf. On Monday, she went to the kitchen and put the scarf in the drawer. She went to the park and "
    "rested. At noon, Ben went to the kitchen. He took Anna's scarf from the drawer and hid it under the table. In the "
    "evening, Anna went back to the kitchen and looked for the scarf. She asked Ben where it was. He told her that it was "
    "under the table. Anna found the scarf under the table and took it. She was happy."
)


@pytest.fixture(scope="module")
def told():
    """Stories that the grammar wasn't learned from."""
    return [story.text.string for story in islice(stories(Dice(123)), 300)]


def sentences(texts):
    return [sentence for text in texts for sentence in re.split(r"(?<=\.) ", text)]


def test_true_stories_are_grammatical_and_keep_their_facts(told):
    reading = read_all(told)
    assert reading.parsed == reading.sentences > 1_500
    assert not reading.contradictions
    assert min(reading.claims[kind] for kind in ("who", "has", "where", "when")) > 300
    assert reading.grammatical == reading.kept() == reading.kept("has") == 1


def test_one_story_in_full():
    reading = read(KEPT)
    assert (reading.sentences, reading.parsed, reading.contradictions) == (10, 10, [])


@pytest.mark.parametrize(
    ("old", "new", "kind", "why"),
    [
        ("looked for the scarf", "looked for the map", "who", "map"),
        ("from the drawer", "from the box", "where", "lies in the drawer"),
        ("that it was under the table", "that it was in the drawer", "where", "isn't in the drawer"),
        ("At noon, Ben went to the kitchen", "At noon, Ben went to the office", "where", "Ben"),
        ("He took Anna's scarf", "He took Ben's scarf", "who", "isn't Ben's"),
        ("She asked Ben where", "She asked Tom where", "who", "nobody has told of Tom"),
        ("He told her", "She told her", "who", "Anna"),
        ("put the scarf in", "put the new scarf in", "who", "isn't new"),
        ("put the scarf in the drawer", "put the scarf on the bed", "where", "no bed"),
        ("In the evening", "At noon", "when", "at noon"),
        ("went back to the kitchen", "went back to the office", "where", "never"),
        ("went back to the kitchen", "went back to the office", "where", "same place"),
        ("Anna found the scarf under the table and took it", "Anna gave the scarf to Ben", "has", "Anna doesn't hold"),
    ],
)  # fmt: skip
def test_a_contradiction_is_found_and_explained(old, new, kind, why):
    assert KEPT.count(old) == 1
    reading = read(KEPT.replace(old, new))
    assert reading.parsed == reading.sentences
    assert any(found == kind and why in reason for found, reason in reading.contradictions), reading.contradictions
    assert reading.kept() < 1
    assert reading.kept(kind) < 1


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("Anna had an umbrella.", "Anna had a umbrella."), ("Anna had an old hat.", "Anna had a old hat."),
        ("Anna had a key.", "Anna had key."), ("Anna had a key.", "Anna have a key."), ("Anna had a key.", "anna had a key."),
        ("Anna had a key.", "Anna had a key"), ("She had a key.", "Her had a key."), ("She had a key.", "She a key had."),
        ("Anna put the key in the drawer.", "Anna put the key at the drawer."),
        ("Anna gave the hat to her.", "Anna gave the hat to she."), ("Anna went to the kitchen.", "Anna went to kitchen."),
        ("He lent her umbrella to Ben.", "He lent her's umbrella to Ben."), ("Anna had a heavy radio.", "Anna had a heavy hat."),
        ("Anna also bought a piece of bread.", "Anna also bought a bread."), ("Anna lived in Oxford.", "Anna lived at Oxford."),
        ("When Anna went to the park, she rested.", "When Anna went to the park she rested."),
        ("The two sailors who met the baker were tired.", "The two sailors who met the baker was tired."),
        ("The doctor who treated the sailor later received a prize.", "The doctor who treated the sailor later received prize."),
    ],
)  # fmt: skip
def test_a_sentence_is_parsed_and_what_no_story_says_is_not(right, wrong):
    assert grammar().parse(right)
    assert not grammar().parse(wrong)


def test_changed_words_are_noticed(told):
    """Of sentences with two neighbours exchanged, or a word of another kind, hardly one is still a sentence."""
    rng = Random(0)
    parse, known = grammar().parse, set(sentences(told))
    vocabulary = sorted({word.strip(".,") for sentence in known for word in sentence.split()})
    accepted, names = (
        defaultdict(list),
        {noun.en for noun in NAMES} | {"he", "she", "him", "her", "they", "them"},
    )
    for sentence in known:
        words = sentence[:-1].split(" ")
        i = rng.randrange(len(words) - 1)
        exchanged = [*words[:i], words[i + 1], words[i], *words[i + 2 :]]
        accepted["exchanged"].append(bool(parse(" ".join(exchanged) + ".")))
        new = rng.choice(vocabulary)
        if not {new.lower(), new, words[i].lower(), words[i]} & names and new != words[i]:
            accepted["replaced"].append(bool(parse(" ".join([*words[:i], new, *words[i + 1 :]]) + ".")))
    share = {change: sum(found) / len(found) for change, found in accepted.items()}
    assert share["exchanged"] < 0.005
    assert share["replaced"] < 0.06  # most of these are right: another day, another town, another thing


def exchange(rng, text, words):
    """The text with one of the words (if there are two) in place of another."""
    found = list(re.finditer(rf"\b(?:{'|'.join(words)})\b", text))
    if len({one[0] for one in found}) < 2:
        return None
    one = rng.choice(found)
    new = words[one[0]] if isinstance(words, dict) else rng.choice([o[0] for o in found if o[0] != one[0]])
    return text[: one.start()] + new + text[one.end() :]


@pytest.mark.parametrize(
    ("words", "least"),
    [([noun.en for noun in NAMES], 0.8), (FLIPPED, 0.85), ([noun.en for noun in PLACES], 0.7)],
    ids=["names", "pronouns", "places"],
)  # fmt: skip
def test_exchanged_persons_and_places_contradict_the_story(told, words, least):
    rng = Random(1)
    changed = [text for text in (exchange(rng, text, words) for text in told) if text]
    noticed = [bool(reading.contradictions) or reading.grammatical < 1 for reading in map(read, changed)]
    assert len(noticed) > 80
    assert sum(noticed) / len(noticed) > least


def bigrams(texts, rng, count):
    """Stories in which each word follows the one before as often as it does in the texts."""
    following = defaultdict(list)
    for text in texts:
        words = ["", *text.split(), ""]
        for word, after in pairwise(words):
            following[word].append(after)
    for _ in range(count):
        words = [rng.choice(following[""])]
        while words[-1]:
            words.append(rng.choice(following[words[-1]]))
        yield " ".join(words[:-1])


def test_a_bigram_model_neither_parses_nor_keeps_its_facts(told):
    reading = read_all(bigrams(told, Random(2), 100))
    assert 0.02 < reading.grammatical < 0.5
    assert reading.kept() < 0.7


def test_true_sentences_of_different_stories_are_grammatical_and_contradict_each_other(told):
    mixed = sentences(told)
    Random(3).shuffle(mixed)
    reading = read_all([" ".join(mixed[i : i + 8]) for i in range(0, len(mixed), 8)])
    assert reading.grammatical == 1
    assert reading.kept() < 0.6


def test_nothing_is_read_from_nonsense():
    for text in ("", ".", "  ", "Anna", "They. It. Her key was. [MASK] ## \n\n 3"):
        reading = read(text)
        assert (reading.parsed, reading.grammatical, reading.kept()) == (0, 0, 1)
