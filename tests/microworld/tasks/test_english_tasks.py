"""The micro-world's tasks in English: labels, answers and tags follow from what happened, and no shortcut leads to them."""

import itertools
import json
import math
import os
import re
import subprocess
import sys
from collections import Counter
from importlib import import_module

import pytest

from microworld.draw.dice import Dice
from microworld.events import held_out
from microworld.realize.english import TOKEN
from microworld.story.plots import stories
from microworld.tasks import multiple_choice, qa, sentiment, similarity
from microworld.words import adjectives, names, people, things

SPLITS = ("train", "validation", "test", "compositional")
# Rows of train, and of each other split: less than a course takes, to save time.
SIZES = {
    "stories": 1_500, "sentiment": 3_000, "entailment": 4_000, "similarity": 4_000, "multiple_choice": 1_500, "ner": 2_000,
    "qa": 1_500,
}  # fmt: skip
TASKS, HELD = tuple(SIZES), 300
COLUMNS = {
    "stories": {"text", "facts", "pronouns"},
    "sentiment": {"text", "label"},
    "entailment": {"premise", "hypothesis", "label"},
    "similarity": {"first", "second", "label"},
    "multiple_choice": {"context", "choices", "label"},
    "ner": {"tokens", "tags"},
    "qa": {"context", "question", "answer", "start"},
}
# The texts that no two rows share.
OWN = {
    "stories": ["text"], "sentiment": ["text"], "entailment": ["premise"], "similarity": ["first", "second"],
    "multiple_choice": ["context"], "ner": ["tokens"], "qa": ["context"],
}  # fmt: skip
GENDER = {noun.en: "she" if "female" in noun.classes else "he" for noun in names.NAMES}
BUILD = """
import json
import microworld
microworld.HELD_OUT_SIZE = {held}
for task, size in {sizes}.items():
    data = microworld.load(task, size=size)
    json.dump({{name: list(data[name]) for name in data}}, open(f"{folder}/{{task}}.json", "w"))
"""


@pytest.fixture(scope="session")
def splits(tmp_path_factory):
    """All tasks as lists of rows, built by a process of its own (where nothing checks types, so it takes seconds)."""
    folder = tmp_path_factory.mktemp("world")
    environment = {**os.environ, "MICROWORLD_HOME": str(folder / "home"), "PYTHONHASHSEED": "1"}
    code = BUILD.format(sizes=SIZES, held=HELD, folder=folder)
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    return {task: json.loads((folder / f"{task}.json").read_text()) for task in TASKS}


def texts(row):
    """All texts of a row."""
    for key, value in row.items():
        if key == "tokens" or (key == "choices"):
            yield " ".join(value)
        elif isinstance(value, str) and key != "label":
            yield value


def rows(splits, task):
    return [row for name in SPLITS for row in splits[task][name]]


@pytest.mark.parametrize("task", TASKS)
def test_a_seed_gives_the_same_rows_in_any_process(splits, task):
    examples = import_module(f"microworld.tasks.{task}").examples
    here = [row for row, compositional in itertools.islice(examples(0), 60) if not compositional]
    assert splits[task]["test"][: len(here)] == json.loads(json.dumps(here))
    other = [row for row, _ in itertools.islice(examples(1), 20)]
    assert not any(row in splits[task]["test"] for row in other)


@pytest.mark.parametrize("task", TASKS)
def test_sizes_and_columns(splits, task):
    assert [len(splits[task][name]) for name in SPLITS] == [SIZES[task], HELD, HELD, HELD]
    assert all(row.keys() == COLUMNS[task] for row in rows(splits, task))


@pytest.mark.parametrize("task", TASKS)
def test_no_text_is_in_two_splits_or_twice(splits, task):
    seen = Counter(str(row[column]) for row in rows(splits, task) for column in OWN[task])
    assert max(seen.values()) == 1


