"""Measures on fine-tuned networks and on multiple choice, where the answers are known."""

from itertools import pairwise

import pytest
import torch
from datasets import Dataset, DatasetDict
from torch import nn

from seqbook.data.tokenizer import Tokenizer
from seqbook.experiments import finetuning
from seqbook.metrics import predicted_classes
from seqbook.models.gpt import GPTConfig
from seqbook.models.heads import FineTunedConfig
from seqbook.objectives.classification import TRANSFORMATIONS, ClassificationConfig
from seqbook.objectives.layouts import DELIMITER, EXTRACT
from seqbook.recipes import RECIPES, configure
from seqbook.runs import Run, run

FIRST = ["a dog runs", "two women read", "fast", "a dog", "read books fast", "two dog"]
SECOND = ["two women", "a", "dog runs fast", "women read", "a dog", "runs"]
COLUMNS = {"classification": ("text",), "entailment": ("first", "second"), "similarity": ("first", "second")}


@pytest.fixture
def make_run():
    """An untrained network on six examples, in which classes are about equally frequent among its answers."""

    def make(transformation):
        tokenizer = Tokenizer.train([*FIRST, *SECOND], "word").with_special(DELIMITER, EXTRACT)
        config = ClassificationConfig(
            transformation=transformation, texts=COLUMNS[transformation], classes=("no", "yes"), lm_weight=0.5
        )
        objective = TRANSFORMATIONS[transformation](tokenizer, config, max_len=32)
        columns = {"text": FIRST, "first": FIRST, "second": SECOND, "label": ["no", "yes"] * 3}
        read = {role: columns[column] for role, column in config.reads().items()}
        rows = Dataset.from_dict(columns | objective.tokenize(**read))
        backbone = GPTConfig(vocab_size=len(tokenizer), d_model=16, n_layers=2, n_heads=2, max_len=32)
        model = FineTunedConfig(backbone=backbone, n_classes=2).build()
        for name, parameter in model.named_parameters():
            nn.init.normal_(parameter, mean=float("norm" in name and "weight" in name), std=0.5)
        made = Run(model.eval(), objective, DatasetDict(test=rows), [], {}, None)
        with torch.no_grad():  # a bias half-way between the examples
            batch = objective.collate(made.examples("test"))
            scores = model(*batch.inputs).task
            model.head.bias += torch.tensor([(scores[:, 1] - scores[:, 0]).median(), 0.0])
        return made

    return make


def test_the_step_of_the_first_evaluation_that_reaches_a_score():
    row = {"evaluated_at": [10, 20, 30, 40], "val_accuracies": [0.5, 0.7, 0.6, 0.8]}
    assert finetuning.steps_to(row, 0.65) == 20
    assert finetuning.steps_to(row, 0.7) == 20
    assert finetuning.steps_to(row, 0.75) == 40
    assert finetuning.steps_to(row, 0.9) is None


def swept():
    """Two tasks, two starts, two seeds; of the second task only one start."""
    rows = []
    for recipe, start, labels, seed, accuracy in (
        ("gpt-a", "from scratch", 1_000, 1, 0.5),
        ("gpt-a", "from scratch", 1_000, 0, 0.7),
        ("gpt-a", "pretrained", 1_000, 0, 0.8),
        ("gpt-a", "pretrained", 1_000, 1, 0.9),
        ("gpt-a", "from scratch", 10, 0, 0.25),
        ("gpt-a", "pretrained", 10, 0, 0.75),
    ):
        row = {"recipe": recipe, "start": start, "labels": labels, "seed": seed, "accuracy": accuracy}
        rows.append(row | {"evaluated_at": [10, 20], "val_accuracies": [0.4, accuracy]})
    return [*rows, rows[2] | {"recipe": "gpt-b"}]


