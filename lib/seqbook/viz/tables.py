"""Tables that a page renders as tables: numbers with a format for each column, and texts side by side.

For means over seeds with their spread, see `runs.published.summary`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from pandas.io.formats.style import Styler


def table(
    rows: Mapping[Any, Mapping[str, Any] | Sequence[Any]], formats: Mapping[str, str], *, index: str = ""
) -> Styler:
    """One row per name; `formats` gives the columns in order, each with its format, such as "{:.1%}".

    A row has one value per column, in order or by name. Values that are None or missing stay empty. index: the title of
    the row names.

    Raises:
        ValueError: a row that does not have one value per column.
    """
    filled = {}
    for name, row in rows.items():
        if not isinstance(row, Mapping) and len(row) != len(formats):
            raise ValueError(f"row {name!r} has {len(row)} values for {len(formats)} columns: {', '.join(formats)}")
        filled[name] = [row.get(column) for column in formats] if isinstance(row, Mapping) else list(row)
    frame = pd.DataFrame.from_dict(filled, orient="index", columns=list(formats))
    return frame.rename_axis(columns=index or None).style.format(dict(formats), na_rep="")


def texts(rows: Sequence[Mapping[str, str]] | Mapping[str, Sequence[str]]) -> Styler:
    """Texts side by side, such as a source, its reference and outputs of models; left-aligned, with line breaks."""
    frame = pd.DataFrame(rows)
    looks = {"text-align": "left", "white-space": "normal", "vertical-align": "top"}
    heads = {"selector": "th", "props": [("text-align", "left")]}
    return frame.style.format(escape="html").hide(axis="index").set_properties(**looks).set_table_styles([heads])
