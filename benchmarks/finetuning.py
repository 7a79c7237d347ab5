"""Four tasks from random weights, from pretrained ones, and with the auxiliary loss (`python -m benchmarks.finetuning`).

The table of chapter 3.2: some label counts, three seeds. About two hours on two cores; no part of `make bench`, which
measures speed. Runs are kept in SEQBOOK_HOME, so a stopped one goes on where it was. Recipes that are named after the
command are run alone, and the others keep the rows they have.
"""

import json
import sys

from seqbook import runs
from seqbook.results import FOLDER, commit

STEPS = {  # for each number of labels: with few, at most about six times through them
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
SEEDS = range(3)
KEPT = ("accuracy", "loss", "majority", "compositional_accuracy", "steps", "seconds", "device")

if __name__ == "__main__":
    chosen, path = sys.argv[1:] or list(STEPS), FOLDER / "finetuning.json"
    runs.run("gpt")  # what most of them begin with
    wanted = {
        (recipe, labels, start, seed): (recipe, settings | {"size": labels, "steps": steps, "seed": seed})
        for recipe in chosen
        for labels, steps in STEPS[recipe].items()
        for start, settings in STARTS.items()
        for seed in SEEDS
    }
    before = json.loads(path.read_text(encoding="utf-8"))["rows"]
    rows = [row for row in before if row["recipe"] not in chosen]
    for (recipe, labels, start, seed), run in runs.run_all(wanted).items():
        row = {"recipe": recipe, "labels": labels, "start": start, "seed": seed, "commit": commit()}
        row |= {key: run.result[key] for key in KEPT}
        rows.append(row | {"val_losses": [step["val_loss"] for step in run.history if "val_loss" in step]})
    rows.sort(key=lambda row: list(STEPS).index(row["recipe"]))
    result = {"command": "python -m benchmarks.finetuning", "rows": rows}
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
