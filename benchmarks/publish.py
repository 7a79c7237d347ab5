"""`make results`: the published sweeps, made anew. Each row says which recipe it ran, with which settings and seed, and where.

python -m benchmarks.publish [--again] [NAME...]

A sweep's runs are kept in SEQBOOK_HOME and go one at a time on each core, with one thread each. Rows are written as their
runs finish, so an interrupted sweep continues where it was. A row that still belongs to its recipe is kept, unless --again.
"""

import argparse
import json
import os
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import seqbook  # noqa: F401  before torch: it sets how threads wait

# isort: split
import torch

from seqbook import runs
from seqbook.recipes import RECIPES, Recipe, configure, describe
from seqbook.runs import published
from seqbook.runs.run import arguments
from seqbook.storage import writing


@dataclass(frozen=True)
class Case:
    """One recipe with its settings, which every seed of the sweep runs; `columns` are for the readers of the rows."""

    recipe: str
    settings: Mapping[str, Any]
    columns: Mapping[str, Any] = field(default_factory=dict)

    def config(self) -> dict[str, Any]:
        """The whole configuration, that of the pretraining included, as JSON gives it back."""
        return json.loads(json.dumps(_told(configure(self.recipe, **self.settings))))


def _told(recipe: Recipe) -> dict[str, Any]:
    """What a result depends on: the recipe without its line for people, with the recipe that it starts from."""
    base = {"base": recipe.base and _told(RECIPES[recipe.base])}
    return {name: value for name, value in describe(recipe).items() if name != "about"} | base


@dataclass(frozen=True)
class Sweep:
    """The rows of benchmarks/results/NAME.json: each case with each seed."""

    about: str
    cases: Sequence[Case]
    seeds: Sequence[int] = range(3)


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
    "prompting-sizes": Sweep(
        "Chapter 3.3: the language model of stories and tasks in four widths.",
        [
            Case("gpt-prompting", {"d_model": d_model, "n_heads": n_heads})
            for d_model, n_heads in ((128, 4), (64, 2), (32, 1), (16, 1))
        ],
    ),
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


def publish(name: str, again: bool = False) -> None:
    """Make the rows of a sweep that are missing, or all of them, and write benchmarks/results/NAME.json."""
    sweep, file, commit = SWEEPS[name], published.FOLDER / f"{name}.json", published.commit()
    wanted = {key_of(case.recipe, case.settings, seed): case for case in sweep.cases for seed in sweep.seeds}
    rows = {}
    if file.is_file() and not again:
        for row in json.loads(file.read_text(encoding="utf-8"))["rows"]:
            key = key_of(row["recipe"], row["settings"], row["seed"])
            if key in wanted and row["config"] == wanted[key].config():
                rows[key] = row

    def write() -> None:
        about = {"about": sweep.about, "command": f"python -m benchmarks.publish {name}"}
        with writing(file) as scratch:
            scratch.write_text(as_text(about, [rows[key] for key in wanted if key in rows]), encoding="utf-8")

    write()
    missing = [key for key in wanted if key not in rows]
    print(f"{name}: {len(rows)} rows are kept, {len(missing)} are to be made", flush=True)
    at_once = os.cpu_count() or 1
    for some in (missing[i : i + at_once] for i in range(0, len(missing), at_once)):
        # Each batch waits for its slowest run, but the seeds of one case take about the same time.
        made = runs.run_all({key: (key[0], wanted[key].settings | {"seed": key[2]}) for key in some})
        for key, run in made.items():
            rows[key] = row_of(wanted[key], key[2], run, commit)
            print(f"  {rows[key]['command']}: val_loss {run.result['val_loss']:.3f}", flush=True)
        write()


def key_of(recipe: str, settings: Mapping[str, Any], seed: int) -> tuple[str, str, int]:
    """What tells the rows of a sweep apart."""
    return recipe, json.dumps(settings, sort_keys=True), seed


def row_of(case: Case, seed: int, run: runs.Run, commit: str) -> dict[str, Any]:
    """What a published row keeps of a run."""
    command = shlex.join(["python", "-m", "seqbook", *arguments(case.recipe, seed, case.settings)])
    row = {"recipe": case.recipe, "settings": case.settings, "seed": seed, **case.columns}
    row |= {"command": command, "commit": commit, "config": case.config()}
    row |= {key: value for key, value in run.result.items() if key not in row and key != "code"}
    return row | {"val_losses": [step["val_loss"] for step in run.history if "val_loss" in step]}


def as_text(about: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> str:
    """JSON with a line for each row, so that a new row changes one line."""
    head = json.dumps(about, indent=1).removesuffix("\n}")
    return head + ',\n "rows": [\n' + ",\n".join(f"  {json.dumps(row)}" for row in rows) + "\n ]\n}\n"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.publish", description=__doc__.partition("\n")[0])
    parser.add_argument("name", nargs="*", help=f"{', '.join(SWEEPS)} (default: all)")
    parser.add_argument("--again", action="store_true", help="make the rows again that still belong to their recipes")
    options = parser.parse_args(argv)
    for name in options.name:
        if name not in SWEEPS:
            print(f"publish: unknown sweep {name!r}: choose one of {', '.join(SWEEPS)}", file=sys.stderr)
            return 2
    torch.set_num_threads(1)  # where a run is left alone, it has one thread like all the others
    for name in options.name or SWEEPS:
        publish(name, options.again)
    return 0


if __name__ == "__main__":
    sys.exit(main())
