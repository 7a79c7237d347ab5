"""What chapters say of published results, and what the files say."""

import json
from pathlib import Path

import pytest

from seqbook import results
from seqbook.recipes import RECIPES

FOLDER = Path(__file__).parents[1] / "benchmarks" / "results"


def read(name):
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def test_after_the_longer_training_both_are_level():
    """Chapter 2.2 says so, and that the Transformer takes longer."""
    recurrent, transformer = read("attention-longer"), read("transformer-rotary")
    budget = RECIPES["transformer-rotary"].budget
    for result in (recurrent, transformer):
        trained = result["config"]["budget"]
        assert (trained["steps"], trained["batch_size"]) == (budget.steps, budget.batch_size)
    assert transformer["params"] == pytest.approx(recurrent["params"], rel=0.05)
    assert transformer["exact_match"] == pytest.approx(recurrent["exact_match"], abs=0.02)
    assert transformer["loss"] == pytest.approx(recurrent["loss"], abs=0.01)
    assert transformer["seconds"] > 1.2 * recurrent["seconds"]
    assert transformer["device"] == recurrent["device"]


def test_published_results_are_a_table():
    _, first, second = results.published("attention-longer", "transformer-rotary").splitlines()
    assert f"{read('attention-longer')['exact_match']:.1%}" in first
    assert f"{read('transformer-rotary')['loss']:.2f}" in second
