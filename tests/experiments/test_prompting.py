"""What the experiments on prompts ask, and how they count, without a trained model."""

from dataclasses import dataclass
from itertools import pairwise, product

import pytest

from microworld.tasks import prompting as tasks
from seqbook.data.tokenizer import Tokenizer
from seqbook.experiments import prompting
from seqbook.models.gpt import GPTConfig
from seqbook.objectives.causal import Causal
from seqbook.runs import System


@pytest.fixture(scope="module")
def rows():
    """Some rows of each task of which several fit in a prompt."""
    return {task: prompting.task_rows(task)[:80] for task in prompting.FEW}


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


@pytest.mark.parametrize("task", prompting.FEW)
def test_wrong_answers_are_wrong_and_of_the_right_kind(rows, task):
    of = rows[task]
    phrasing = "question"
    right = [tasks.ask(task, row, phrasing) for row in of]
    wrong = [tasks.ask(task, row, phrasing) for row in prompting.with_wrong_answers(task, of)]
    known = {row["answer"] for row in right}
    for one, other in zip(right, wrong, strict=True):
        assert one["prompt"] == other["prompt"]
        assert one["answer"] != other["answer"]
        assert other["answer"] in (one["choices"] or known)


@pytest.mark.parametrize(("task", "wrong"), list(product(prompting.FEW, (False, True))))
def test_examples_stand_before_what_is_asked_and_are_other_rows(rows, task, wrong):
    of = rows[task]
    phrasing = next(iter(tasks.NEW[task]))
    for shots in (0, 3):
        asked = prompting.asked(task, of, phrasing, shots, wrong=wrong, n=10)
        assert [row["shots"] for row in asked] == [shots] * 10
        plain = [tasks.ask(task, row, phrasing) for row in of[:10]]
        assert [row["answer"] for row in asked] == [row["answer"] for row in plain]
        head = tasks.NEW[task][phrasing].head
        assert all(
            row["prompt"].endswith(one["prompt"].removeprefix(head).strip())
            for row, one in zip(asked, plain, strict=True)
        )
    right, exchanged = (prompting.asked(task, of, phrasing, 1, wrong=flag, n=10) for flag in (False, True))
    assert all(one["prompt"] != other["prompt"] for one, other in zip(right, exchanged, strict=True))


def test_examples_define_no_word_that_another_part_of_the_prompt_defines(rows):
    for row in prompting.asked("new_word", rows["new_word"], "question", 3, n=10):
        defined = [word for before, word in pairwise(row["prompt"].split()) if before in ("A", "An")]
        assert len(defined) == len(set(defined)) >= 8


def test_an_answer_of_the_right_kind_is_one_that_training_gives_to_such_a_prompt():
    train = [{"task": "sentiment", "phrasing": "question", "answer": "good."}]
    kinds = prompting.Kinds(train)
    row = {"task": "sentiment", "phrasing": "question", "choices": ["good.", "bad."]}
    assert [kinds.fits(text, row) for text in ("good", "bad", "Monday")] == [True, True, False]
    assert not kinds.fits("good", row | {"phrasing": "arrow", "choices": ["positive.", "negative."]})
    chinese = {"task": "translation", "phrasing": "arrow", "choices": []}
    assert [kinds.fits(text, chinese) for text in ("你好，安娜", "hello", "")] == [True, False, False]


def test_the_summary_counts_what_is_written_where_there_are_no_choices():
    found = {
        "qa": {"kind": 0.8, "written": 0.5, "chosen": None, "majority": 0.2},
        "sentiment": {"kind": 1.0, "written": 0.1, "chosen": 0.6, "majority": 0.5},
    }
    assert prompting.summary(found) == pytest.approx({"kind": 0.9, "kind_lowest": 0.8, "gain": 0.2})


def test_few_shot_has_a_case_for_each_number_of_examples_and_kind_of_labels(rows, system, monkeypatch):
    monkeypatch.setattr(prompting, "task_rows", rows.__getitem__)
    monkeypatch.setattr(prompting, "write", Writer("happy"))
    found = prompting.few_shot(system, ["sentiment"], ["new"], n=4)
    assert [(case["shots"], case["labels"]) for case in found] == [
        (0, "right"), (1, "right"), (1, "wrong"), (2, "right"), (2, "wrong"), (3, "right"), (3, "wrong"),
    ]  # fmt: skip
    assert {case["n"] for case in found} == {8}
    happy = sum(row["label"] == "positive" for row in rows["sentiment"][:4])
    assert {case["written"] for case in found} == {happy / 8}  # one of the two phrasings has these words
    assert all(0 <= case["chosen"] <= 1 and case["nats"] > 0 for case in found)


def test_what_the_model_writes_ends_at_the_first_full_stop(system, monkeypatch):
    def complete(model, prompts, max_new, *, stop, top_k):
        assert stop == {system.objective.tokenizer.eos_id, *system.objective.tokenizer.encode(". 。")}
        return [system.objective.tokenizer.encode("happy") for _ in prompts]

    monkeypatch.setattr(prompting, "complete", complete)
    rows = [{"prompt": "a good day", "answer": "happy."}, {"prompt": "a bad day", "answer": "sad."}]
    assert prompting.share_written(system, rows) == 0.5
