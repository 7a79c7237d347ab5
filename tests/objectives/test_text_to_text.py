"""Every task of the micro-world as text: its rows, its batches, and its scores by exact answers."""

from typing import get_args

import jaxtyping
import pytest
from datasets import Dataset, DatasetDict

import microworld
from seqbook.data.tokenizer import Tokenizer
from seqbook.objectives import text_to_text
from seqbook.objectives.batch import IGNORED
from seqbook.objectives.text_to_text import TextToText, TextToTextConfig, as_text

ROWS = {
    "translation": ({"en": "Anna ran.", "zh": "安娜跑了。"}, "translate to Chinese: Anna ran.", "安娜跑了。"),
    "sentiment": ({"text": "It was good.", "label": "positive"}, "sentiment: It was good.", "positive"),
    "entailment": (
        {"premise": "Anna ran.", "hypothesis": "Anna slept.", "label": "neutral"},
        "entailment premise: Anna ran. hypothesis: Anna slept.",
        "neutral",
    ),
    "similarity": (
        {"first": "Anna ran.", "second": "Ben ran.", "label": "different"},
        "similarity first: Anna ran. second: Ben ran.",
        "different",
    ),
    "multiple_choice": (
        {"context": "Anna had a key.", "choices": ["Ben had it.", "Anna had it."], "label": 1},
        "choose 1: Ben had it. 2: Anna had it. context: Anna had a key.",
        "Anna had it.",
    ),
    "ner": (
        {
            "tokens": "Anna met Ben on Oak Street in Rome .".split(),
            "tags": "B-PER O B-PER O B-LOC I-LOC O B-LOC O".split(),
        },
        "names: Anna met Ben on Oak Street in Rome .",
        "person Anna, person Ben, place Oak Street, place Rome",
    ),
    "qa": (
        {"context": "Anna had a key.", "question": "What did Anna have?", "answer": "a key"},
        "question: What did Anna have? context: Anna had a key.",
        "a key",
    ),
}


def columns(row):
    return {name: [value] for name, value in row.items()}


@pytest.mark.parametrize("task", get_args(text_to_text.Task))
def test_a_row_as_text(task):
    row, source, target = ROWS[task]
    assert as_text(task, **columns(row)) == ([source], [target])


def test_a_text_without_names_has_the_answer_none():
    assert as_text("ner", tokens=[["It", "rained", "."]], tags=[["O", "O", "O"]])[1] == ["none"]


@pytest.mark.parametrize("task", get_args(text_to_text.Task))
def test_every_answer_of_the_micro_world_can_be_written(task):
    """With the words that the tokenizer gets from training, each answer is the text of its own ids."""
    splits, config = microworld.load(task, size=300), TextToTextConfig(task=task)
    read = {split: {name: rows[name][:] for name in config.reads()} for split, rows in splits.items()}
    objective = config.build(config.tokenizers(read["train"], {"tokenizer": Tokenizer.train(["a"], "word")}), 192)
    targets = as_text(task, **read["train"])[1]
    found = objective.tokenize(**read["train"])
    assert [objective.tokenizer.decode(ids) for ids in found["target_ids"]] == targets
    assert objective.tokenize(**read["test"])["source_ids"]


@pytest.fixture
def sentiment():
    texts = {
        "text": ["It was good.", "It was bad.", "It was very good."],
        "label": ["positive", "negative", "positive"],
    }
    config = TextToTextConfig()
    return config.build(config.tokenizers(texts, {"tokenizer": Tokenizer.train(["x"], "word")}), 16), texts


def test_both_sides_end_and_the_decoder_begins_with_padding(sentiment):
    objective, texts = sentiment
    batch = objective.collate(objective.encode(*as_text("sentiment", **texts))[1:])
    words = [objective.tokenizer.tokens(row.tolist()) for row in batch.inputs[0]]
    assert words[0] == ["sentiment", ":", "It", "was", "bad", ".", "<eos>", "<pad>"]
    assert objective.tokenizer.tokens(batch.inputs[1][0].tolist()) == ["<pad>", "negative"]
    assert objective.tokenizer.tokens(batch.labels[0].tolist()) == ["negative", "<eos>"]
    assert (batch.labels != IGNORED).all()
    assert objective.lengths(objective.encode(["It"], ["was good"])[0]) == (3, 2)


@pytest.mark.parametrize(("word", "accuracy"), [("positive", 2 / 3), ("negative", 1 / 3), ("good", 0)])
def test_the_score_is_the_share_of_exact_answers(sentiment, says, word, accuracy):
    objective, texts = sentiment
    rows = Dataset.from_dict(texts | objective.tokenize(**texts))
    found = objective.scores(says(objective, word), DatasetDict(train=rows, test=rows))
    assert found["accuracy"] == pytest.approx(accuracy)
    assert found["majority"] == pytest.approx(2 / 3)


def test_what_is_refused(sentiment, monkeypatch):
    objective, _ = sentiment
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as readers have it: beartype would be the first
    with pytest.raises(ValueError, match=r"task='grammar': choose one of translation, sentiment"):
        TextToTextConfig(task="grammar")
    with pytest.raises(ValueError, match=r"is 20 tokens long: it must have 1 to 15"):
        objective.encode(["good " * 20], ["positive"])
    assert objective.encode(["good"], ["good " * 15])  # and <eos>
    with pytest.raises(ValueError, match=r"is 16 tokens long: it must have 1 to 15"):
        objective.encode(["good"], ["good " * 16])
    long = TextToText(objective.tokenizer, max_len=200)
    assert long.encode(["good"], ["good " * 99])  # and <eos>
    with pytest.raises(ValueError, match=r"is 100 tokens long: it must have 1 to 99"):
        long.encode(["good"], ["good " * 100])
    with pytest.raises(ValueError, match=r"'' is 0 tokens long"):
        objective.encode(["good"], [""])
    assert isinstance(objective, TextToText)