@pytest.mark.parametrize("task", TASKS)
def test_words_of_the_other_splits_are_known_from_training(splits, task):
    known = {token for row in splits[task]["train"] for text in texts(row) for token in TOKEN.findall(text)}
    unknown = {
        token
        for name in SPLITS[1:]
        for row in splits[task][name]
        for text in texts(row)
        for token in TOKEN.findall(text)
    } - known
    assert len(unknown) <= 5, unknown
    assert len(known) <= 900


@pytest.mark.parametrize("task", TASKS)
def test_what_is_held_out_never_stands_together_in_training(splits, task):
    """Adjectives beside nouns, in every task; in stories also things and what they are put in or on."""
    known = {adjective.en for adjective in adjectives.ADJECTIVES} | set(sentiment.QUALITY)
    nouns = {form: noun.en for noun in [*things.THINGS, *people.JOBS] for form in (noun.en, noun.plural)}
    kept = {(a, form) for a in known for form in nouns if held_out(f"{a} {nouns[form]}")}

    def combined(row):
        for text in texts(row):
            yield from (pair for pair in itertools.pairwise(TOKEN.findall(text)) if pair in kept)
            if task == "sentiment":
                opinion = re.findall(r"\b[Tt]he (\w+) (?:was|is) (?:not )?(?:very )?(\w+)", text)
                yield from ((a, noun) for noun, a in opinion if held_out(f"{a} {noun}"))
        for fact in row.get("facts", ()):
            if fact["deed"] in qa.PUTTING:
                pair = fact["what"], fact["where"].split()[-1]
                yield from [pair] if held_out(" ".join(pair)) else []

    assert not any(list(combined(row)) for row in splits[task]["train"])
    assert sum(bool(list(combined(row))) for row in splits[task]["compositional"]) > 15


@pytest.mark.parametrize("task", ["sentiment", "entailment", "similarity", "multiple_choice"])
def test_labels_are_balanced(splits, task):
    counts = Counter(row["label"] for row in splits[task]["train"] + splits[task]["test"])
    for count in counts.values():
        assert count / counts.total() == pytest.approx(1 / len(counts), abs=0.03)


class Unigrams:
    """Naive Bayes over the words of a text: what a reader knows who looks at single words only."""

    def __init__(self, features, labels):
        self.labels = Counter(labels)
        self.words = {label: Counter() for label in self.labels}
        for words, label in zip(features, labels, strict=True):
            self.words[label].update(set(words))

    def accuracy(self, features, labels):
        return sum(self.best(words) == label for words, label in zip(features, labels, strict=True)) / len(labels)

    def best(self, words):
        def score(label):
            total = self.labels[label]
            return math.log(total) + sum(math.log((self.words[label][w] + 1) / (total + 2)) for w in set(words))

        return max(self.labels, key=score)


def bayes(splits, task, features):
    train, test = splits[task]["train"], splits[task]["test"] + splits[task]["validation"]
    model = Unigrams([features(row) for row in train], [row["label"] for row in train])
    return model.accuracy([features(row) for row in test], [row["label"] for row in test])


def test_the_hypothesis_alone_tells_nothing(splits):
    assert bayes(splits, "entailment", lambda row: TOKEN.findall(row["hypothesis"])) < 0.39


def test_the_words_of_a_pair_tell_little_about_its_similarity(splits):
    def both(row):
        return [*TOKEN.findall(row["first"]), *TOKEN.findall(row["second"])]

    def overlap(row):
        first, second = set(TOKEN.findall(row["first"])), set(TOKEN.findall(row["second"]))
        return [f"{len(first ^ second)} differ"]

    assert bayes(splits, "similarity", both) < 0.6
    assert bayes(splits, "similarity", overlap) < 0.62


def test_single_words_do_not_decide_a_sentiment(splits):
    assert bayes(splits, "sentiment", lambda row: TOKEN.findall(row["text"])) < 0.8


def test_a_choice_is_not_found_without_its_story(splits):
    def kind(choice):
        """In, on, under, with …"""
        return choice.split(" was ")[1].split()[0]

    train, test = splits["multiple_choice"]["train"], splits["multiple_choice"]["test"]
    right = Counter(kind(row["choices"][row["label"]]) for row in train)
    offered = Counter(kind(choice) for row in train for choice in row["choices"])

    def guess(row):
        return max(range(4), key=lambda i: right[kind(row["choices"][i])] / offered[kind(row["choices"][i])])

    assert sum(guess(row) == row["label"] for row in test) / len(test) < 0.4


