"""Four tasks from random weights, from pretrained ones, and with the auxiliary loss (`python -m benchmarks.finetuning`).

The table of chapter 3.2: some label counts, three seeds of the two tasks that are learned fast, one of the others. About an
hour on two cores; no part of `make bench`, which measures speed. Runs are kept in SEQBOOK_HOME, so a stopped one goes on where it was.
"""

import json

from seqbook import runs
from seqbook.results import FOLDER, commit

STEPS = {  # for each number of labels: with few, at most about six times through them
    "gpt-sentiment": {100: 40, 1_000: 300, 10_000: 300},
    "gpt-entailment": {400: 150, 2_000: 800, 10_000: 800},
    "gpt-multiple-choice": {10_000: 800},
    "gpt-similarity": {20_000: 2_500},
}
STARTS = {
    "from scratch": {"pretrained": False, "lm_weight": 0.0},
    "pretrained": {"pretrained": True, "lm_weight": 0.0},
    "with auxiliary loss": {"pretrained": True, "lm_weight": 0.5},
}
SEEDS = {"gpt-sentiment": 3, "gpt-entailment": 3, "gpt-multiple-choice": 1, "gpt-similarity": 1}
KEPT = ("accuracy", "loss", "majority", "compositional_accuracy", "steps", "seconds", "device")

if __name__ == "__main__":
    runs.run("gpt")  # what most of them begin with
    wanted = {
        (recipe, labels, start, seed): (recipe, settings | {"size": labels, "steps": steps, "seed": seed})
        for recipe, budgets in STEPS.items()
        for labels, steps in budgets.items()
        for start, settings in STARTS.items()
        for seed in range(SEEDS[recipe])
    }
    rows = []
    for (recipe, labels, start, seed), run in runs.run_all(wanted).items():
        row = {"recipe": recipe, "labels": labels, "start": start, "seed": seed}
        row |= {key: run.result[key] for key in KEPT}
        rows.append(row | {"val_losses": [step["val_loss"] for step in run.history if "val_loss" in step]})
    result = {"command": "python -m benchmarks.finetuning", "commit": commit(), "rows": rows}
    (FOLDER / "finetuning.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
