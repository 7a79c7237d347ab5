"""Tables that a page renders as tables: numbers with a format for each column, and texts side by side.

Means over seeds with their spread are `runs.published.summary`'s.
"""

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


def texts(rows: Sequence[Mapping[str, str]] | Mapping[str, Sequence[str]]) -> Styler:
    """Texts side by side, such as a source, its reference and what models write: left-aligned, whole, in lines that break."""
    frame = pd.DataFrame(rows)
    looks = {"text-align": "left", "white-space": "normal", "vertical-align": "top"}
    heads = {"selector": "th", "props": [("text-align", "left")]}
    return frame.style.hide(axis="index").set_properties(**looks).set_table_styles([heads])