def positive(text):
    """An independent reading: the clause that decides, its word of praise or blame, and whether it is denied."""
    opinion = re.split(r"(?<=\.) ", text)[-1].rstrip(".")
    opinion = re.sub(r"^Although [^,]*, ", "", opinion)
    opinion = re.split(r" although | because ", opinion.split(", but ")[-1])[0]
    words = opinion.split()
    praise = {word for words in sentiment.PRAISE.values() for word in words.split()}
    loved = {"love", "like", "enjoy", "loved", "liked", "enjoyed"}
    return ("not" in words) is not bool(set(words) & (praise | loved))


def test_sentiment_follows_from_the_main_clause_and_its_negation(splits):
    for row in rows(splits, "sentiment"):
        assert row["label"] == ("positive" if positive(row["text"]) else "negative"), row
    found = Counter(
        word for row in rows(splits, "sentiment") for word in ("not", "although", "but") if word in row["text"].lower()
    )
    assert min(found.values()) > 500


COMPARED = re.compile(r"^(.+) is (not )?(?:(much )?(\w+er|more \w+) than|(as) \w+ as) (.+?)\.$")
UP = {"taller": 1, "shorter": -1, "richer": 1, "poorer": -1}


def compared(text):
    """(who is more so, who is less so, in what, whether denied), with "shorter" turned into "taller"."""
    match = COMPARED.match(text)
    if not match:
        return None
    first, denied, _, quality, equal, second = match.groups()
    first, second = first.removeprefix("The ").removeprefix("the "), second.removeprefix("the ")
    if UP.get(quality) == -1:
        first, second = second, first
    dimension = {"shorter": "taller", "poorer": "richer"}.get(quality, quality)
    return first, second, dimension, bool(denied), bool(equal)


def test_comparisons_entail_their_converse_and_exclude_it_otherwise(splits):
    checked = Counter()
    for row in rows(splits, "entailment"):
        premise, hypothesis = compared(row["premise"]), compared(row["hypothesis"])
        if hypothesis is None:
            continue
        above, below, dimension, denied, _ = hypothesis
        one, two, measured, _, equal = premise
        if {one, two} != {above, below} or (not equal and measured != dimension):
            label = "neutral"
        else:
            holds = not equal and (one, two) == (above, below)
            label = "entailment" if holds is not denied else "contradiction"
        assert row["label"] == label, row
        checked[label] += 1
    assert min(checked.values()) > 50


def is_part(short, long):
    """Whether the words of one text stand in the other, in order."""
    rest = iter(long)
    return all(word in rest for word in short)


def test_details_dropped_are_entailed_and_details_added_are_not(splits):
    checked = Counter()
    for row in rows(splits, "entailment"):
        premise, hypothesis = TOKEN.findall(row["premise"].lower()), TOKEN.findall(row["hypothesis"].lower())
        if {"nobody", "before", "after"} & {*premise, *hypothesis} or "than" in premise:
            continue
        denied = ("not" in premise, "not" in hypothesis)
        if denied == (False, False) and is_part(hypothesis, premise):
            assert row["label"] == "entailment", row
        elif denied == (False, False) and is_part(premise, hypothesis):
            assert row["label"] == "neutral", row
        elif denied == (True, True) and is_part(premise, hypothesis):
            assert row["label"] == "entailment", row
        elif denied == (True, False) and row["premise"].split(" did not ")[0] == row["hypothesis"].split()[0]:
            assert row["label"] == "contradiction", row
        else:
            continue
        checked[row["label"]] += 1
    assert min(checked.values()) > 40


