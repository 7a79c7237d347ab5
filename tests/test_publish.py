"""`make results`, with sweeps of tiny runs."""

import json
from types import SimpleNamespace

import pytest
from benchmarks import publish
from benchmarks.publish import Case, Sweep

from seqbook import runs
from seqbook.recipes import RECIPES, configure
from seqbook.runs import published

TINY = {"size": 50, "steps": 2, "warmup": 1, "evaluations": 2, "d_model": 16, "bidirectional": False}
ALL = [("rnn", 0), ("rnn", 3), ("attention", 0), ("attention", 3)]


class Made(list):
    """(recipe, seed) of each run; as soon as they are those of `stop`, Ctrl-C is pressed."""

    stop = None


@pytest.fixture
def sweep(monkeypatch, tmp_path):
    """A sweep of two cases with two seeds, whose runs are made one at a time."""
    cases = [Case("rnn", TINY, {"context": "last"}), Case("attention", TINY | {"source": "en"})]
    monkeypatch.setattr(publish, "SWEEPS", {"tiny": Sweep("Two tiny runs.", cases, seeds=(0, 3))})
    monkeypatch.setattr(published, "FOLDER", tmp_path / "results")
    monkeypatch.setattr(published, "commit", lambda: "abc")
    monkeypatch.setattr(publish.os, "cpu_count", lambda: 1)
    monkeypatch.setattr(publish.torch, "set_num_threads", lambda n: None)


@pytest.fixture
def made(sweep, monkeypatch):
    """The runs that were made for the sweep; they are invented here, with a loss that their settings decide."""
    made = Made()

    def run_all(wanted):
        found = {}
        for key, (recipe, settings) in wanted.items():
            made.append((recipe, settings["seed"]))
            if made == made.stop:
                raise KeyboardInterrupt
            seed, changed = settings["seed"], {name: value for name, value in settings.items() if name != "seed"}
            loss = configure(recipe, **changed).training.learning_rate + seed
            result = {"recipe": recipe, "seed": seed, "settings": "1f", "code": "2f", "loss": loss, "val_loss": loss}
            found[key] = SimpleNamespace(result=result, history=[{"step": 1, "val_loss": loss}])
        return found

    monkeypatch.setattr(runs, "run_all", run_all)
    return made


def rows():
    return published.read("tiny")["rows"]


@pytest.mark.slow
def test_a_row_says_how_it_was_made_and_all_that_the_run_found(sweep):
    assert publish.main(["tiny"]) == 0
    assert [(row["recipe"], row["seed"]) for row in rows()] == ALL
    run = runs.run("rnn", seed=3, **TINY)
    row = rows()[1]
    assert row["settings"] == TINY
    assert row["context"] == "last"
    assert row["command"].startswith("python -m seqbook train rnn --seed=3 --set=size=50")
    assert row["commit"] == "abc"
    assert row["config"] == Case("rnn", TINY).config()
    numbers = {key: value for key, value in run.result.items() if isinstance(value, int | float)}
    assert numbers.keys() >= {"params", "tokens", "seconds", "bleu", "exact_match", "loss", "compositional_bleu"}
    assert numbers.items() <= row.items()
    assert row["device"] == run.result["device"]
    assert row["val_losses"] == [step["val_loss"] for step in run.history if "val_loss" in step]
    assert len(row["val_losses"]) == 2
    head = published.read("tiny")
    assert (head["about"], head["command"]) == ("Two tiny runs.", "python -m benchmarks.publish tiny")


def test_an_interrupted_sweep_continues(made):
    made.stop = ALL[:3]
    with pytest.raises(KeyboardInterrupt):
        publish.main(["tiny"])
    assert [(row["recipe"], row["seed"]) for row in rows()] == ALL[:2]
    first = rows()[0]
    made.clear()
    publish.main([])
    assert made == ALL[2:]
    assert rows()[0] == first
    assert len(rows()) == 4
    made.clear()
    publish.main(["tiny"])
    assert made == []


def test_a_row_that_no_longer_belongs_to_its_recipe_is_made_anew(made, monkeypatch):
    publish.main(["tiny"])
    before = rows()
    made.clear()
    monkeypatch.setitem(RECIPES, "attention", configure("attention", learning_rate=0.5))
    publish.main(["tiny"])
    assert made == ALL[2:]
    after = rows()
    assert after[:2] == before[:2]
    assert [row["config"]["training"]["learning_rate"] for row in after[2:]] == [0.5, 0.5]
    assert [row["loss"] for row in after[2:]] != [row["loss"] for row in before[2:]]


def test_again_makes_every_row(made):
    publish.main(["tiny"])
    file = published.FOLDER / "tiny.json"
    edited = json.loads(file.read_text()) | {"rows": [row | {"loss": -1.0} for row in rows()]}
    file.write_text(json.dumps(edited))
    publish.main(["tiny"])
    assert [row["loss"] for row in rows()] == [-1.0] * 4
    made.clear()
    publish.main(["tiny", "--again"])
    assert made == ALL
    assert all(row["loss"] > 0 for row in rows())


def test_an_unknown_sweep_is_one_line(made, capsys):
    assert publish.main(["tiny", "huge"]) == 2
    assert capsys.readouterr().err == "publish: unknown sweep 'huge': choose one of tiny\n"
    assert made == []


@pytest.mark.parametrize("name", publish.SWEEPS)
def test_every_case_is_another_run_of_a_recipe(name):
    sweep = publish.SWEEPS[name]
    assert sweep.about
    keys = {publish.key_of(case.recipe, case.settings, 0): case.config() for case in sweep.cases}
    assert len(keys) == len(sweep.cases)
    assert len({json.dumps(config) for config in keys.values()}) == len(keys)


def test_one_row_is_one_line(made):
    publish.main(["tiny"])
    lines = (published.FOLDER / "tiny.json").read_text().splitlines()
    assert sum(line.lstrip().startswith('{"recipe"') for line in lines) == 4
    assert publish.as_text({"about": "none"}, []) == '{\n "about": "none",\n "rows": [\n\n ]\n}\n'
