"""Part 7: every family on every task, first with equal parameters and steps, then with equal training compute."""

from benchmarks.sweeps.schema import Case, Sweep

from seqbook.experiments import comparison
from seqbook.recipes import RECIPES

NAMES = [name for name in RECIPES if name.startswith("compare-")]
SEARCHED = (1e-3, 3e-3, 1e-2)  # the same three rates for every system


def _case(name: str, **settings: float) -> Case:
    family, _, task = name.removeprefix("compare-").rpartition("-")
    return Case(name, settings, {"family": family, "task": task})


SWEEPS = {
    "which-architecture-rates": Sweep(
        "Chapter 7.1: three learning rates for every family on every task, one seed.",
        [_case(name, learning_rate=rate) for rate in SEARCHED for name in NAMES],
        seeds=[0],
        measure=comparison.measured,
    ),
}
