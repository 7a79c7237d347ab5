"""What an encoder reads and what its decoder writes, side by side."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from seqbook.viz.drawings.canvas import BOLD, FAINT, WIDTH, finish, sheet, text_width, token_box, words

_SIZE, _PITCH = 9.5, 0.34


def source_and_target(rows: Mapping[str, tuple[Sequence[str], Sequence[str]]], *, width: float = WIDTH) -> Axes:
    """A row for each name: the tokens of the source on the left, and those of the target on the right in green, because
    all of them are predicted and in the loss. Tokens that do not fit in a line continue in the next one.

    Raises:
        ValueError: no rows, or a row without source or target.
    """
    if not rows or not all(source and target for source, target in rows.values()):
        raise ValueError("give at least one row, with tokens for its source and its target")
    ax, left, right = sheet(width), 0.05, width / 2 + 0.1
    for x, title in ((left, "the encoder reads"), (right, "the decoder writes, in the loss")):
        words(ax, x, 0.12, title, 8.5, ha="left", color=FAINT)
    y = 0.4
    for name, (source, target) in rows.items():
        words(ax, left, y, name, ha="left", **BOLD)
        y += 0.3
        ends = [
            _tokens(ax, source, left, y, width / 2 - 0.05, None),
            _tokens(ax, target, right, y, width - 0.05, "written"),
        ]
        y = max(ends) + 0.42
    return finish(ax, y - 0.18)


def _tokens(ax: Axes, tokens: Sequence[str], left: float, y: float, limit: float, kind: str | None) -> float:
    """Draw tokens from `left` to `limit`, on as many lines as they need; returns the y of the last line."""
    x = left
    for token in tokens:
        wide = max(0.27, text_width(token, _SIZE) + 0.14)
        if x + wide > limit and x > left:
            x, y = left, y + _PITCH
        token_box(ax, x + wide / 2, y, token, kind, width=wide, size=_SIZE)
        x += wide + 0.05
    return y