def test_the_order_of_two_deeds_decides(splits):
    def order(text):
        text = text.rstrip(".")
        link = re.search(r"\b(before|after)\b", text.lower()).group()
        halves = text.split(", ") if text.lower().startswith(link) else reversed(text.split(f" {link} "))
        side, main = (" ".join(half.split()[1:]) for half in (re.sub(f"(?i)^{link} ", "", part) for part in halves))
        return (main, side) if link == "before" else (side, main)

    checked = Counter()
    for row in rows(splits, "entailment"):
        if re.search(r"\b(before|after)\b", row["hypothesis"].lower()):
            premise, hypothesis = order(row["premise"]), order(row["hypothesis"])
            label = "entailment" if premise == hypothesis else "neutral"
            assert row["label"] == ("contradiction" if premise == hypothesis[::-1] else label), row
            checked[row["label"]] += 1
    assert min(checked.values()) > 50


def test_a_comparison_is_paraphrased_by_its_converse(splits):
    twin = similarity.SYNONYMS
    checked = Counter()
    for row in rows(splits, "similarity"):
        first, second = compared(row["first"]), compared(row["second"])
        if first and second:
            same = [{a, twin.get(a, a)} & {b, twin.get(b, b)} for a, b in zip(first[:3], second[:3], strict=True)]
            assert row["label"] == ("paraphrase" if all(same) else "different"), row
            checked[row["label"]] += 1
    assert min(checked.values()) > 50


def test_every_word_has_its_synonym_in_training(splits):
    known = {token for row in splits["similarity"]["train"] for text in texts(row) for token in TOKEN.findall(text)}
    used = set(similarity.SYNONYMS) & known
    assert len(used) > 60
    assert all(similarity.SYNONYMS[word] in known for word in used)


def replay(facts):
    """Where things and persons are in the end, from the facts alone; each deed must be possible."""
    place, holder, spot = {}, {}, {}
    for fact in facts:
        deed, who, what, whom, where = (fact[key] for key in ("deed", "who", "what", "whom", "where"))
        if deed in ("go", "go back", "travel", "be at"):
            assert place.get(who) != where, fact
            place[who] = where
        elif deed == "meet":
            place[whom] = place[who]
        elif deed in ("have", "buy", "write"):
            assert deed != "buy" or place[who] in ("market", "shop"), fact
            holder[what] = who
        elif deed in ("put", "hide", "leave"):
            assert holder.pop(what, who) == who, fact
            spot[what] = where
        elif deed in ("take", "find at"):
            assert spot.pop(what) == where, fact
            holder[what] = who
        elif deed in ("give", "lend", "return", "send", "bring"):
            assert holder.pop(what, who) == who, fact
            assert deed == "send" or place.get(who) == place.get(whom) or None in (place.get(who), place.get(whom)), (
                fact
            )
            holder[what] = whom
        elif deed in ("repair", "use", "keep"):
            assert holder[what] == who, fact
        elif deed == "tell":
            assert spot[what] == where, fact
    return place, holder, spot


def test_nothing_impossible_happens_in_a_story(splits):
    for row in rows(splits, "stories"):
        replay(row["facts"])


def test_facts_persist_to_the_end_of_a_story():
    endings = 0
    for story in itertools.islice(stories(Dice(11), (multiple_choice.moves,)), 150):
        place, holder, spot = replay(story.telling.facts)
        assert {what.key: where.key for what, where in story.town.spot.items()} == spot
        for start, right, wrong in multiple_choice.endings(story):
            subject = start.removeprefix("In the end, ").removesuffix(" was")
            thing = subject.removeprefix("the ")
            if subject in place:
                assert right.split()[-1] == place[subject]
            else:
                assert right == (spot.get(thing) or f"with {holder[thing]}")
            assert right not in wrong
            endings += 1
        assert {answer for _, asks, answer, _ in qa.questions(story) if asks == "place in the end"} == set(
            spot.values()
        )
    assert endings > 300


def test_stories_have_three_to_twelve_sentences_and_are_well_spelled(splits):
    lengths = Counter()
    for row in rows(splits, "stories"):
        sentences = re.split(r"(?<=\.) ", row["text"])
        lengths[len(sentences)] += 1
        assert all(re.fullmatch(r"[A-Z][A-Za-z ,']*\.", sentence) for sentence in sentences), row["text"]
        assert not re.search(r"\b[Aa] [aeiou]|\b[Aa]n [^aeiou]|\b(\w+) \1\b|  ", row["text"]), row["text"]
        assert {fact["sentence"] for fact in row["facts"]} == set(range(len(sentences)))
    assert set(range(3, 13)) == set(lengths)


