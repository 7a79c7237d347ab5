"""Part 3: GPT, fine-tuned."""

from benchmarks.sweeps.schema import Case, Sweep

STEPS = {  # by the number of labels: with few, at most about six times through them
    "gpt-sentiment": {100: 40, 1_000: 300, 10_000: 300},
    "gpt-entailment": {400: 150, 2_000: 800, 10_000: 800},
    "gpt-multiple-choice": {400: 600, 10_000: 800},
    "gpt-similarity": {2_000: 750, 20_000: 5_000},
}
STARTS = {
    "from scratch": {"pretrained": False, "lm_weight": 0.0},
    "pretrained": {"pretrained": True, "lm_weight": 0.0},
    "with auxiliary loss": {"pretrained": True, "lm_weight": 0.5},
}
SWEEPS = {
    "finetuning": Sweep(
        "Chapter 3.2: four tasks from random weights, from pretrained ones, and with the auxiliary loss.",
        [
            Case(recipe, start | {"size": labels, "steps": steps}, {"labels": labels, "start": name})
            for recipe, by_labels in STEPS.items()
            for labels, steps in by_labels.items()
            for name, start in STARTS.items()
        ],
    ),
}
