"""The mixed text for prompting: answers follow from the tasks' truth, splits keep apart, new words mean what the prompt says."""

import json
import re
import string
from collections import Counter, defaultdict

import pytest

from microworld.events import held_out
from microworld.realize.english import TOKEN
from microworld.tasks import prompting
from microworld.tasks.prompting import new_words
from microworld.tasks.prompting.phrasings import NEW, PHRASINGS
from microworld.words import verbs
from seqbook.data.tokenizer import Tokenizer

SIZE, HELD = 1_400, 210
SPLITS = ("train", "validation", "test", "compositional", "new_phrasing")
BUILD = f"""
import itertools, json, sys
import microworld
from microworld.tasks import prompting, stories
from microworld.tasks.dealing import deal
microworld.HELD_OUT_SIZE = {HELD}
mixed = microworld.load("prompting", size={SIZE})
sizes = {{"train": 1_300}} | dict.fromkeys(("validation", "test", "compositional"), {HELD})
truth = {{task: deal(examples(0), sizes) for task, examples in prompting.EXAMPLES.items()}}
plain = (({{"text": row["text"]}}, held) for row, held in stories.examples(0))
truth["stories"] = deal(plain, sizes)
small = prompting.splits(3, {{"train": 56}} | dict.fromkeys(("validation", "test", "compositional"), 28))
json.dump([{{name: list(mixed[name]) for name in mixed}}, truth, small], open(sys.argv[1], "w"))
"""
# Which column finds a row of a task in a prompt.
KEY = {"translation": "en", "sentiment": "text", "entailment": "premise", "similarity": "first", "multiple_choice": "context",
       "qa": "context", "new_word": "told", "stories": "text"}  # fmt: skip
SAID = {
    "sentiment": {"positive": "positive happy good yes", "negative": "negative sad bad no"},
    "entailment": {"entailment": "true yes", "neutral": "unknown maybe", "contradiction": "false no"},
    "similarity": {"paraphrase": "yes the same", "different": "no different"},
}
FORM = {form: verb.forms[0] for verb in verbs.VERBS for form in verb.forms[2:3]}


@pytest.fixture(scope="session")
def built(build_elsewhere):
    """The splits, and those of the tasks that they are made of, built by a process of its own."""
    return build_elsewhere(BUILD)


@pytest.fixture(scope="session")
def splits(built):
    return built[0]


@pytest.fixture(scope="session")
def truth(built):
    return built[1]


def rows(splits, task, *names):
    return [row for name in names or SPLITS for row in splits[name] if row["task"] == task]


def words(text):
    return TOKEN.findall(text)


def asked(row, known):
    """The row of the task that a prompt ends with, found by its words alone."""
    key = KEY[row["task"]]
    found = [
        (row["prompt"].rindex(r[key]) + len(r[key]), len(r[key]), i)
        for i, r in enumerate(known)
        if r[key] in row["prompt"]
    ]
    return known[max(found)[2]]


def test_a_row_is_its_prompt_and_answer(splits):
    for name in SPLITS:
        for row in splits[name]:
            assert row.keys() == {"text", "prompt", "answer", "choices", "task", "phrasing", "shots"}
            assert row["text"] == f"{row['prompt']} {row['answer']}".lstrip()
            assert row["choices"].count(row["answer"]) == bool(row["choices"])
            assert len(set(row["choices"])) == len(row["choices"]) != 1
            assert bool(row["choices"]) == (row["task"] not in ("stories", "translation", "qa"))


def test_texts_are_well_spelled_and_short(splits):
    for name in SPLITS:
        lengths = [len(words(row["text"])) for row in splits[name]]
        assert max(lengths) <= prompting.LONGEST
        assert sum(n <= 100 for n in lengths) > 0.65 * len(lengths)
        for row in splits[name]:
            assert not re.search(r"[{}\n\"]|  | [.,:?。，？]|[.,:?]{2}|\b[Aa] [aeiou]|\b[Aa]n [^aeiou]", row["text"]), (
                row["text"]
            )
            assert row["answer"][-1] in ".。？", row


