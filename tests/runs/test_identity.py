"""What a trained model depends on. A copy of lib is edited, and another process says what each edit changes."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import seqbook
from seqbook.identity import fingerprint
from seqbook.recipes import RECIPES, configure
from seqbook.runs import run
from seqbook.runs.run import identify

LIB = Path(seqbook.__file__).parents[1]

# {edit: (file, text, what replaces it, the recipes whose identity changes)}; no text: the edit is added at the end.
EDITS = {
    "a comment": ("seqbook/training/loop.py", "    # batch: ", "    # The batch. ", ()),
    "a docstring": ("seqbook/objectives/seq2seq.py", "with label smoothing.", "with smoothed labels.", ()),
    "the docstring of a module": ("seqbook/models/rnn.py", '"""', '"""Edited. ', ()),
    "layout": ("seqbook/objectives/batch.py", "\n\n\n", "\n\n\n\n\n", ()),
    "a figure": ("seqbook/viz/figures.py", "", "\nplt.rcParams['font.size'] = 7\n", ()),
    "the command line": ("seqbook/__main__.py", "", "\nprint('edited')\n", ()),
    "a recipe's file": ("seqbook/recipes/gpt.py", "", "\nEDITED = 1\n", ()),
    "what is published": ("seqbook/runs/published.py", "", "\nEDITED = 1\n", ()),
    "a task of nobody here": ("microworld/tasks/ner.py", "", "\nEDITED = 1\n", ()),
    "a loss": ("seqbook/objectives/seq2seq.py", "return summed_nll(logits, labels)", "return 2 * summed_nll(logits, labels)", ("rnn", "transformer")),
    "a loss that three share": ("seqbook/objectives/batch.py", "", "\nIGNORED = -7\n", ("rnn", "transformer", "gpt", "gpt-sentiment")),
    "a network": ("seqbook/models/rnn.py", "* config.n_layers", "* 2 * config.n_layers", ("rnn",)),
    "a part of networks": ("seqbook/nn/block.py", "", "\nEDITED = 1\n", ("transformer", "gpt", "gpt-sentiment")),
    "the pretrained network": ("seqbook/models/gpt.py", "0.554", "0.5", ("gpt", "gpt-sentiment")),
    "a head": ("seqbook/models/heads.py", "std=0.02", "std=0.03", ("gpt-sentiment",)),
    "the loop": ("seqbook/training/loop.py", "optimizer.zero_grad()", "", ("rnn", "transformer", "gpt", "gpt-sentiment")),
    "a measure": ("seqbook/metrics.py", "", "\nEDITED = 1\n", ("rnn", "transformer", "gpt", "gpt-sentiment")),
    "a tokenizer": ("seqbook/data/tokenizer.py", "", "\nEDITED = 1\n", ("rnn", "transformer", "gpt", "gpt-sentiment")),
    "a task": ("microworld/tasks/translation.py", "", "\nEDITED = 1\n", ("rnn", "transformer")),
    "the pretraining's task": ("microworld/tasks/texts.py", "", "\nEDITED = 1\n", ("gpt", "gpt-sentiment")),
    "words": ("microworld/words/verbs.py", "", "\nEDITED = 1\n", ("rnn", "transformer", "gpt", "gpt-sentiment")),
}  # fmt: skip

PROBE = """
import json, sys
from pathlib import Path
from seqbook import identity
from seqbook.recipes import RECIPES
from seqbook.runs import run
from seqbook.runs.run import identify

lib, edits = Path(sys.argv[1]), json.loads(sys.argv[2])
assert Path(identity.__file__).is_relative_to(lib)

def identities():
    identity._read.cache_clear()
    made = {name: identify(RECIPES[name], None, 0) for name in ("rnn", "transformer", "gpt", "gpt-sentiment")}
    return {name: (one.settings, one.code) for name, one in made.items()}

found = {"nothing": identities()}
for edit, (file, old, new, _) in edits.items():
    text = (lib / file).read_text("utf-8")
    assert old in text, edit
    (lib / file).write_text(text.replace(old, new, 1) if old else text + new, "utf-8")
    found[edit] = identities()
    (lib / file).write_text(text, "utf-8")
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def lib(tmp_path_factory):
    """A copy of lib, to be edited."""
    copy = tmp_path_factory.mktemp("edited") / "lib"
    for package in ("seqbook", "microworld"):
        shutil.copytree(LIB / package, copy / package, ignore=shutil.ignore_patterns("__pycache__", "fonts"))
    return copy


def python(lib, *arguments):
    """Another process, which imports the copy."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=os.environ | {"PYTHONPATH": str(lib)}, capture_output=True, text=True)


@pytest.fixture(scope="module")
def identities(lib):
    done = python(lib, "-c", PROBE, str(lib), json.dumps(EDITS))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_changes_the_runs_that_use_what_it_means(identities, edit):
    before, after = identities["nothing"], identities[edit]
    assert [name for name in before if before[name][1] != after[name][1]] == list(EDITS[edit][-1])
    assert {name: settings for name, (settings, _) in before.items()} == {
        name: settings for name, (settings, _) in after.items()
    }


@pytest.mark.slow
def test_out_continues_over_a_comment_and_warns_over_code(lib, arguments, settings, corpus, tmp_path):
    """Twice, the run is taken back to its checkpoint before the last, and its last three steps are done again."""
    folder, loss = tmp_path / "run", lib / "seqbook/objectives/batch.py"
    run("attention-multi30k", data=corpus, out=folder, **settings)

    def without_times():
        rows = json.loads((folder / "history.json").read_text())
        return [row["seconds"] for row in rows[:9]], [row | {"seconds": 0} for row in rows]

    def edit_and_continue(text):
        loss.write_text(loss.read_text("utf-8") + text, "utf-8")
        for name in ("result.json", "step-00000012.safetensors"):
            (folder / name).unlink()
        done = python(lib, "-m", "seqbook", *arguments(folder))
        assert done.returncode == 0, done.stderr
        assert (folder / "model.safetensors").read_bytes() == weights
        assert without_times() == before  # the first nine steps were not done again
        return done.stderr

    weights, before = (folder / "model.safetensors").read_bytes(), without_times()
    assert "was made by other code" not in edit_and_continue("# a comment\n")
    kept = folder / "step-00000009.safetensors"
    assert f"{kept} was made by other code, with the same recipe, data and seed" in edit_and_continue("EDITED = 1\n")


def test_a_pretrained_network_is_part_of_what_starts_from_it(monkeypatch):
    before = identify(RECIPES["gpt-sentiment"], None, 0)
    monkeypatch.setitem(RECIPES, "gpt", configure("gpt", steps=3))
    after = identify(RECIPES["gpt-sentiment"], None, 0)
    assert after.settings != before.settings
    assert after.code == before.code


def test_each_recipe_setting_and_seed_is_another_run_and_the_line_about_it_is_not():
    wanted = [(configure(name), 0) for name in RECIPES if "multi30k" not in name and "shakespeare" not in name]
    wanted += [(configure("rnn", size=100), 0), (configure("rnn", steps=100), 0), (configure("rnn"), 1)]
    settings = [identify(recipe, None, seed).settings for recipe, seed in wanted]
    assert len(set(settings)) == len(settings)
    told = replace(RECIPES["rnn"], about="in other words")
    assert identify(told, None, 0) == identify(RECIPES["rnn"], None, 0)


def test_a_fingerprint_changes_with_any_part():
    prints = [fingerprint(*parts) for parts in (("a", 1), ("a", 2), ("b", 1), ("a1",), ("a", [1]), ())]
    assert len(set(prints)) == len(prints)
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert all(len(p) == 16 for p in prints)
