"""What chapters say of published results, what the files say, and whether they still belong to their recipes."""

import json
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from benchmarks.sweeps import SWEEPS, Case, Sweep, Trial

from seqbook import __main__ as command_line
from seqbook.recipes import RECIPES, configure
from seqbook.runs import published
from seqbook.runs.published import read

STARTS = ("from scratch", "pretrained", "with auxiliary loss")
FILES = sorted(file.stem for file in published.FOLDER.glob("*.json"))


def runs_of(name: str) -> Iterator[dict[str, Any]]:
    """The published runs of recipes: the file itself, or its rows."""
    result = read(name)
    return (row for row in (result, *result.get("rows", [])) if "recipe" in row)


def differences(stored: Any, current: Any, name: str = "") -> list[str]:
    """Each setting that differs, as "name: what is stored, what the recipe has now"."""
    if not (isinstance(stored, dict) and isinstance(current, dict)):
        return [] if stored == current else [f"{name}: {stored!r} in the file, {current!r} in the recipe"]
    found = []
    for key in [*stored, *(key for key in current if key not in stored)]:
        inner = f"{name}.{key}".removeprefix(".")
        if inner != "about":
            found += differences(stored.get(key, "nothing"), current.get(key, "nothing"), inner)
    return found


def trials_of(name: str) -> list[dict[str, Any]]:
    """The published rows of experiments that no recipe describes."""
    return [row for row in read(name).get("rows", []) if "experiment" in row.get("config", {})]


class Asked(Exception):
    """What `train` was asked to run."""


@pytest.fixture
def asked(monkeypatch):
    """What a command line of `train` runs: recipe, seed, settings."""

    def run(name, *, seed, data, out, **settings):
        raise Asked(name, seed, settings)

    def read(command):
        program, arguments = shlex.split(command)[:3], shlex.split(command)[3:]
        assert program == ["python", "-m", "seqbook"]
        with pytest.raises(Asked) as error:
            command_line.main(arguments)
        return error.value.args

    monkeypatch.setattr(command_line, "run", run)
    return read


@pytest.mark.parametrize("name", [name for name in FILES if any(runs_of(name))])
def test_a_published_result_belongs_to_its_recipe(name, asked):
    """It was made with the settings that the recipe and its command have now; if not, `make results` makes it anew."""
    for row in runs_of(name):
        recipe, seed, settings = asked(row["command"])
        assert (recipe, seed) == (row["recipe"], row["seed"])
        assert settings == row.get("settings", settings)
        current = Case(recipe, settings).config()
        if not isinstance(row["config"]["base"], dict):
            current["base"] = row["config"]["base"] and RECIPES[recipe].base
        stale = differences(row["config"], current)
        assert not stale, f"benchmarks/results/{name}.json no longer belongs to {row['command']}: {'; '.join(stale)}"


def test_a_result_whose_recipe_changed_is_named_with_the_setting(asked, monkeypatch):
    monkeypatch.setitem(RECIPES, "attention", configure("attention", d_model=96))
    message = r"translation\.json no longer belongs to .* model\.d_model: 192 in the file, 96 in the recipe"
    with pytest.raises(AssertionError, match=message):
        test_a_published_result_belongs_to_its_recipe("translation", asked)
    monkeypatch.setitem(RECIPES, "gpt", configure("gpt", steps=3))  # what the others start from
    message = r"finetuning\.json no longer belongs to .* base\.training\.steps: 700 in the file, 3 in the recipe"
    with pytest.raises(AssertionError, match=message):
        test_a_published_result_belongs_to_its_recipe("finetuning", asked)


@pytest.mark.parametrize("name", FILES)
def test_a_published_trial_belongs_to_its_sweep(name):
    """The sweep with the file's name still has a trial with the configuration of each such row."""
    rows = trials_of(name)
    current = [case.config() for case in SWEEPS[name].cases if isinstance(case, Trial)] if rows else []
    stale = [row["config"] for row in rows if row["config"] not in current]
    assert not stale, f"benchmarks/results/{name}.json has rows of no trial that the sweep has now: {stale}"


def test_a_trial_that_changed_is_named_with_its_settings(monkeypatch, tmp_path):
    def coin(seed, sides):
        return {"heads": seed % sides}

    def check(*trials):
        monkeypatch.setitem(SWEEPS, "coins", Sweep("Coins.", trials, seeds=(0,)))
        test_a_published_trial_belongs_to_its_sweep("coins")

    monkeypatch.setattr(published, "FOLDER", tmp_path)
    rows = [Trial(coin, {"sides": sides}).make(0) for sides in (2, 6)]
    (tmp_path / "coins.json").write_text(json.dumps({"rows": rows}))
    check(*(Trial(coin, {"sides": sides}) for sides in (2, 4, 6)))
    message = r"coins\.json has rows of no trial that the sweep has now: \[{'experiment': 'coin', 'sides': 6}\]"
    with pytest.raises(AssertionError, match=message):
        check(Trial(coin, {"sides": 2}), Trial(coin, {"sides": 7}))


