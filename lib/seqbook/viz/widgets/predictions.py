"""A text, and below it what one model or several predict: the picture of several widgets."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from seqbook.viz.drawings.canvas import BOLD, INK, WIDTH, finish, sheet, text_width, token_box, words


def predictions(
    tokens: Sequence[str],
    looks: Mapping[int, Mapping[str, Any]],
    shares: Mapping[str, Mapping[str, float]],
    *,
    right: str | None = None,
) -> Axes:
    """The tokens in reading order, and a bar for each word that a model predicts.

    looks: how some tokens are drawn, by their index; shares: for each model, the probabilities of its most probable words
    (a model named "" gets no title); right: the correct word, in bold.
    """
    ax = sheet(WIDTH - 0.2)
    x, y, edge = 0.05, 0.18, WIDTH - 0.3
    for i, token in enumerate(tokens):
        wide = max(0.27, text_width(token, 9.5) + 0.1)
        if x + wide > edge and x > 0.05:
            x, y = 0.05, y + 0.34
        token_box(ax, x + wide / 2, y, token, "state", width=wide, size=9.5, **looks.get(i, {}))
        x += wide + 0.05
    y += 0.42
    for k, (name, row) in enumerate(shares.items()):
        if name:
            words(ax, 0.05, y, name, ha="left", **BOLD)
            y += 0.26
        for token, share in row.items():
            words(ax, 1.1, y, token, 9.5, ha="right", **(BOLD if token == right else {}))
            ax.barh(y, 2.2 * share, height=0.17, left=1.2, color=f"C{k}")
            words(ax, 1.26 + 2.2 * share, y, f"{share:.0%}", 9, ha="left", color=INK)
            y += 0.24
        y += 0.1
    return finish(ax, y)
