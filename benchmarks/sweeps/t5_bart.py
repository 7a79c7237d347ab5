"""Part 5: T5 and BART, pretrained and fine-tuned."""

from benchmarks.sweeps.schema import Case, Sweep, Trial, rows_so_far

from seqbook.experiments import t5_bart

RATES = (3e-4, 1e-3, 3e-3, 1e-2)  # the same search for each output
NOISES = ("mix", "infilling", "masking", "deletion", "permutation", "rotation")
PRETRAININGS = {noise: {"pretraining": {"noise": noise, "steps": 300}} for noise in NOISES} | {
    "no pretraining": {"pretrained": False}
}
OUTPUTS = {  # how the answer comes out of the network: the recipe, and what the head reads
    "text": ("t5-{}-as-text", {}),
    "head, last token": ("t5-{}", {}),
    "head, first token": ("t5-{}", {"reads": "first"}),
    "text, not pretrained": ("t5-{}-as-text", {"pretrained": False}),
}


def rate_of(task: str, output: str) -> float:
    """The learning rate with the lowest validation loss in t5-text-rates.json; 3e-3 without it."""
    rows = rows_so_far("t5-text-rates")
    return t5_bart.best_rates(rows).get(f"{task}, {output}", 3e-3) if rows else 3e-3


def trial(task: str, output: str, rate: float) -> Trial:
    """A task with one kind of output, from the same pretrained T5 or, beside it, from the beginning."""
    recipe, settings = OUTPUTS[output]
    names = {"recipe": recipe.format(task), "case": f"{task}, {output}"}
    return Trial(t5_bart.fine_tuned, names | settings | {"learning_rate": rate})


SWEEPS = {
    "t5-bart-rates": Sweep(
        "Chapter 5.1: the learning rates of BART's pretraining.",
        [Case("bart", {"learning_rate": rate}, {"family": "bart", "rate": rate}) for rate in (3e-4, 1e-3, 3e-3, 1e-2)],
        seeds=[0],
    ),
    "t5-text-rates": Sweep(
        "Chapter 5.1, C24: the same search over learning rates for each output.",
        [trial("sentiment", output, rate) for output in OUTPUTS for rate in RATES],
        seeds=[0],
    ),
    "t5-text": Sweep(
        "Chapter 5.1, C24: a task with a head and as text, each at the rate that the search found.",
        [trial("sentiment", output, rate_of("sentiment", output)) for output in OUTPUTS],
    ),
    "t5-together": Sweep(
        "Chapter 5.1: one T5 for seven tasks, all as text.",
        [Trial(t5_bart.together, {"labels": 4_000, "steps": 2_400, "learning_rate": 1e-3})],
        seeds=[0],
    ),
    "t5-windows": Sweep(
        "Chapter 5.1: T5 with few long windows, and with many short ones: does it use its source?",
        [
            Case("t5", {"max_len": 128, "steps": 700, "learning_rate": 3e-3}, {"windows": "long"}),
            Case("t5", {}, {"windows": "short"}),
        ],
        seeds=[0],
        measure=t5_bart.losses,
    ),
    "bart-rewriting": Sweep(
        "Chapter 5.1: corrupted texts as a BART rewrites them.",
        [Case("bart")],
        seeds=[0],
        measure=t5_bart.rewritten,
    ),
    "bart-noises": Sweep(
        "Chapter 5.1: one BART for each noise and one for the mix, pretrained for 300 steps and then fine-tuned with a head, "
        "beside one that is not pretrained.",
        [
            Trial(t5_bart.fine_tuned, {"recipe": f"bart-{task}", "case": noise} | pretraining)
            for task in ("sentiment", "entailment")
            for noise, pretraining in PRETRAININGS.items()
        ],
    ),
}
