"""What a model reads, what it predicts at each position, and which predictions are in the loss."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes

from seqbook.viz.drawings.canvas import BOLD, FAINT, WIDTH, arrow, finish, sheet, text_width, token_box, words

_SIZE = 9.5


class Row(NamedTuple):
    """The tokens that a model reads, and its prediction at each of them (None: no prediction).

    counted: which predictions are in the loss (None: all). shaded: positions drawn in the colour of `kind`, such as a
    prompt, a span, or the token that a head reads.
    """

    reads: Sequence[str]
    predicts: Sequence[str | None] | None = None
    counted: Sequence[bool] | None = None
    shaded: Sequence[int] = ()


def token_rows(
    rows: Mapping[str, Row | Sequence[str]], *, width: float = WIDTH, predicts: str = "predicts, in the loss"
) -> Axes:
    """Rows of tokens with their names. An arrow points down to each prediction; a green box is in the loss.

    A row that is wider than the drawing continues on the next line. A plain list of tokens is a row without
    predictions. predicts: what the legend calls the green boxes, for example where nothing is trained.

    Raises:
        ValueError: no rows, or predictions, or marks of the loss, that are not one per token.
    """
    if not rows:
        raise ValueError("there are no rows to draw: give at least one")
    rows = {name: row if isinstance(row, Row) else Row(row) for name, row in rows.items()}
    for name, row in rows.items():
        for what, given in {"predicts": row.predicts, "counted": row.counted}.items():
            if given is not None and len(given) != len(row.reads):
                raise ValueError(f"row {name!r}: {len(given)} entries in {what} for {len(row.reads)} tokens")
    ax = sheet(width)
    y = 0.12
    for name, row in rows.items():
        if name:
            words(ax, 0.05, y, name, ha="left", **BOLD)
            y += 0.3
        for columns in _lines(row, width - 0.1):
            _line(ax, row, columns, y)
            y += 0.92 if row.predicts and any(row.predicts[i] is not None for i in columns) else 0.38
        y += 0.08
    if any(row.predicts is not None for row in rows.values()):
        y = _legend(ax, rows, y, predicts)
    return finish(ax, y)


def _lines(row: Row, width: float) -> list[dict[int, tuple[float, float]]]:
    """{position: (middle, width)} of the boxes in each line."""
    lines: list[dict[int, tuple[float, float]]] = [{}]
    x = 0.05
    for i, token in enumerate(row.reads):
        below = row.predicts[i] if row.predicts is not None else None
        wide = max(0.27, text_width(token, _SIZE) + 0.1, text_width(below or "", _SIZE) + 0.1)
        if x + wide > 0.05 + width and lines[-1]:
            lines.append({})
            x = 0.05
        lines[-1][i] = (x + wide / 2, wide)
        x += wide + 0.06
    return lines


def _line(ax: Axes, row: Row, columns: Mapping[int, tuple[float, float]], y: float) -> None:
    for i, (x, wide) in columns.items():
        kind = "state" if i in row.shaded else None
        token_box(ax, x, y, row.reads[i], kind, width=wide, size=_SIZE)
        below = row.predicts[i] if row.predicts is not None else None
        if below is None:
            continue
        counts = row.counted is None or row.counted[i]
        arrow(ax, (x, y + 0.13), (x, y + 0.42), **({} if counts else {"color": FAINT, "linewidth": 0.8}))
        look = {} if counts else {"color": FAINT, "edgecolor": FAINT, "linestyle": (0, (3, 2))}
        token_box(ax, x, y + 0.55, below, "written" if counts else "token", width=wide, size=_SIZE, **look)


def _legend(ax: Axes, rows: Mapping[str, Row], y: float, predicts: str) -> float:
    """The legend of the boxes; returns the y below it."""
    uncounted = any(row.counted is not None and not all(row.counted) for row in rows.values())
    names = {"reads": ("token", {}), predicts: ("written", {})}
    if uncounted:
        look = {"edgecolor": FAINT, "linestyle": (0, (3, 2))}
        names["predicts, not in the loss"] = ("token", look)
    x, limit = 0.05, ax.get_xlim()[1]
    for name, (kind, look) in names.items():
        needed = 0.42 + text_width(name, 8.5)
        if x > 0.05 and x + needed > limit:
            x, y = 0.05, y + 0.22
        token_box(ax, x + 0.13, y, "", kind, width=0.22, height=0.15, **look)
        words(ax, x + 0.3, y, name, 8.5, ha="left", color=FAINT)
        x += needed + 0.08
    return y + 0.2