def test_a_summary_has_the_mean_and_the_spread_of_each_measure():
    rows = [
        {"recipe": recipe, "size": 10, "params": 2_000, "loss": loss, "config": {"training": {"steps": 7}}}
        for recipe, losses in {"rnn": (1.0, 2.0, 6.0), "attention": (0.5, 0.5, 0.5)}.items()
        for loss in losses
    ]
    measures = {
        "parameters": ("params", "{:,}"),
        "nats": ("loss", "{:.1f}"),
        "steps": ("config.training.steps", "{:.0f}"),
        "BLEU": ("bleu", "{:.1f}"),
    }
    table = published.summary(rows, "recipe", measures)
    assert list(table.index) == ["rnn", "attention"]
    assert table.loc["rnn"].tolist() == ["2,000.0", "3.0 (1.0–6.0)", "7", ""]
    assert table.loc["attention", "nats"] == "0.5"
    table = published.summary(rows, ["recipe", "size"], measures)
    assert table.loc[("rnn", 10), "nats"] == "3.0 (1.0–6.0)"
    assert list(published.summary(rows, "recipe").columns) == list(published.TRANSLATION)
    with pytest.raises(ValueError, match="no row has the column 'pairs': choose one of recipe, size, params"):
        published.summary(rows, ["recipe", "pairs"], measures)


def test_a_table_has_the_rows_that_were_asked_for(monkeypatch, tmp_path):
    measures = {"nats": ("loss", "{:.2f}")}
    rows = [row for row in read("prompting-sizes")["rows"] if row["config"]["model"]["d_model"] in (16, 64)]
    by = "config.model.d_model"
    assert published.table("prompting-sizes", by, measures, **{by: (16, 64)}).equals(
        published.summary(rows, by, measures)
    )
    with pytest.raises(ValueError, match=r"no row of prompting-sizes has \{'seed': \(9,\)\}"):
        published.table("prompting-sizes", by, measures, seed=(9,))
    monkeypatch.setattr(published, "FOLDER", tmp_path / "none")
    assert list(published.table("prompting-sizes", by, measures).index) == ["prompting-sizes"]
    assert published.rows("prompting-sizes", **{by: (16, 64)}) == []


def test_a_number_agrees_with_the_seeds_if_it_is_as_close_to_them_as_they_are_to_each_other():
    assert [published.agrees(x, [0.5, 0.6, 0.7]) for x in (0.29, 0.31, 0.6, 0.89, 0.91)] == [0, 1, 1, 1, 0]
    assert published.agrees(0.5, [0.5])
    assert not published.agrees(0.51, [0.5])
    assert published.agrees(0.5, [])


def test_a_result_that_is_not_there_is_named():
    with pytest.raises(
        FileNotFoundError, match=r"there is no published result .*nothing\.json: it is part of the repos"
    ):
        read("nothing")


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


def test_the_spread_has_a_line_for_each_number_of_labels():
    rows = read("finetuning")["rows"]
    table = published.spread(rows, ("recipe", "labels", "start"), "accuracy")
    assert len(table) == len({(row["recipe"], row["labels"], row["start"]) for row in rows})
    found = accuracies("gpt-entailment", 2_000, "pretrained")
    line = table.loc["gpt-entailment", 2_000, "pretrained"]
    assert line["mean"] == pytest.approx(mean(found))
    assert (line["lowest"], line["highest"], line["seeds"]) == (min(found), max(found), 3)


def test_the_best_recipe_is_as_good_as_the_reference_in_a_third_of_its_time():
    """Of the faster of the two trainings at the reference's sizes; for each seed."""
    rows = [row for row in read("shakespeare")["rows"] if "system" in row]
    for seed in range(3):
        losses = {row["system"]: row["val_loss"] for row in rows if row["seed"] == seed}
        (share,) = (r["of_the_faster"] for r in rows if r["seed"] == seed and r["system"] == "gpt-shakespeare-best")
        assert losses["gpt-shakespeare-best"] <= min(1.88, losses["reference"] + 0.02)
        assert losses["gpt-shakespeare"] < losses["reference"]
        assert share <= 1 / 3