def test_published_rows_are_compared_by_their_start():
    rows = swept()
    table = finetuning.by_start(rows[:6])
    assert list(table.columns) == ["from scratch", "pretrained"]
    assert table.loc[("a", "1,000")].tolist() == ["60.0% (50.0%–70.0%)", "85.0% (80.0%–90.0%)"]
    assert finetuning.by_start(rows, by="seed").loc[("a", "1"), "from scratch"] == "50.0%"
    assert finetuning.gains(rows[:6]) == pytest.approx({("a", "1,000"): 0.25, ("a", "10"): 0.5})
    means, spreads = finetuning.lines(rows, "gpt-a")
    assert means["from scratch"] == ([10, 1_000], pytest.approx([0.25, 0.6]))
    assert spreads["from scratch"] == ([0.25, 0.5], [0.25, 0.7])


def test_steps_to_a_score_are_listed_for_each_seed():
    table = finetuning.convergence(swept(), {"gpt-a": 0.65})
    assert table.loc[("a", "1,000")].tolist() == ["20, –", "20, 20"]
    assert "b" not in table.index.get_level_values("task")
    assert finetuning.convergence(swept(), {"gpt-a": 0.65, "gpt-b": 0.65}).loc[("b", "1,000"), "from scratch"] == ""


def test_without_published_rows_the_tables_say_where_they_are():
    for table in (finetuning.by_start([]), finetuning.convergence([], {"gpt-a": 0.5})):
        assert table.loc["fine-tuning", "published"] == "in the repository and on its site"
    assert finetuning.gains([]) == {}
    assert finetuning.lines([], "gpt-a") == ({}, {})


def test_a_classifier_by_words_knows_their_frequencies_and_not_their_order():
    train = [
        {"text": text, "label": label} for text, label in (("Good play.", "+"), ("good", "+"), ("A bad play", "-"))
    ]
    answer = finetuning.ByWords(train)
    assert [answer({"text": text}) for text in ("good", "bad", "It was a bad play!")] == ["+", "-", "-"]
    assert answer({"text": "not good"}) == answer({"text": "good not"}) == "+"
    assert finetuning.share_right([*train, {"text": "not bad", "label": "+"}], answer) == 0.75


def test_a_learning_curve_says_how_many_labels_were_seen(monkeypatch):
    sizes = {"d_model": 16, "n_layers": 1, "n_heads": 2}
    monkeypatch.setitem(RECIPES, "gpt", configure("gpt", size=200, steps=5, evaluations=1, **sizes))
    budget = {"steps": 12, "evaluations": 6, "patience": 2, "learning_rate": 0.1, "pretrained": False}
    trained = run("gpt-sentiment", size=20, **sizes, **budget)
    curve, evaluated = finetuning.learning_curve(trained), [row for row in trained.history if "val_loss" in row]
    assert curve["val_accuracies"] == [row["val_accuracy"] for row in evaluated]
    (kept,) = [row for row in evaluated if "kept" in row]
    assert trained.result["kept_step"] == kept["step"]
    assert trained.result["val_loss"] == kept["val_loss"] == min(row["val_loss"] for row in evaluated)
    assert curve["kept_val_accuracy"] == kept["val_accuracy"]
    assert curve["best_val_accuracy"] == max(curve["val_accuracies"])
    assert curve["examples_seen"] == kept["step"] * 10  # two batches of ten in an epoch
    assert curve["labels_seen"] == 20
    assert all(earlier["step"] < later["step"] for earlier, later in pairwise(evaluated))


@pytest.mark.parametrize("transformation", ["classification", "similarity"])
def test_the_next_token_loss_is_a_mean_over_the_tokens_of_all_sequences(make_run, transformation):
    made = make_run(transformation)
    nll, n_tokens = 0.0, 0
    for rows, _ in made.examples("test"):
        for row in rows:
            probabilities = made.model.backbone(torch.tensor([row]))[0, :-1].log_softmax(-1)
            nll -= probabilities[range(len(row) - 1), row[1:]].sum().item()
            n_tokens += len(row) - 1
    assert finetuning.next_token_loss(made) == pytest.approx(nll / n_tokens, rel=1e-5)