def test_a_seed_gives_the_same_rows_in_any_process_and_its_held_out_rows_for_any_size(built):
    small = json.loads(
        json.dumps(prompting.splits(3, dict.fromkeys(("train", "validation", "test", "compositional"), 28)))
    )
    assert small.pop("train") == built[2]["train"][:28]
    assert all(small[name] == built[2][name] for name in small)
    assert not {row["text"] for row in small["test"]} & {row["text"] for row in built[0]["test"]}


def test_half_is_stories_and_the_rest_is_tasks_evenly(splits):
    assert [len(splits[name]) for name in SPLITS] == [SIZE, HELD, HELD, HELD, HELD]
    for name in SPLITS:
        counts = Counter(row["task"] for row in splits[name])
        assert counts.pop("stories", 0) == (len(splits[name]) // 2 if name in ("train", "validation") else 0)
        assert counts.keys() == set(PHRASINGS)
        assert max(counts.values()) - min(counts.values()) <= 1


def test_no_text_is_in_two_splits_or_twice(splits):
    assert max(Counter(row["text"] for name in SPLITS for row in splits[name]).values()) == 1


@pytest.mark.parametrize("name", SPLITS)
def test_a_split_takes_its_examples_from_the_same_split_of_the_task(splits, truth, name):
    source = "test" if name == "new_phrasing" else name
    for task, key in KEY.items():
        own = {row[key] for row in truth[task][source]}
        foreign = {row[key] for split in truth[task] for row in truth[task][split]} - own
        for row in rows(splits, task, name)[:40]:
            found = [text for text in own if text in row["text"]]
            if task not in ("new_word", "stories"):  # a new word's sentence isn't in all phrasings
                assert found, row
            # A short sentence may be the end of a longer one.
            assert all(any(text in whole for whole in found) for text in foreign if text in row["text"]), row


@pytest.mark.parametrize("task", ["translation", *SAID, "multiple_choice", "qa"])
def test_answers_agree_with_the_tasks_truth(splits, truth, task):
    checked = Counter()
    for name in SPLITS:
        known = truth[task]["test" if name == "new_phrasing" else name]
        for row in rows(splits, task, name)[:60]:
            fact, answer = asked(row, known), row["answer"].rstrip(".")
            if task == "translation":
                assert row["answer"] == fact["zh"]
            elif task == "qa":
                assert fact["question"] in row["prompt"]
                assert answer.lower() == fact["answer"].lower(), row
            elif task == "multiple_choice":
                assert fact["choices"][fact["label"]].endswith(f" was {answer}."), row
                assert [f"{c}"[:-1] for c in row["choices"]] == [c.split(" was ")[1][:-1] for c in fact["choices"]]
            else:
                assert answer.lower() in SAID[task][fact["label"]], row
                other = [label for label in SAID[task] if label != fact["label"]]
                wrong = [choice.rstrip(".").lower() for choice in row["choices"] if choice != row["answer"]]
                assert all(any(w in SAID[task][label] for label in other) for w in wrong)
            checked[row["phrasing"]] += 1
    assert checked.keys() == {*PHRASINGS[task], *NEW[task]}


def test_shots_count_the_examples_in_the_prompt(splits):
    found = Counter()
    for name in SPLITS:
        for row in splits[name]:
            if row["task"] in ("stories", "multiple_choice", "qa"):
                assert row["shots"] == 0
                continue
            phrasing = {**PHRASINGS, **{t: PHRASINGS[t] | NEW[t] for t in NEW}}[row["task"]][row["phrasing"]]
            end = re.sub(r".*\{\w+\}", "", phrasing.prompt)
            if end:
                assert row["prompt"].count(end) == row["shots"] + 1, row
            assert not phrasing.head or row["prompt"].count(phrasing.head) == 1
            found[row["shots"]] += 1
    assert min(found[shots] for shots in range(4)) > 50


def test_held_out_phrasings_stand_in_their_split_alone(splits):
    for name in SPLITS:
        own = NEW if name == "new_phrasing" else PHRASINGS
        seen = {(row["task"], row["phrasing"]) for row in splits[name] if row["task"] != "stories"}
        assert seen == {(task, phrasing) for task in own for phrasing in own[task]}
    old, new = splits["test"], splits["new_phrasing"]
    for one, other in zip(old, new, strict=True):
        assert (one["task"], one["shots"]) == (other["task"], other["shots"])
    assert all(4 <= len(PHRASINGS[task]) <= 6 and 1 <= len(NEW[task]) <= 2 for task in PHRASINGS)


def test_every_word_of_a_held_out_phrasing_is_known_from_training(splits):
    known = {word for row in splits["train"] for word in words(row["text"])}
    for task in NEW:
        for phrasing in NEW[task].values():
            answers = phrasing.answer if isinstance(phrasing.answer, tuple) else ()
            for text in (phrasing.head, phrasing.prompt, *answers):
                literal = " ".join(part for part, *_ in string.Formatter().parse(text))
                assert set(words(literal)) <= known, (phrasing, set(words(literal)) - known)


DEFINED = [
    r"\b(\w+) means (\w+)\.", r"\bA (\w+) is an? (\w+)\.", r"In Chinese, a (\w+) is called (\w+)\.", r"\bTo (\w+) means to (\w+)\.",
]  # fmt: skip


def defined(prompt):
    """What a prompt says of its new words."""
    pairs = [pair for pattern in DEFINED for pair in re.findall(pattern, prompt)]
    pairs += [(word, meaning) for meaning, word in re.findall(r"We call an? (\w+) a (\w+)\.", prompt)]
    assert len(dict(pairs)) == len(pairs), prompt
    return dict(pairs)


def test_new_words_mean_what_the_prompt_says(splits):
    checked = Counter()
    for row in rows(splits, "new_word"):
        meaning = defined(row["prompt"])
        assert len(meaning) >= 2 * (row["shots"] + 1)
        assert meaning.keys() <= {*new_words.NOUNS, *new_words.VERBS}
        answer = row["answer"].rstrip(".。").removeprefix("an ").removeprefix("a ")
        last = words(re.sub(r"( In other words:| Answer:| =>| is)$", "", row["prompt"]))
        if row["phrasing"] in ("name", "new question"):
            assert meaning[answer] in last[-2:], row
        elif " " not in answer:
            assert next(meaning[word] for word in reversed(last) if word in meaning) == answer, row
        else:
            told = row["prompt"].removesuffix(" In other words:").split(". ")[-1].rstrip(".")
            new = next(word for word in words(told) if word in meaning or word.removesuffix("ed") in meaning)
            plain = [w for w in answer.split() if w not in told.split() and w not in ("a", "an")]
            assert len(plain) == 1, row
            assert FORM.get(plain[0], plain[0]) == meaning.get(new) or FORM[plain[0]] == meaning[new.removesuffix("ed")]
        checked[row["phrasing"]] += 1
    assert min(checked.values()) > 5


def test_a_new_word_has_no_meaning_of_its_own(splits, truth):
    meanings = defaultdict(Counter)
    for row in truth["new_word"]["train"]:
        for text in (row["means"], row["to"]):
            for word, meaning in defined(text).items():
                meanings[word][meaning] += 1
    assert meanings.keys() == {*new_words.NOUNS, *new_words.VERBS}
    for word in new_words.NOUNS:
        assert max(meanings[word].values()) < 0.25 * meanings[word].total(), (word, meanings[word])

    def guess(row):
        """What the word meant most often in training."""
        choices = [choice["meaning"] for choice in row["candidates"]]
        return max(range(len(choices)), key=lambda i: meanings[row["word"]][choices[i]])

    tested = truth["new_word"]["test"] + truth["new_word"]["validation"]
    chance = sum(1 / len(row["candidates"]) for row in tested) / len(tested)
    for hits in ([guess(r) == r["right"] for r in tested], [r["right"] == 0 for r in tested]):
        assert sum(hits) / len(tested) == pytest.approx(chance, abs=0.06)
    # Nor does the sentence tell: the likeliest thing, and the likeliest deed, is right no more often.
    for column, key in (("meaning", "meaning"), ("plain_verb", "verb")):
        counts = Counter()

        def name(choice, column=column, key=key):
            return choice[column] if key == "meaning" else next(w for w in choice[column].split() if w in FORM)

        for row in truth["new_word"]["train"]:
            counts[name(row["candidates"][row["right"]])] += 1
            counts.subtract({name(choice): 1 / len(row["candidates"]) for choice in row["candidates"]})
        likely = [
            max(range(len(r["candidates"])), key=lambda i, r=r: counts[name(r["candidates"][i])]) == r["right"]
            for r in tested
        ]
        assert sum(likely) / len(tested) < chance + 0.08


def test_held_out_pairs_of_word_and_meaning_are_asked_for_in_the_compositional_split_alone(splits, truth):
    for name, known in truth["new_word"].items():
        for row in known:
            pairs = [*defined(row["means"]).items(), *defined(row["to"]).items()]
            held = [pair for pair in pairs if held_out(" ".join(pair))]
            assert len(held) == (2 if name == "compositional" else 0)
            if held:
                assert held[0] == (row["word"], row["candidates"][row["right"]]["meaning"])


def test_new_words_are_no_words_of_the_world(splits):
    others = Counter(
        word.lower()
        for task in PHRASINGS
        if task != "new_word"
        for row in rows(splits, task)
        for word in words(row["text"])
    )
    assert not {*new_words.NOUNS, *new_words.VERBS, *(verbs.inflect(v)[2] for v in new_words.VERBS)} & others.keys()
    assert not set(new_words.NOUNS) & set(new_words.VERBS)


def test_byte_pairs_cut_a_text_where_its_answer_begins(splits):
    """So the likelihood of an answer is that of its own tokens, after those of its prompt."""
    tokenizer = Tokenizer.train([row["text"] for row in splits["train"]], "bpe", 2_000)
    for row in splits["test"]:
        whole = tokenizer.encode(row["text"])
        assert tokenizer.encode(row["prompt"]) + tokenizer.encode(" " + row["answer"]) == whole
        assert tokenizer.decode(whole) == row["text"]


def test_the_majority_answer_is_right_where_it_should_be():
    def row(answer, choices=(), task="sentiment"):
        return {"prompt": "Mood:", "answer": answer, "choices": list(choices), "task": task}

    moods = ("happy.", "sad.")
    train = [
        row("sad."),
        row("sad."),
        row("happy."),
        row("good."),
        row("b.", task="qa"),
        row("b.", task="qa"),
        row("a.", task="qa"),
    ]
    test = [row("sad.", moods), row("happy.", moods), row("sad.", moods), row("a.", task="qa")]
    assert prompting.majority(train, [*test, row("x") | {"prompt": ""}]) == {"sentiment": 2 / 3, "qa": 0}


def test_asking_by_hand():
    row = {"en": "Leonard painted Sophie.", "zh": "伦纳德画了索菲。"}
    other = {"en": "I am angry.", "zh": "我很生气。"}
    drawn = prompting.ask("translation", row, "arrow", [other])
    assert (
        drawn["text"]
        == "Translate English to Chinese: I am angry. => 我很生气。 Leonard painted Sophie. => 伦纳德画了索菲。"
    )
    assert (drawn["shots"], drawn["choices"], drawn["answer"]) == (1, [], row["zh"])
    with pytest.raises(ValueError, match=r"no phrasing 'poem'.*arrow"):
        prompting.ask("translation", row, "poem")
    with pytest.raises(ValueError, match=r"unknown task 'cooking'.*translation"):
        prompting.ask("cooking", row, "arrow")
