"""The translation task of the micro-world: its promises, checked on what it really writes."""

import itertools
import re
from collections import Counter

import pytest

from microworld.draw.dice import Dice
from microworld.draw.sentences import Sentences
from microworld.events import held_out
from microworld.realize.english import TOKEN
from microworld.tasks import translation
from microworld.words import adjectives, names, people, things

SPLITS = ("train", "validation", "test", "compositional")
NAMES = {noun.en: noun.zh for noun in names.NAMES}

SIZE = 12_000
BUILD = f"""
import json, sys
import microworld
data = microworld.load("translation", size={SIZE})
json.dump({{name: list(data[name]) for name in data}}, open(sys.argv[1], "w"))
"""


def words(text):
    return TOKEN.findall(text)


@pytest.fixture(scope="session")
def splits(build_elsewhere):
    """A world of 12,000 training rows."""
    return build_elsewhere(BUILD)


@pytest.fixture(scope="session")
def rows(splits):
    return [row for name in SPLITS for row in splits[name]]


@pytest.fixture(scope="session")
def sentences():
    """Sentences as structures, with their rows."""
    sampler = Sentences(Dice(7))
    return [(sentence, translation.translate(sentence)) for sentence in (sampler.sentence() for _ in range(2_000))]


def test_a_seed_gives_the_same_rows_in_any_process(splits):
    here = [row for row, compositional in itertools.islice(translation.examples(0), 200) if not compositional]
    assert splits["test"][: len(here)] == here
    other = [row for row, _ in itertools.islice(translation.examples(4), 20)]
    assert not any(row in splits["test"] for row in other)


def test_sizes_and_columns(splits):
    assert {name: len(splits[name]) for name in splits} == dict(zip(SPLITS, [SIZE, 1_000, 1_000, 1_000], strict=True))
    assert all(set(row) == {"en", "zh", "alignment"} for row in splits["test"])


def test_no_text_is_in_two_splits_or_twice(rows):
    assert max(Counter(row["en"] for row in rows).values()) == 1


def test_a_sentence_is_compositional_where_its_events_hold_a_held_out_pair(splits):
    texts = {name: {row["en"] for row in splits[name]} for name in splits}
    counts = Counter()
    for row, compositional in itertools.islice(translation.examples(0), 2_000):
        assert (row["en"] in texts["compositional"]) == compositional
        counts[compositional] += 1
    assert min(counts.values()) > 50


def test_held_out_adjectives_and_nouns_never_stand_together_in_training(splits):
    known = {adjective.en for adjective in adjectives.ADJECTIVES}
    nouns = {
        form: noun.en for noun in [*things.THINGS, *people.JOBS, *people.PEOPLE] for form in (noun.en, noun.plural)
    }
    kept = {(a, form) for a in known for form in nouns if held_out(f"{a} {nouns[form]}")}

    def neighbours(name):
        return {pair for row in splits[name] for pair in itertools.pairwise(words(row["en"]))}

    assert not neighbours("train") & kept
    assert len(neighbours("compositional") & kept) > 20


def test_chinese_is_a_function_of_english(rows, sentences):
    chinese = {row["en"]: row["zh"] for row in rows}
    again = [row for _, row in sentences if row["en"] in chinese]
    assert len(again) > 10
    for row in [*again, *(row for _, row in sentences)]:
        assert chinese.setdefault(row["en"], row["zh"]) == row["zh"], row["en"]


def test_alignment_is_in_range_and_without_repeats(rows):
    for row in rows:
        pairs = [tuple(pair) for pair in row["alignment"]]
        assert len(pairs) == len(set(pairs))
        assert max(i for i, _ in pairs) < len(words(row["en"]))
        assert max(j for _, j in pairs) < len(row["zh"])
        assert min(min(pair) for pair in pairs) >= 0


def test_a_name_is_aligned_to_its_own_characters(rows):
    seen = 0
    for row in rows:
        for i, token in enumerate(words(row["en"])):
            if token in NAMES:
                aligned = sorted(j for source, j in row["alignment"] if source == i)
                assert "".join(row["zh"][j] for j in aligned) == NAMES[token], row
                assert aligned == list(range(aligned[0], aligned[0] + len(aligned)))
                seen += 1
    assert seen > 3_000


