"""Part 3: GPT, fine-tuned."""

from typing import Any

from benchmarks.sweeps.schema import Case, Sweep

from seqbook.experiments.finetuning import flips, learning_curve
from seqbook.experiments.transformer import best_rates
from seqbook.runs import Run, published

LABELS = {  # how many different labelled examples there are
    "gpt-sentiment": (100, 1_000, 10_000),
    "gpt-entailment": (400, 2_000, 10_000),
}
STARTS = {
    "from scratch": {"pretrained": False, "lm_weight": 0.0},
    "pretrained": {"pretrained": True, "lm_weight": 0.0},
    "with auxiliary loss": {"pretrained": True, "lm_weight": 0.5},
}
SHORT = {"size": 20_000, "steps": 2_500, "patience": 0, "evaluations": 5}  # of similarity: about four minutes per row
RATES = (3e-4, 1e-3, 3e-3)
# The number of labels at which rates are compared: not the smallest one, and one at which the task is learned at all.
SEARCHED_AT = {"gpt-sentiment": 1_000, "gpt-entailment": 2_000, "gpt-similarity": 20_000}


def starts_of(recipe: str) -> tuple[str, ...]:
    """Similarity needs about ten minutes per row, so its search leaves the auxiliary loss out."""
    return tuple(STARTS)[:2] if recipe == "gpt-similarity" else tuple(STARTS)


def rate_of(recipe: str, start: str) -> float:
    """The learning rate with the lowest validation loss in finetuning-rates.json; 1e-3 for a task that it does not have."""
    file = published.FOLDER / "finetuning-rates.json"
    rows = published.read("finetuning-rates")["rows"] if file.is_file() else []
    return best_rates(row for row in rows if row["start"] == start).get(recipe, 1e-3)


def settings_of(recipe: str, start: str) -> dict[str, Any]:
    """A start, at the rate that the search found for it."""
    return STARTS[start] | {"learning_rate": rate_of(recipe, start)}


def order(run: Run) -> dict[str, Any]:
    return learning_curve(run) | {"flips": flips(run)}


SWEEPS = {
    "finetuning-rates": Sweep(
        "Chapter 3.2: the same search over learning rates for each task and start, at one number of labels.",
        [
            Case(
                recipe,
                STARTS[start] | {"size": labels, "learning_rate": rate},
                {"labels": labels, "start": start, "learning_rate": rate},
            )
            for recipe, labels in SEARCHED_AT.items()
            for start in starts_of(recipe)
            for rate in RATES
        ],
        seeds=(0,),
        measure=learning_curve,
    ),
    "finetuning": Sweep(
        "Chapter 3.2: two tasks with different numbers of labels, from random weights, from pretrained ones, and with the "
        "auxiliary loss. All stop early by the same rule, each at the rate that the search found for its task and start.",
        [
            Case(recipe, settings_of(recipe, start) | {"size": labels}, {"labels": labels, "start": start})
            for recipe, by_task in LABELS.items()
            for labels in by_task
            for start in STARTS
        ],
        measure=learning_curve,
    ),
    "similarity-orders": Sweep(
        "Chapter 3.2, C13: similarity from both orders of the two texts, and from one, as in entailment. flips: the share "
        "of answers that change when the texts change places.",
        [
            Case(
                "gpt-similarity",
                settings_of("gpt-similarity", "pretrained") | SHORT | changed,
                {"orders": orders},
            )
            for orders, changed in {"both": {}, "one": {"transformation": "entailment"}}.items()
        ],
        measure=order,
    ),
    "multiple-choice": Sweep(
        "Chapter 3.2: multiple choice for 3,000 steps with batches of 64 stories. The learning rate falls to 0 and nothing "
        "stops early; needs a GPU, or two hours on a core.",
        [
            Case(
                "gpt-multiple-choice",
                settings_of("gpt-multiple-choice", start)
                | {"size": 40_000, "steps": 3_000, "batch_size": 64, "evaluations": 30, "patience": 0, "warmup": 100},
                {"labels": 40_000, "start": start},
            )
            for start in ("from scratch", "pretrained")
        ],
        seeds=(0,),
        measure=learning_curve,
    ),
}
