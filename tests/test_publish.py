"""`make results`, with sweeps of tiny rows."""

import inspect
import json
import time
from subprocess import CompletedProcess

import pytest
from benchmarks import publish
from benchmarks.sweeps import Case, Sweep, Trial

from seqbook import runs
from seqbook.recipes import RECIPES, configure
from seqbook.runs import published

TINY = {"size": 50, "steps": 2, "warmup": 1, "evaluations": 2, "d_model": 16, "bidirectional": False}
CASES = [Case("rnn", TINY, {"context": "last"}), Case("attention", TINY | {"source": "en"})]
SEEDS = (0, 3)
ALL = [case.key(seed) for case in CASES for seed in SEEDS]


def coin(seed: int, sides: int, fair: bool = True):
    """An experiment that no recipe describes."""
    return {"heads": seed % sides if fair else 0, "val_loss": 0.5}


class Made(list):
    """The keys of the rows that were made. The row of `fails` fails; at the row of `stop`, Ctrl-C is pressed."""

    fails = stop = None

    def row_of(self, name, key, place=None):
        """Stands for `publish.row_of`: a row with a loss that its configuration and seed decide."""
        self.append(key)
        if key == self.stop:
            while len(publish.Rows(name, again=False).rows) < len(self) - 1:  # until the rows before it are written
                time.sleep(0.001)
            raise KeyboardInterrupt
        if key == self.fails:
            raise RuntimeError("ValueError: the loss is nan")
        case, seed = publish.Rows(name, again=True).wanted[key]
        config = case.config()
        row = {"seed": seed, "config": config, "device": "cpu"}
        if isinstance(case, Case):
            return row | {"recipe": case.recipe, "val_loss": config["training"]["learning_rate"] + seed}
        return row | case.function(seed=seed, **case.settings)


@pytest.fixture
def sweep(monkeypatch, tmp_path):
    """A sweep of two cases with two seeds, whose rows are made one at a time."""
    monkeypatch.setattr(publish, "SWEEPS", {"tiny": Sweep("Two tiny runs.", CASES, SEEDS)})
    monkeypatch.setattr(published, "FOLDER", tmp_path / "results")
    monkeypatch.setattr(published, "commit", lambda: "abc")
    monkeypatch.setattr(publish.os, "cpu_count", lambda: 1)


@pytest.fixture
def made(sweep, monkeypatch):
    """The rows that were made for the sweep; they are invented here."""
    made = Made()
    monkeypatch.setattr(publish, "row_of", made.row_of)
    return made


@pytest.fixture
def trials(monkeypatch):
    """Call it with trials to put a sweep of them, with one seed, in the place of the tiny sweep."""

    def put(*trials):
        monkeypatch.setattr(publish, "SWEEPS", {"tiny": Sweep("Coins.", trials, seeds=(3,))})

    return put


def rows():
    return published.read("tiny")["rows"]


