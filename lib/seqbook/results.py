"""What is said of a result beside its numbers: from which code, on which device; and the results that were published."""

import json
import subprocess
from pathlib import Path

import torch

from seqbook.train import device

PACKAGE = Path(__file__).parent


FOLDER = PACKAGE.parents[1] / "benchmarks" / "results"
ELSEWHERE = "These results lie in the repository, under benchmarks/results; the published page shows them."


def published(*names: str) -> str:
    """A table of results that the full scale gave, from the files in the repository's benchmarks/results."""
    if not FOLDER.is_dir():
        return ELSEWHERE
    lines = [f"{'':28}{'parameters':>12}{'nats':>7}{'BLEU':>7}{'exact':>7}{'minutes':>9}  device"]
    for name in names:
        result = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        lines.append(
            f"{name:28}{result['params']:>12,}{result['loss']:>7.2f}{result['bleu']:>7.1f}{result['exact_match']:>7.1%}"
            f"{result['seconds'] / 60:>9.0f}  {result['device']}"
        )
    return "\n".join(lines)


def finetuned() -> str:
    """The table of chapter 3.2: accuracy by task, number of labels and start, the mean of the seeds (lowest to highest)."""
    if not FOLDER.is_dir():
        return ELSEWHERE
    rows = json.loads((FOLDER / "finetuning.json").read_text(encoding="utf-8"))["rows"]
    starts = list(dict.fromkeys(row["start"] for row in rows))
    lines = [f"{'':20}{'labels':>7}{'majority':>10}" + "".join(f"{start:>22}" for start in starts)]
    for recipe, labels in dict.fromkeys((row["recipe"], row["labels"]) for row in rows):
        chosen = [row for row in rows if (row["recipe"], row["labels"]) == (recipe, labels)]
        line = f"{recipe:20}{labels:>7,}{sum(row['majority'] for row in chosen) / len(chosen):>10.1%}"
        for start in starts:
            found = [row["accuracy"] for row in chosen if row["start"] == start]
            spread = f"({min(found):.1%}–{max(found):.1%})" if len(found) > 1 else ""
            line += f"{sum(found) / len(found):>8.1%} {spread:13}"
        lines.append(line)
    return "\n".join(lines)


def commit() -> str:
    """The commit of the checkout that the package runs from, marked when its files differ; "" outside a checkout."""
    describe = ["git", "-C", str(PACKAGE), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        return subprocess.run(describe, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def device_name() -> str:
    """What the numbers were measured on, as people call it."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{device().type}, {torch.get_num_threads()} threads"
