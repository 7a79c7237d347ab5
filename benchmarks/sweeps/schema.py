"""What a published sweep is: cases of recipes, or of an experiment that no recipe describes, each with some seeds."""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.corpora import folder_of

from seqbook import runs
from seqbook.recipes import RECIPES, Recipe, configure, describe
from seqbook.runs import published
from seqbook.runs.run import arguments


@dataclass(frozen=True)
class Case:
    """One recipe with its settings, which every seed of the sweep runs; `columns` are for the readers of the rows."""

    recipe: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, Any] = field(default_factory=dict)

    def key(self, seed: int) -> str:
        """What tells the rows of a sweep apart."""
        return json.dumps([self.recipe, self.settings, seed], sort_keys=True)

    def config(self) -> dict[str, Any]:
        """The whole configuration, that of the pretraining included, as JSON gives it back."""
        return json.loads(json.dumps(_told(configure(self.recipe, **self.settings))))

    def make(self, seed: int, measure: Callable[[runs.Run], dict[str, Any]] | None) -> dict[str, Any]:
        """Train, or find the trained run; what a published row keeps of it, with what `measure` finds."""
        corpus = configure(self.recipe, **self.settings).data.corpus
        data = folder_of(corpus)
        run = runs.run(self.recipe, seed=seed, data=data, **self.settings)
        command = ["python", "-m", "seqbook", *arguments(self.recipe, seed, self.settings)]
        command += [f"--data={corpus}"] if data else []  # the name of the folder, wherever the reader has it
        row = {"recipe": self.recipe, "settings": self.settings, "seed": seed, **self.columns}
        row |= {"command": shlex.join(command), "config": self.config()}
        row |= {key: value for key, value in run.result.items() if key not in row and key != "code"}
        row |= published.curve(run.history)
        return row | (measure(run) if measure else {})


@dataclass(frozen=True)
class Trial:
    """One setting of an experiment that no recipe describes: a function of the seed and of the settings, which returns
    what the row keeps. Its settings are its columns."""

    function: Callable[..., dict[str, Any]]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def key(self, seed: int) -> str:
        return json.dumps([self.function.__name__, self.settings, seed], sort_keys=True)

    def config(self) -> dict[str, Any]:
        return json.loads(json.dumps({"experiment": self.function.__name__} | dict(self.settings)))

    def make(self, seed: int, measure: None = None) -> dict[str, Any]:
        return {**self.settings, "seed": seed, "config": self.config(), **self.function(seed=seed, **self.settings)}


@dataclass(frozen=True)
class Sweep:
    """The rows of benchmarks/results/NAME.json: each case with each seed. measure: what rows keep beside the scores."""

    about: str
    cases: Sequence[Case | Trial]
    seeds: Sequence[int] = range(3)
    measure: Callable[[runs.Run], dict[str, Any]] | None = None


def rows_so_far(name: str) -> list[dict[str, Any]]:
    """The rows of a published sweep whose results another sweep builds on; none before its first row is made."""
    file = published.FOLDER / f"{name}.json"
    return published.read(name)["rows"] if file.is_file() else []


def best_rate(name: str, default: float, **columns: Any) -> float:
    """The learning rate of the row with the lowest validation loss among those of the sweep `name` that have these columns.

    default: the rate if there is no such row yet.
    """
    rows = [row for row in rows_so_far(name) if all(row[key] == value for key, value in columns.items())]
    if not rows:
        return default
    best = min(rows, key=lambda row: row["val_loss"])
    return best.get("settings", best)["learning_rate"]  # a Case has it among its settings, a Trial as a column


def _told(recipe: Recipe) -> dict[str, Any]:
    """What a result depends on: the recipe without its line for people, with the recipe that it starts from."""
    base = {"base": recipe.base and _told(RECIPES[recipe.base])}
    return {name: value for name, value in describe(recipe).items() if name != "about"} | base
