"""Part 5: T5 and BART, pretrained and fine-tuned."""

from benchmarks.sweeps.schema import Case, Sweep

SWEEPS = {
    "t5-bart-rates": Sweep(
        "Chapter 5.1: the learning rates of the two pretrainings.",
        [
            Case(recipe, {"learning_rate": rate}, {"family": recipe, "rate": rate})
            for recipe, rates in (("t5", (1e-3, 3e-3, 1e-2, 3e-2)), ("bart", (3e-4, 1e-3, 3e-3, 1e-2)))
            for rate in rates
        ],
        seeds=[0],
    ),
}
