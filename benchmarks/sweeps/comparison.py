"""Part 7: every family on every task, first with equal parameters and steps, then with equal training compute.

The rates, and the steps that cost as much as the encoder-decoder's, come from the published rows of the search before them.
"""

from typing import Any

from benchmarks.sweeps.schema import Case, Sweep, rows_so_far

from seqbook.experiments import comparison
from seqbook.recipes import RECIPES
from seqbook.recipes import comparison as recipes

NAMES = [name for name in RECIPES if name.startswith("compare-")]
SEARCHED = (1e-3, 3e-3, 1e-2)  # the same three rates for every system
RATES, EQUAL_STEPS, EQUAL_COMPUTE, INSTRUCTION = comparison.SWEEPS


def _case(name: str, **settings: Any) -> Case:
    family, _, task = name.removeprefix("compare-").rpartition("-")
    return Case(name, settings, {"family": family, "task": task})


def _searched() -> dict[str, dict[str, Any]]:
    """For each system whose search is complete, the row with the lowest validation loss."""
    rows = rows_so_far(RATES)
    by_name = {name: [row for row in rows if row["recipe"] == name] for name in NAMES}
    return {
        name: min(found, key=lambda row: row["val_loss"])
        for name, found in by_name.items()
        if len(found) == len(SEARCHED)
    }


def _rate(row: dict[str, Any]) -> float:
    return row["settings"]["learning_rate"]


def _equal_compute(best: dict[str, dict[str, Any]]) -> list[Case]:
    """Every other family for as many steps as cost what the encoder-decoder's training costs on the same task."""
    cases = []
    for name, row in best.items():
        reference = best.get(f"compare-encoder-decoder-{row['task']}")
        if reference and row["family"] != "encoder-decoder":
            steps = round(recipes.TRAININGS[row["task"]].steps * reference["flops_per_step"] / row["flops_per_step"])
            cases.append(_case(name, learning_rate=_rate(row), steps=steps))
    return cases


BEST = _searched()
SWEEPS = {
    RATES: Sweep(
        "Chapter 7.1: three learning rates for every family on every task, one seed.",
        [_case(name, learning_rate=rate) for rate in SEARCHED for name in NAMES],
        seeds=[0],
        measure=comparison.measured,
    ),
    EQUAL_STEPS: Sweep(
        "Chapter 7.1: every family on every task, with the best of its three rates.",
        [_case(name, learning_rate=_rate(row)) for name, row in BEST.items()],
        measure=comparison.measured,
    ),
    EQUAL_COMPUTE: Sweep(
        "Chapter 7.1: the same, with as much training compute as the encoder-decoder.",
        _equal_compute(BEST),
        measure=comparison.measured,
    ),
    INSTRUCTION: Sweep(
        "Chapter 7.1: translation again, with an instruction that is the same in front of every source.",
        [
            _case(name, learning_rate=_rate(row), instruction="translate to Chinese: ")
            for name, row in BEST.items()
            if row["task"] == "translation"
        ],
        measure=comparison.measured,
    ),
}
