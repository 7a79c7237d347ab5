"""What chapters say of published results, and what the files say."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from seqbook import results
from seqbook.recipes import RECIPES

STARTS = ("from scratch", "pretrained", "with auxiliary loss")
FOLDER = Path(__file__).parents[1] / "benchmarks" / "results"


def read(name):
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def test_the_transformer_reaches_its_goal_in_two_minutes_on_two_cores():
    result = read("transformer-rotary")
    assert result["config"] == json.loads(json.dumps(asdict(RECIPES["transformer-rotary"])))
    assert result["device"] == "cpu, 2 threads"
    assert result["exact_match"] >= 0.95
    assert result["seconds"] <= 120


def test_after_the_longer_training_both_are_level_with_smoothed_labels():
    """Chapter 2.2 says so, and that the Transformer takes longer."""
    recurrent, transformer = read("attention-longer"), read("transformer-rotary")
    check_that_all_but_the_model_is_the_same(recurrent, transformer)
    assert transformer["exact_match"] == pytest.approx(recurrent["exact_match"], abs=0.02)
    assert transformer["loss"] == pytest.approx(recurrent["loss"], abs=0.01)
    assert transformer["seconds"] > 1.2 * recurrent["seconds"]


def test_with_plain_labels_the_transformer_is_behind_and_the_nats_are_better():
    """Chapter 2.2 says so, and that the RNN is right as often."""
    recurrent, transformer = read("attention-unsmoothed"), read("transformer-unsmoothed")
    check_that_all_but_the_model_is_the_same(recurrent, transformer)
    assert transformer["exact_match"] < recurrent["exact_match"] - 0.02
    assert recurrent["exact_match"] == pytest.approx(read("attention-longer")["exact_match"], abs=0.01)
    for plain, smoothed in ((recurrent, "attention-longer"), (transformer, "transformer-rotary")):
        assert plain["loss"] < read(smoothed)["loss"] - 0.05


def check_that_all_but_the_model_is_the_same(recurrent, transformer):
    assert recurrent["tokens"] == transformer["tokens"]
    for name in ("steps", "batch_size"):
        assert recurrent["config"]["budget"][name] == transformer["config"]["budget"][name]
    assert recurrent["config"]["label_smoothing"] == transformer["config"]["label_smoothing"]
    assert transformer["params"] == pytest.approx(recurrent["params"], rel=0.05)
    assert transformer["device"] == recurrent["device"]


def test_published_results_are_a_table():
    _, first, second = results.published("attention-longer", "transformer-rotary").splitlines()
    assert f"{read('attention-longer')['exact_match']:.1%}" in first
    assert f"{read('transformer-rotary')['loss']:.2f}" in second


def accuracies(recipe, labels, start):
    rows = read("finetuning")["rows"]
    return [r["accuracy"] for r in rows if (r["recipe"], r["labels"], r["start"]) == (recipe, labels, start)]


def mean(values):
    return sum(values) / len(values)


@pytest.mark.parametrize(
    ("recipe", "labels", "least", "most"),
    [
        ("gpt-entailment", 400, 0.0, 0.07),
        ("gpt-entailment", 2_000, 0.05, 0.15),
        ("gpt-entailment", 10_000, 0.05, 0.15),
        ("gpt-sentiment", 100, -0.05, 0.05),
        ("gpt-sentiment", 1_000, 0.05, 0.15),
        ("gpt-sentiment", 10_000, -0.05, 0.08),
        ("gpt-similarity", 2_000, -0.05, 0.05),
        ("gpt-similarity", 20_000, 0.03, 0.08),
    ],
)
def test_pretraining_adds_most_once_there_are_labels_enough(recipe, labels, least, most):
    """Chapter 3.2, C11: the mean gain of three seeds."""
    pretrained, scratch = (accuracies(recipe, labels, start) for start in ("pretrained", "from scratch"))
    assert len(pretrained) == len(scratch) == 3
    assert least < mean(pretrained) - mean(scratch) < most


@pytest.mark.parametrize("recipe", ["gpt-entailment", "gpt-sentiment", "gpt-similarity", "gpt-multiple-choice"])
def test_the_auxiliary_loss_adds_nothing_beyond_the_spread(recipe):
    """Chapter 3.2, C12."""
    for labels in sorted({row["labels"] for row in read("finetuning")["rows"] if row["recipe"] == recipe}):
        alone, joint = (accuracies(recipe, labels, start) for start in ("pretrained", "with auxiliary loss"))
        assert mean(joint) < max(alone) + 0.02


def test_similarity_is_learned_with_all_labels_and_more_steps_better_after_pretraining():
    """Chapter 3.2: a coin with 2,000 labels; with 20,000 each seed gains, and seeds differ by about ten points."""
    for start in ("pretrained", "from scratch"):
        assert accuracies("gpt-similarity", 2_000, start) == pytest.approx([0.5] * 3, abs=0.06)
    pretrained, scratch = (accuracies("gpt-similarity", 20_000, start) for start in ("pretrained", "from scratch"))
    assert min(p - s for p, s in zip(pretrained, scratch, strict=True)) > 0.04
    assert max(scratch) - min(scratch) == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize("labels", [400, 10_000])
def test_multiple_choice_stays_where_the_endings_alone_lead(labels):
    """Chapter 3.2: no gain beyond the spread, four in ten right with each start, with few labels and with many."""
    scratch, pretrained, joint = (accuracies("gpt-multiple-choice", labels, start) for start in STARTS)
    assert [mean(start) for start in (scratch, pretrained, joint)] == pytest.approx([0.4] * 3, abs=0.04)
    assert mean(pretrained) - mean(scratch) < max(pretrained) - min(pretrained)


def test_the_table_of_fine_tuning_has_a_line_for_each_number_of_labels():
    rows = read("finetuning")["rows"]
    head, *lines = results.finetuned().splitlines()
    assert len(lines) == len({(row["recipe"], row["labels"]) for row in rows})
    assert all(start in head for start in STARTS)
    line = next(line for line in lines if line.split()[:2] == ["gpt-entailment", "2,000"])
    assert f"{mean(accuracies('gpt-entailment', 2_000, 'pretrained')):.1%}" in line


def test_the_best_recipe_is_as_good_as_the_reference_in_a_third_of_its_time():
    """Of the faster of the two trainings at the reference's sizes; for each seed."""
    rows = [row for row in read("shakespeare")["rows"] if "system" in row]
    for seed in range(3):
        losses = {row["system"]: row["val_loss"] for row in rows if row["seed"] == seed}
        (share,) = (r["of_the_faster"] for r in rows if r["seed"] == seed and r["system"] == "gpt-shakespeare-best")
        assert losses["gpt-shakespeare-best"] <= min(1.88, losses["reference"] + 0.02)
        assert losses["gpt-shakespeare"] < losses["reference"]
        assert share <= 1 / 3
