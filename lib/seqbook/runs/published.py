"""Results that took longer than a chapter: read from benchmarks/results, each with how it was made."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

PACKAGE = Path(__file__).parents[1]
FOLDER = PACKAGE.parents[1] / "benchmarks" / "results"


def read(name: str) -> dict[str, Any]:
    """The published result `name`.

    Raises:
        FileNotFoundError: the package was installed without the repository that holds it.
    """
    file = FOLDER / f"{name}.json"
    if not file.is_file():
        raise FileNotFoundError(
            f"there is no published result {file}: it is part of the repository, and the course's site shows it"
        )
    return json.loads(file.read_text(encoding="utf-8"))


def translations(*names: str) -> pd.DataFrame:
    """A table of published translation runs, one row each; of places to look where the repository is missing."""
    if not FOLDER.is_dir():  # in Colab, where a page has to run on to its end
        return pd.DataFrame({"published": "in the repository and on its site"}, index=list(names))
    rows = {}
    for name in names:
        result = read(name)
        rows[name] = {
            "parameters": f"{result['params']:,}",
            "nats per token": f"{result['loss']:.2f}",
            "BLEU": f"{result['bleu']:.1f}",
            "exact match": f"{result['exact_match']:.1%}",
            "minutes": f"{result['seconds'] / 60:.0f}",
            "device": result["device"],
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def spread(rows: Sequence[Mapping[str, Any]], by: Sequence[str], measure: str) -> pd.DataFrame:
    """Mean, lowest and highest value of `measure` over the seeds, for each combination of the columns in `by`."""
    grouped = pd.DataFrame(rows).groupby(list(by), sort=False)[measure]
    return grouped.agg(mean="mean", lowest="min", highest="max", seeds="count")


def commit() -> str:
    """The commit of the checkout that the package runs from, marked if its files differ from it; "" without a checkout."""
    describe = ["git", "-C", str(PACKAGE), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        return subprocess.run(describe, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
