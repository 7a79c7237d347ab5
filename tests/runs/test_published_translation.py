"""What the published sweeps of parts 1 and 2 compare: that it is equal where the chapters say so."""

import pytest
from benchmarks.sweeps.transformer import RATES, SYSTEMS

from seqbook.experiments.transformer import best_rates
from seqbook.recipes import RECIPES
from seqbook.runs.published import read


def rows_of(name, **only):
    rows = [row for row in read(name)["rows"] if all(row[key] == value for key, value in only.items())]
    assert rows, f"no row of {name} has {only}"
    return rows


def mean(name, column, **only):
    values = [row[column] for row in rows_of(name, **only)]
    return sum(values) / len(values)


def check_equal(rows, *, but=("learning_rate",)):
    """All rows have the same data, objective, steps and tokens, and nearly as many parameters."""
    for row in rows:
        assert row["config"]["data"] == rows[0]["config"]["data"]
        assert row["config"]["objective"] == rows[0]["config"]["objective"]
        for name, value in row["config"]["training"].items():
            assert name in but or value == rows[0]["config"]["training"][name], name
        assert row["params"] == pytest.approx(rows[0]["params"], rel=0.05)
        assert row["device"] == rows[0]["device"]


def test_the_search_was_the_same_for_all_and_its_rates_stand_in_the_recipes():
    rows = rows_of("translation-rates")
    tried = {(row["recipe"], row["learning_rate"]) for row in rows}
    assert tried >= {(system, rate) for system in SYSTEMS for rate in RATES}
    check_equal(rows)
    for recipe, rate in best_rates(rows).items():
        assert RECIPES[recipe].training.learning_rate == rate, recipe


def test_four_systems_are_compared_at_one_budget_with_three_seeds():
    rows = rows_of("translation")
    assert sorted((row["recipe"], row["seed"]) for row in rows) == sorted(
        (s, seed) for s in SYSTEMS for seed in range(3)
    )
    check_equal(rows)
    for seed in range(3):
        assert len({row["tokens"] for row in rows if row["seed"] == seed}) == 1


def test_captions_are_learned_in_the_same_number_of_steps():
    rows = rows_of("multi30k")
    assert len({row["steps"] for row in rows}) == 1
    for row in rows:
        assert "case:mixed" in row["bleu_signature"]
        assert "case:lc" in row["bleu_lowercased_signature"]


def test_batch_norm_was_trained_as_the_recipe_says_and_leaks_in_the_decoder_alone():
    for row in rows_of("batch-norm"):
        training = RECIPES["transformer-rotary"].training
        assert (row["steps"], row["learning_rate"]) == (training.steps, training.learning_rate)
        assert (row["leak"] > 0.01) == (row["where"] in ("decoder", "everywhere"))
