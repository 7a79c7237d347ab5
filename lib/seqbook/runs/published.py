"""Published results of experiments that take longer than a chapter. Each file says how its result was made."""

import json
import subprocess
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import pandas as pd

PACKAGE = Path(__file__).parents[1]
FOLDER = PACKAGE.parents[1] / "benchmarks" / "results"


def read(name: str) -> dict[str, Any]:
    """Read the published result `name`.

    Raises:
        FileNotFoundError: the package was installed without the repository, which contains the results.
    """
    file = FOLDER / f"{name}.json"
    if not file.is_file():
        raise FileNotFoundError(
            f"there is no published result {file}: it is part of the repository, and the course's site shows it"
        )
    return json.loads(file.read_text(encoding="utf-8"))


TRANSLATION = {  # the measures of translation models
    "parameters": ("params", "{:,.0f}"),
    "learning rate": ("config.training.learning_rate", "{:.2g}"),
    "nats per token": ("loss", "{:.3f}"),
    "BLEU": ("bleu", "{:.1f}"),
    "exact match": ("exact_match", "{:.1%}"),
    "exact match, compositional": ("compositional_exact_match", "{:.1%}"),
    "seconds": ("seconds", "{:,.0f}"),
}


def table(
    name: str,
    by: str | Sequence[str],
    measures: Mapping[str, tuple[str, str]] = TRANSLATION,
    **only: Collection[Any],
) -> pd.DataFrame:
    """`summary` of the published sweep `name`. Without the repository, it says where to find the sweep.

    only: for each column, the allowed values, for example system=("rnn", "attention").

    Raises:
        ValueError: no row has these values; a column of `by` that no row has.
    """
    if not FOLDER.is_dir():  # in Colab, where the page must still run to its end
        return pd.DataFrame({"published": "in the repository and on its site"}, index=[name])
    return summary(rows(name, **only), by, measures)


def rows(name: str, **only: Collection[Any]) -> list[dict[str, Any]]:
    """The rows of the published sweep `name` that have the values in `only`, as in `table`. Without the repository, as in
    Colab, there are none.

    Raises:
        ValueError: no row has these values.
    """
    if not FOLDER.is_dir():
        return []
    found = [row for row in read(name)["rows"] if all(_column(row, key) in values for key, values in only.items())]
    if not found:
        raise ValueError(f"no row of {name} has {only}")
    return found


def agrees(value: float, published: Sequence[float]) -> bool:
    """Whether a number measured here fits the published numbers of several seeds: it lies between the lowest and the
    highest of them, or outside by no more than the difference of the two, or by no more than 15 % of their mean.

    A processor of another kind rounds otherwise, so a training ends elsewhere there, as with another seed. And three seeds
    can be close together by chance: without the 15 %, a further seed would not fit once in eight times. Without published
    numbers, as in Colab, the number fits.
    """
    if not published:
        return True
    lowest, highest = min(published), max(published)
    room = max(highest - lowest, 0.15 * abs(mean(published)))
    return lowest - room <= value <= highest + room


def summary(
    rows: Sequence[Mapping[str, Any]], by: str | Sequence[str], measures: Mapping[str, tuple[str, str]] = TRANSLATION
) -> pd.DataFrame:
    """A table with the mean of each measure over the seeds, and the lowest and highest value: "92.1% (91.5%–92.8%)".

    There is one row for each combination of the columns `by`. measures: {title: (column, format)}; a nested column is
    written with dots, "config.training.steps". A measure without values stays empty, and the spread is left out if all
    seeds have the same value.

    Raises:
        ValueError: a column of `by` that no row has.
    """
    by = [by] if isinstance(by, str) else list(by)
    for name in by:
        if rows and all(_column(row, name) is None for row in rows):
            raise ValueError(f"no row has the column {name!r}: choose one of {', '.join(rows[0])}")
    frame = pd.DataFrame([{name: _column(row, name) for name in by} for row in rows], columns=by)
    for title, (column, _) in measures.items():
        frame[title] = [_column(row, column) for row in rows]
    table = {}
    for key, group in frame.groupby(by, sort=False, dropna=False):
        table[key] = {title: _spread(group[title].dropna(), form) for title, (_, form) in measures.items()}
    index = pd.MultiIndex.from_tuples(table, names=by) if len(by) > 1 else pd.Index([k for (k,) in table], name=by[0])
    return pd.DataFrame(list(table.values()), index=index, columns=list(measures))


def _column(row: Mapping[str, Any], name: str) -> Any:
    """The value under a name or under a nested name; None if there is none."""
    value: Any = row
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _spread(values: pd.Series, form: str) -> str:
    if values.empty:
        return ""
    mean, low, high = (form.format(value) for value in (values.mean(), values.min(), values.max()))
    return mean if low == high else f"{mean} ({low}–{high})"


def spread(rows: Sequence[Mapping[str, Any]], by: Sequence[str], measure: str) -> pd.DataFrame:
    """Mean, lowest and highest value of `measure` over the seeds, for each combination of the columns in `by`."""
    grouped = pd.DataFrame(rows).groupby(list(by), sort=False)[measure]
    return grouped.agg(mean="mean", lowest="min", highest="max", seeds="count")


def curve(history: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """What a published row keeps of a training: the validation losses, and the steps after which they were measured."""
    evaluated = [step for step in history if "val_loss" in step]
    return {
        "val_losses": [step["val_loss"] for step in evaluated],
        "evaluated_at": [step["step"] for step in evaluated],
    }


def commit() -> str:
    """The commit of this checkout, marked if its files differ from the commit; "" without a checkout."""
    describe = ["git", "-C", str(PACKAGE), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        return subprocess.run(describe, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