def printed_row(name, key, capsys):
    """What the process of a row prints on its last line."""
    assert publish.main([name, "--row", key]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.mark.slow
def test_a_row_says_how_it_was_made_and_all_that_the_run_found(sweep, capsys):
    row = printed_row("tiny", CASES[0].key(3), capsys)
    run = runs.run("rnn", seed=3, **TINY)
    assert (row["recipe"], row["seed"], row["settings"], row["context"]) == ("rnn", 3, TINY, "last")
    assert row["command"].startswith("python -m seqbook train rnn --seed=3 --set=size=50")
    assert row["config"] == Case("rnn", TINY).config()
    numbers = {key: value for key, value in run.result.items() if isinstance(value, int | float)}
    assert numbers.keys() >= {"params", "tokens", "seconds", "bleu", "exact_match", "loss", "compositional_bleu"}
    assert numbers.items() <= row.items()
    assert row["device"] == run.result["device"]
    assert row["val_losses"] == [step["val_loss"] for step in run.history if "val_loss" in step]
    assert len(row["val_losses"]) == len(row["evaluated_at"]) == 2


@pytest.mark.slow
def test_a_row_keeps_what_the_sweep_measures(sweep, monkeypatch, capsys):
    measured = Sweep("One.", CASES[:1], SEEDS, measure=lambda run: {"steps_seen": run.history[-1]["step"]})
    monkeypatch.setattr(publish, "SWEEPS", {"tiny": measured})
    assert printed_row("tiny", ALL[0], capsys)["steps_seen"] == TINY["steps"]


def test_the_row_of_a_trial_says_its_settings_and_what_the_function_found(sweep, trials, capsys):
    trial = Trial(coin, {"sides": 2})
    trials(trial)
    row = printed_row("tiny", trial.key(3), capsys)
    assert row.pop("device")
    config = {"experiment": "coin", "sides": 2}
    assert row == {"sides": 2, "seed": 3, "config": config, "heads": 1, "val_loss": 0.5}


def test_a_file_says_what_it_holds_and_how_it_was_made(made):
    assert publish.main(["tiny"]) == 0
    head = published.read("tiny")
    assert (head["about"], head["command"]) == ("Two tiny runs.", "python -m benchmarks.publish tiny")
    assert made == ALL
    assert [(row["recipe"], row["seed"]) for row in rows()] == [(c.recipe, s) for c in CASES for s in SEEDS]
    assert {row["commit"] for row in rows()} == {"abc"}


def test_a_row_is_the_last_line_of_a_process_of_its_own(monkeypatch):
    asked = []

    def run(command, env, **how):
        asked.append((command[1:], env["OMP_NUM_THREADS"]))
        return CompletedProcess(command, 0, stdout='a warning\n{"loss": 1.5}\n', stderr="100%")

    monkeypatch.setattr(publish.children, "call", run)
    assert publish.row_of("tiny", ALL[0]) == {"loss": 1.5}
    assert asked == [(["-m", "benchmarks.publish", "tiny", "--row", ALL[0]], "1")]


@pytest.mark.parametrize(("stderr", "message"), [("Traceback …\nValueError: why\n", "ValueError: why"), ("", "-9")])
def test_a_process_that_fails_says_why(monkeypatch, stderr, message):
    monkeypatch.setattr(publish.children, "call", lambda command, **how: CompletedProcess(command, -9, "", stderr))
    with pytest.raises(RuntimeError, match=f"{message}$"):
        publish.row_of("tiny", ALL[0])


@pytest.mark.slow
def test_the_process_of_a_row_runs():
    """With no fake: it is asked for a sweep that isn't there, and says so."""
    with pytest.raises(RuntimeError, match="publish: unknown sweep 'tiny'"):
        publish.row_of("tiny", ALL[0])


def test_an_interrupted_sweep_continues(made):
    made.stop = ALL[2]
    with pytest.raises(KeyboardInterrupt):
        publish.main(["tiny"])
    assert [(row["recipe"], row["seed"]) for row in rows()] == [("rnn", 0), ("rnn", 3)]
    first = rows()[0]
    made.clear()
    made.stop = None
    publish.main([])
    assert made == ALL[2:]
    assert rows()[0] == first
    assert len(rows()) == 4
    made.clear()
    publish.main(["tiny"])
    assert made == []


def test_a_row_that_fails_is_named_and_the_others_go_on(made, capsys):
    made.fails = ALL[1]
    assert publish.main(["tiny"]) == 1
    assert capsys.readouterr().err == f"  tiny {ALL[1]} failed: ValueError: the loss is nan\n"
    assert made == ALL
    assert [(row["recipe"], row["seed"]) for row in rows()] == [("rnn", 0), ("attention", 0), ("attention", 3)]
    made.clear()
    made.fails = None
    assert publish.main(["tiny"]) == 0
    assert made == [ALL[1]]
    assert [row["seed"] for row in rows()] == [0, 3, 0, 3]


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
    assert [row["val_loss"] for row in after[2:]] != [row["val_loss"] for row in before[2:]]


def test_a_row_of_a_trial_that_changed_is_made_anew(made, trials):
    kept, changed = Trial(coin, {"sides": 2}), Trial(coin, {"sides": 6, "fair": False})
    trials(kept, Trial(coin, {"sides": 6}))
    publish.main(["tiny"])
    assert [row["heads"] for row in rows()] == [1, 3]
    made.clear()
    trials(kept, changed)
    publish.main(["tiny"])
    assert made == [changed.key(3)]
    assert [row["heads"] for row in rows()] == [1, 0]


def test_again_makes_every_row(made):
    publish.main(["tiny"])
    file = published.FOLDER / "tiny.json"
    edited = json.loads(file.read_text()) | {"rows": [row | {"val_loss": -1.0} for row in rows()]}
    file.write_text(json.dumps(edited))
    publish.main(["tiny"])
    assert [row["val_loss"] for row in rows()] == [-1.0] * 4
    made.clear()
    publish.main(["tiny", "--again"])
    assert made == ALL
    assert all(row["val_loss"] > 0 for row in rows())


def test_an_unknown_sweep_is_one_line(made, capsys):
    assert publish.main(["tiny", "huge"]) == 2
    assert capsys.readouterr().err == "publish: unknown sweep 'huge': choose one of tiny\n"
    assert made == []


@pytest.mark.parametrize("name", publish.SWEEPS)
def test_every_case_is_another_run(name):
    sweep = publish.SWEEPS[name]
    assert sweep.about
    configs = {case.key(0): case.config() for case in sweep.cases}
    assert len(configs) == len(sweep.cases)
    assert len({json.dumps(config) for config in configs.values()}) == len(configs)
    for case in sweep.cases:
        if isinstance(case, Trial):
            inspect.signature(case.function).bind(seed=0, **case.settings)


def test_one_row_is_one_line(made):
    publish.main(["tiny"])
    lines = (published.FOLDER / "tiny.json").read_text().splitlines()
    assert sum(line.lstrip().startswith('{"seed"') for line in lines) == 4
    assert publish.as_text({"about": "none"}, []) == '{\n "about": "none",\n "rows": [\n\n ]\n}\n'


def test_a_sweep_without_rows_has_no_file(sweep, monkeypatch):
    """A page would take an empty file for a published result."""

    def fail(name, key, place):
        raise RuntimeError("no room")

    monkeypatch.setattr(publish, "row_of", fail)
    assert publish.main(["tiny"]) == 1
    assert not (published.FOLDER / "tiny.json").exists()
