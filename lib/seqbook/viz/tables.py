"""Tables that a page renders as tables: numbers with a format for each column, means with their spread, and texts."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from pandas.io.formats.style import Styler


def table(
    rows: Mapping[Any, Mapping[str, Any] | Sequence[Any]], formats: Mapping[str, str], *, index: str = ""
) -> Styler:
    """One row per name; `formats` gives the columns in their order, each with its format, such as "{:.1%}".

    A row is a value for each column, in order or by name; what is None or missing stays empty. index: what the rows are.

    Raises:
        ValueError: a row of values that are not one for each column.
    """
    filled = {}
    for name, row in rows.items():
        if not isinstance(row, Mapping) and len(row) != len(formats):
            raise ValueError(f"row {name!r} has {len(row)} values for {len(formats)} columns: {', '.join(formats)}")
        filled[name] = [row.get(column) for column in formats] if isinstance(row, Mapping) else list(row)
    frame = pd.DataFrame.from_dict(filled, orient="index", columns=list(formats))
    return frame.rename_axis(columns=index or None).style.format(dict(formats), na_rep="")


def spread_table(
    rows: Sequence[Mapping[str, Any]], by: str | Sequence[str], measures: Mapping[str, tuple[str, str]]
) -> pd.DataFrame:
    """Published rows, grouped by the columns `by`: each field is the mean of the seeds (lowest–highest).

    rows: one per seed; measures: {title of a column: (key of the rows, format of a number)}, such as
    {"exact match": ("exact_match", "{:.1%}")}. A measure that some rows don't have is left empty there. The order is that
    of the rows.
    """
    keys = [by] if isinstance(by, str) else list(by)
    grouped = pd.DataFrame(rows).groupby(keys if len(keys) > 1 else keys[0], sort=False)
    return pd.DataFrame(
        {
            title: grouped[key].agg(lambda values, form=form: spread(values, form))
            for title, (key, form) in measures.items()
        }
    )


def spread(values: Sequence[float], form: str = "{:.2f}") -> str:
    """The mean of several values (lowest–highest), each in the given format; a % stands once, at the end."""
    values = pd.Series(list(values), dtype=float).dropna()
    if values.empty:
        return ""
    mean, lowest, highest = (form.format(value) for value in (values.mean(), values.min(), values.max()))
    if len(values) == 1:
        return mean
    percent = " %" if mean.endswith("%") else ""
    return f"{mean.rstrip(' %')} ({lowest.rstrip(' %')}–{highest.rstrip(' %')}){percent}"


def texts(rows: Sequence[Mapping[str, str]] | Mapping[str, Sequence[str]]) -> Styler:
    """Texts side by side, such as a source, its reference and what models write: left-aligned, whole, in lines that break."""
    frame = pd.DataFrame(rows)
    looks = {"text-align": "left", "white-space": "normal", "vertical-align": "top"}
    heads = {"selector": "th", "props": [("text-align", "left")]}
    return frame.style.hide(axis="index").set_properties(**looks).set_table_styles([heads])