def test_pronouns_refer_to_somebody_named_shortly_before(splits):
    count = 0
    for row in rows(splits, "stories"):
        for pronoun in row["pronouns"]:
            start, word, whom = pronoun["start"], pronoun["text"], pronoun["refers_to"]
            assert row["text"][start : start + len(word)] == word
            if word.lower() not in ("it", "they", "them"):
                assert whom in GENDER or whom.startswith("the ") or "'s " in whom
                if whom in GENDER:
                    assert (word.lower() == "she" or word.lower() == "her") == (GENDER[whom] == "she"), pronoun
            before = row["text"][:start].lower()
            assert whom.split("'s ")[-1].removeprefix("the ").lower() in before, (pronoun, row["text"])
            count += 1
    assert count > 10_000


def test_verbs_agree_with_subjects_that_stand_far_away(splits):
    found = Counter()
    for row in rows(splits, "stories"):
        for number, verb in re.findall(
            r"The (?:(two|three) )?\w+ who \w+ [^.]*? (was|were|later received) ", row["text"]
        ):
            assert (verb == "were") == bool(number), row["text"]
            found[verb] += 1
    assert min(found["were"], found["later received"]) > 100


def test_tags_spell_names(splits):
    kinds = {noun.en: "PER" for noun in names.NAMES} | {n.en: "LOC" for n in [*names.TOWNS, *names.STREETS]}
    found = Counter()
    for row in rows(splits, "ner"):
        assert len(row["tokens"]) == len(row["tags"])
        before = "O"
        found_names = []
        for token, tag in zip(row["tokens"], row["tags"], strict=True):
            assert not tag.startswith("I-") or before[2:] == tag[2:], row
            if tag[0] == "B":
                found_names.append([tag[2:], token])
            elif tag[0] == "I":
                found_names[-1].append(token)
            else:
                assert token not in kinds, row
            before = tag
        for kind, *words in found_names:
            name = " ".join(words)
            assert kind == kinds.get(name, "ORG"), row
            assert kind != "ORG" or (words[0] in kinds and words[-1] in ("Hospital", "School", "Bank"))
            found[kind] += 1
    assert min(found[kind] for kind in ("PER", "LOC", "ORG")) > 100


def test_answers_are_spans_of_the_right_kind(splits):
    found = Counter()
    places = {noun.en for noun in [*things.PLACES, *names.TOWNS, *names.STREETS]}
    for row in rows(splits, "qa"):
        start, answer = row["start"], row["answer"]
        assert row["context"][start : start + len(answer)] == answer
        assert not (row["context"][start - 1 : start] + row["context"][start + len(answer) :][:1]).strip(" .,'")
        word, rest = row["question"].split()[0], answer.split()[-1]
        if word == "Where":
            located = re.match(r"(in|on|under|behind) the \w+$", answer)
            assert (
                located or answer.removeprefix("the ") in places or answer.endswith(("Hospital", "School", "Bank"))
            ), row
        elif word == "When":
            assert re.match(r"(?i)(on|at|in|the next) ", answer), row
        elif word == "Who":
            assert answer in GENDER or re.match(r"(?i)the |[A-Z]\w+'s ", answer), row
        else:
            assert word == "What", row
            assert any(rest == noun.en for noun in things.THINGS), row
        found[word] += 1
    assert min(found.values()) > 100


def test_an_asked_fact_is_stated_once(splits):
    for row in rows(splits, "qa"):
        match = re.match(r"Where did (\w+) (put|hide|leave) the (\w+)\?", row["question"])
        if match:
            past = {"put": "put", "hide": "hid", "leave": "left"}[match.group(2)]
            sentence = row["context"][: row["start"]].rsplit(". ", 1)[-1]
            assert past in sentence, row
