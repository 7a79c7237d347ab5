"""Part 5: T5 and BART, pretrained and fine-tuned."""

from benchmarks.sweeps.schema import Case, Sweep, Trial

from seqbook.experiments import t5_bart

RATES = (1e-3, 3e-3, 1e-2)  # the same search for heads and for text
NOISES = ("mix", "infilling", "masking", "deletion", "permutation", "rotation")
OUTPUTS = {"head": "t5-{}", "text": "t5-{}-as-text"}


def both_ways(task: str) -> list[Trial]:
    """A task with a head and as text, at each rate, from the same pretrained T5."""
    return [
        Trial(t5_bart.fine_tuned, {"recipe": recipe.format(task), "output": output, "learning_rate": rate})
        for rate in RATES
        for output, recipe in OUTPUTS.items()
    ]


SWEEPS = {
    "t5-bart-rates": Sweep(
        "Chapter 5.1: the learning rates of BART's pretraining.",
        [Case("bart", {"learning_rate": rate}, {"family": "bart", "rate": rate}) for rate in (3e-4, 1e-3, 3e-3, 1e-2)],
        seeds=[0],
    ),
    "t5-text": Sweep("Chapter 5.1, C24: sentiment with a head and as text, at three rates.", both_ways("sentiment")),
    "t5-text-entailment": Sweep(
        "Chapter 5.1, C24: entailment with a head and as text, at three rates.", both_ways("entailment"), seeds=[0]
    ),
    "t5-together": Sweep(
        "Chapter 5.1: one T5 for seven tasks, all as text.",
        [Trial(t5_bart.together, {"labels": 4_000, "steps": 1_200, "learning_rate": 3e-3})],
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
        "Chapter 5.1: corrupted texts as a BART rewrites them after 300 steps.",
        [Case("bart", {"steps": 300})],
        seeds=[0],
        measure=t5_bart.restored,
    ),
    "bart-noises": Sweep(
        "Chapter 5.1: BART pretrained for 300 steps with one noise or with the mix, and then fine-tuned with a head.",
        [
            Trial(
                t5_bart.fine_tuned,
                {"recipe": f"bart-{task}", "noise": noise, "pretraining": {"noise": noise, "steps": 300}},
            )
            for noise in NOISES
            for task in ("sentiment", "entailment")
        ],
        seeds=[0],
    ),
}
