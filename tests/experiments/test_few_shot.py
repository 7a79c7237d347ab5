"""What stands in prompts with examples, and which cases are counted, without a trained model."""

import random
from dataclasses import dataclass
from itertools import pairwise, product

import pytest
from datasets import Dataset, DatasetDict

from microworld.tasks import prompting as tasks
from seqbook.data.tokenizer import Tokenizer
from seqbook.experiments import few_shot
from seqbook.models.gpt import GPTConfig
from seqbook.objectives.causal import Causal
from seqbook.runs import System


@pytest.fixture(scope="module")
def rows():
    """Some rows of each task of which several fit in a prompt."""
    return {task: few_shot.task_rows(task)[:80] for task in few_shot.TASKS}


@pytest.fixture
def system():
    """An untrained model that knows the words of a few prompts."""
    texts = ["Text : a good day . Mood : happy sad good bad", "是好天气。", "你好。"]
    objective = Causal(Tokenizer.train(texts, "word"), max_len=192)
    return System(GPTConfig(**objective.sizes(), d_model=16, n_layers=1, n_heads=1, max_len=192).build(), objective)


@dataclass
class Writer:
    """Stands for `prompting.write`: always the same text."""

    text: str

    def __call__(self, system, rows, max_new=30):
        return [self.text] * len(rows)


@pytest.mark.slow
@pytest.mark.parametrize("task", few_shot.TASKS)
def test_wrong_answers_are_wrong_and_of_the_right_kind(rows, task):
    of = rows[task]
    phrasing = "question"
    right = [tasks.ask(task, row, phrasing) for row in of]
    wrong = [tasks.ask(task, row, phrasing) for row in few_shot.with_wrong_answers(task, of)]
    known = {row["answer"] for row in right}
    for one, other in zip(right, wrong, strict=True):
        assert one["prompt"] == other["prompt"]
        assert one["answer"] != other["answer"]
        assert other["answer"] in (one["choices"] or known)


@pytest.mark.slow
@pytest.mark.parametrize(("task", "wrong"), list(product(few_shot.TASKS, (False, True))))
def test_examples_stand_before_what_is_asked_and_are_other_rows(rows, task, wrong):
    of = rows[task]
    phrasing = next(iter(tasks.NEW[task]))
    for shots in (0, 3):
        asked = few_shot.asked(task, of, phrasing, shots, wrong=wrong, n=10)
        assert [row["shots"] for row in asked] == [shots] * 10
        plain = [tasks.ask(task, row, phrasing) for row in of[:10]]
        assert [row["answer"] for row in asked] == [row["answer"] for row in plain]
        head = tasks.NEW[task][phrasing].head
        assert all(
            row["prompt"].endswith(one["prompt"].removeprefix(head).strip())
            for row, one in zip(asked, plain, strict=True)
        )
    right, exchanged = (few_shot.asked(task, of, phrasing, 1, wrong=flag, n=10) for flag in (False, True))
    assert all(one["prompt"] != other["prompt"] for one, other in zip(right, exchanged, strict=True))


@pytest.mark.slow
def test_examples_define_no_word_that_another_part_of_the_prompt_defines(rows):
    for row in few_shot.asked("new_word", rows["new_word"], "question", 3, n=10):
        defined = [word for before, word in pairwise(row["prompt"].split()) if before in ("A", "An")]
        assert len(defined) == len(set(defined)) >= 8


@pytest.mark.slow
def test_few_shot_has_a_case_for_each_number_of_examples_and_kind_of_labels(rows, system, monkeypatch):
    monkeypatch.setattr(few_shot, "task_rows", rows.__getitem__)
    monkeypatch.setattr("seqbook.experiments.prompting.write", Writer("happy"))
    found = few_shot.few_shot(system, ["sentiment"], ["new"], n=4)
    assert [(case["shots"], case["labels"]) for case in found] == [
        (0, "right"), (1, "right"), (1, "wrong"), (2, "right"), (2, "wrong"), (3, "right"), (3, "wrong"),
    ]  # fmt: skip
    assert {case["n"] for case in found} == {8}
    happy = sum(row["label"] == "positive" for row in rows["sentiment"][:4])
    assert {case["written"] for case in found} == {happy / 8}  # one of the two phrasings has these words
    assert all(0 <= case["chosen"] <= 1 and case["nats"] > 0 for case in found)


def said_in(prompt, true):
    """The word that the examples of a prompt give to each label, and the label that is asked for."""
    *parts, rest = prompt.split(" Answer:")
    assert not rest
    answers = [part.split()[0] for part in parts[1:]]
    texts = [parts[0], *(part.strip().partition(" ")[2] for part in parts[1:])]
    labels = [true[f"{text} Answer:"] for text in texts]
    said = dict(zip(labels[:-1], answers, strict=True))
    assert [said[label] for label in labels[:-1]] == answers  # one word per label
    return said, labels[-1]


@pytest.mark.slow
@pytest.mark.parametrize(("task", "per_label"), [("sentiment", 2), ("entailment", 1), ("similarity", 2)])
def test_drawn_labels_can_be_told_from_the_examples_alone(rows, task, per_label):
    true = {few_shot.BARE[task].format(**row): row["label"] for row in rows[task]}
    for seed in range(30):
        right, wrong = (
            few_shot.with_drawn_labels(
                task, rows[task], few_shot.LABEL_WORDS, random.Random(seed), per_label, wrong=flag
            )
            for flag in (False, True)
        )
        said, label = said_in(right["prompt"], true)
        assert said[label] == right["answer"] == wrong["answer"]
        said, label = said_in(wrong["prompt"], true)
        assert said[label] != right["answer"]
        assert len(said) == len(right["choices"]) == right["shots"] / per_label
        assert right["answer"] in right["choices"]
        assert right["text"] == f"{right['prompt']} {right['answer']}"


@pytest.mark.slow
def test_without_examples_nothing_is_told(rows):
    row = few_shot.with_drawn_labels("sentiment", rows["sentiment"], few_shot.LABEL_WORDS, random.Random(0), 0)
    assert row["prompt"].startswith("Text:")
    assert row["prompt"].count("Answer:") == 1
    assert row["shots"] == 0


def test_words_of_the_test_are_in_no_training_text():
    assert not set(few_shot.LABEL_WORDS) & set(few_shot.NEW_LABEL_WORDS)
    assert len(few_shot.NEW_LABEL_WORDS) >= 6


def test_a_share_of_the_training_text_has_drawn_labels(monkeypatch):
    """With few texts and two steps, and without the long measures."""
    plain = DatasetDict(
        {split: Dataset.from_dict({"text": ["a good day . " * 40] * 30}) for split in ("train", "validation")}
    )
    read, asked_for = [], []
    monkeypatch.setattr(few_shot.microworld, "load", lambda task, size: plain)
    monkeypatch.setattr(few_shot, "texts_with_drawn_labels", lambda n, seed: asked_for.append(n) or ["lorp " * 40] * n)
    monkeypatch.setattr(few_shot, "few_shot", lambda system, n: read.append(system) or [])
    monkeypatch.setattr(few_shot, "drawn_labels", lambda system: [])
    training = {"steps": 2, "batch_size": 2, "warmup": 1, "evaluations": 1}
    model = {"d_model": 16, "n_layers": 1, "n_heads": 1}
    row = few_shot.trained_on_labels(seed=0, share=0.3, size=30, training=training, model=model)
    assert asked_for == [9]
    assert "lorp" in read[0].objective.tokenizer.tokens(range(len(read[0].objective.tokenizer)))
    assert row["tokens"] == 2 * 2 * 192
    assert 0 < row["val_loss"] < 10
