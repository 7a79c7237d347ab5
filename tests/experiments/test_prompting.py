"""How the answers to prompts are counted, without a trained model."""

import pytest

from seqbook.data.tokenizer import Tokenizer
from seqbook.experiments import prompting
from seqbook.models.gpt import GPTConfig
from seqbook.objectives.causal import Causal
from seqbook.runs import System


@pytest.fixture
def system():
    """An untrained model that knows the words of a few prompts."""
    texts = ["Text : a good day . Mood : happy sad good bad", "是好天气。", "你好。"]
    objective = Causal(Tokenizer.train(texts, "word"), max_len=192)
    return System(GPTConfig(**objective.sizes(), d_model=16, n_layers=1, n_heads=1, max_len=192).build(), objective)


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


def test_what_the_model_writes_ends_at_the_first_full_stop(system, monkeypatch):
    def complete(model, prompts, max_new, *, stop, top_k):
        assert stop == {system.objective.tokenizer.eos_id, *system.objective.tokenizer.encode(". 。")}
        return [system.objective.tokenizer.encode("happy") for _ in prompts]

    monkeypatch.setattr(prompting, "complete", complete)
    rows = [{"prompt": "a good day", "answer": "happy."}, {"prompt": "a bad day", "answer": "sad."}]
    assert prompting.share_written(system, rows) == 0.5