def test_every_character_but_particles_is_aligned(rows):
    for row in rows:
        aligned = {j for _, j in row["alignment"]}
        loose = {character for j, character in enumerate(row["zh"]) if j not in aligned}
        assert loose <= {"把", "，"}, row


def test_every_content_word_of_english_is_aligned(rows):
    for row in rows:
        aligned = {i for i, _ in row["alignment"]}
        loose = {token.lower() for i, token in enumerate(words(row["en"])) if i not in aligned}
        assert loose <= {"the", "it", "there", "did", "to", ",", "'", "s"} | BE, (loose, row)


BE = {"is", "are", "am", "was", "were", "be"}


def test_at_least_fifteen_kinds_of_events(sentences):
    kinds = Counter(event.kind for sentence, _ in sentences for event in sentence.events)
    assert sum(count >= 10 for count in kinds.values()) >= 30


@pytest.mark.parametrize(
    ("en", "zh"),
    [
        (r"^\w+ repaired the \w+(\.| in| at| on)", "把.*修好了"),
        (r"\bbefore\.$", "以前.*过"),
        (r"^\w+ is sleeping", "正在.*睡觉"),
        (r"^Did .*\?$", "吗？$"),
        (r"^\w+ (is|was) taller than \w+\.$", "^.*比.*高。$"),
        (r"\bput the \w+ on the \w+\.$", "把.*放在.*上"),
        (r"(doctor|nurse|dentist) who treated", "治疗了.*的.*(医生|护士|牙医)"),
        (r"\ban umbrella\b", "一把"),
        (r"^\w+ will not\b", "不会"),
        (r"\bdid not\b", "没有|没|不"),
        (r"because", "因为.*，所以"),
        (r"^When ", "的时候，|什么时候"),
        (r"\bby the\b", "被|旁边"),
        (r"play(ed|ing|s)? the violin", "拉"),
        (r"play(ed|ing|s)? football", "踢"),
        (r"at \w+ in the evening", "晚上.+点"),
        (r"\bold (doctor|sailor|farmer|cook|man|woman|dog)\b", "老"),
        (r"\bold (book|coat|bridge|lamp)\b", "旧"),
    ],
)
def test_phenomena_occur_and_are_said_rightly(rows, en, zh):
    said = [row for row in rows if re.search(en, row["en"])]
    assert said
    for row in said:
        assert re.search(zh, row["zh"]), row


def test_numbers_agree_with_their_nouns_measure(rows):
    counted = {noun.plural: noun for noun in things.THINGS if "countable" in noun.classes}
    checked = 0
    for row in rows:
        tokens = words(row["en"])
        for number, token, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
            if number == "three" and token in counted and after != "of":
                assert f"三{counted[token].measure}" in row["zh"], row
                checked += 1
    assert checked > 20


def test_words_of_the_other_splits_are_known_from_training(splits):
    trained = Counter(token for row in splits["train"] for token in words(row["en"]))
    characters = Counter(character for row in splits["train"] for character in row["zh"])
    for name in SPLITS[1:]:
        for row in splits[name]:
            assert all(characters[character] >= 2 for character in row["zh"]), row
    unknown = {t for name in SPLITS[1:] for row in splits[name] for t in words(row["en"]) if trained[t] < 1}
    assert len(unknown) <= 5, unknown
    assert 600 <= len(trained) <= 1_500


def test_lengths_spread_from_three_to_forty_words(splits):
    lengths = [len(re.findall(r"\w+", row["en"])) for row in splits["train"]]
    assert min(lengths) == 3
    assert 35 <= max(lengths) <= 40
    shares = [
        sum(low <= n <= high for n in lengths) / len(lengths) for low, high in [(3, 8), (9, 16), (17, 25), (26, 40)]
    ]
    assert (
        shares[0] > shares[1] > shares[2] > shares[3]
    )  # long ones are rare, so that a minute's training meets many sentences
    assert min(shares) > 0.004


def test_spelling_of_english_and_chinese(rows):
    for row in rows:
        assert re.fullmatch(r"[A-Z][A-Za-z ,']*[.?]", row["en"]), row
        assert not re.search(r"\b[Aa] [aeiou]|\b[Aa]n [^aeiou]|\b(?!that)(\w+) \1\b|  ", row["en"]), row
        assert re.fullmatch(r"[\u4e00-\u9fff，]+[。？]", row["zh"]), row