def test_answers_flip_when_one_order_of_two_texts_is_read_and_never_when_both_are(make_run):
    assert finetuning.flips(make_run("similarity")) == 0
    one = make_run("entailment")
    turned = one.objective.encode(premise=SECOND, hypothesis=FIRST, label=["no", "yes"] * 3)
    pairs = zip(*(predicted_classes(one.model, one.objective, e) for e in (one.examples("test"), turned)), strict=True)
    expected = sum(answer != other for answer, other in pairs) / 6
    assert finetuning.flips(one) == pytest.approx(expected)
    assert expected > 0


def test_a_naive_tokenizer_reads_typed_special_tokens(make_run):
    tokenizer = make_run("classification").objective.tokenizer
    extract = tokenizer.special_id(EXTRACT)
    assert extract not in tokenizer.encode("a <extract> dog")
    assert finetuning.naive(tokenizer).encode("a <extract> dog") == [
        *tokenizer.encode("a"),
        extract,
        *tokenizer.encode("dog"),
    ]
    assert extract not in tokenizer.encode("a <extract> dog")  # ours is as it was


def test_who_types_an_extract_token_decides_where_a_head_that_looks_for_it_reads(make_run):
    made = make_run("classification")
    found = finetuning.class_after_typing(made, "a dog <extract>", "yes")
    ids = torch.tensor(
        [[[made.objective.tokenizer.bos_id, *finetuning.naive(made.objective.tokenizer).encode("a dog <extract>")]]]
    )
    called = made.model(ids, torch.tensor([[3]])).task.argmax().item()  # the same for each text, whatever comes after
    assert found.loc["naive", "looked for"] == called
    assert found.loc["ours", "looked for"] == found.loc["ours", "counted"]
    typed = made.objective.encode(text=[f"a dog <extract> {text}" for text in FIRST], label=["no"] * 6)
    expected = predicted_classes(made.model, made.objective, typed)
    assert found.loc["ours", "counted"] == pytest.approx(sum(expected) / 6)


def test_answers_that_change_when_a_word_is_typed_into_the_premise(make_run):
    made = make_run("entailment")
    found = finetuning.answers_changed_by(made, {"word": ("books", False), "delimiter": ("<delimiter>", True)})
    typed = [
        "a books dog runs",
        "two books women read",
        "books fast",
        "a books dog",
        "read books books fast",
        "two books dog",
    ]
    examples = made.objective.encode(premise=typed, hypothesis=SECOND, label=["no"] * 6)
    answers, plain = (predicted_classes(made.model, made.objective, e) for e in (examples, made.examples("test")))
    assert found["word"] == pytest.approx(sum(a != p for a, p in zip(answers, plain, strict=True)) / 6)
    assert found.name == "answers that change"
    assert found["delimiter"] > 0


STORY = "Anna put the key on the table. Ben took the key from the table and put it in the box. Carl went to the park."
KEY = [f"In the end, the key was {end}." for end in ("on the table", "in the box", "with Anna", "with Ben")]
CARL = [f"In the end, Carl was {end}." for end in ("in the house", "in the park", "in the shop", "in the school")]
ROWS = [
    {"context": STORY, "choices": KEY, "label": 1},
    {"context": STORY, "choices": CARL, "label": 1},
    {"context": "Nothing was said.", "choices": KEY, "label": 3},
]


def test_the_rule_reads_the_last_sentence_that_names_what_is_asked_for():
    assert [finetuning.by_one_sentence(row) for row in ROWS] == [1, 1, 0]
    assert finetuning.share_right(ROWS, finetuning.by_one_sentence) == pytest.approx(2 / 3)


def test_endings_alone_are_judged_by_how_often_their_words_were_right():
    answer = finetuning.ByEndings(ROWS[:2])
    assert answer(ROWS[2]) == 1  # "box" was right once of once, "Anna" and "Ben" never
    assert answer({"context": "", "choices": CARL}) == 1
    assert answer({"context": "", "choices": ["x was new.", "x was with Anna."]}) == 0


def test_how_many_endings_say_that_somebody_has_the_thing():
    assert finetuning.held_by_somebody(ROWS) == {"all": pytest.approx(4 / 12), "right": pytest.approx(1 / 3)}
