"""How the d_model features are split into heads and concatenated again."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.patches import Rectangle
from torch import Tensor

from seqbook.viz.drawings.canvas import BOLD, INK, WIDTH, arrow, box, finish, sheet, text_width, words


def heads_split(weights: Tensor, tokens: Sequence[str], d_model: int, *, keys: Sequence[str] | None = None) -> Axes:
    """One token's d_model features split into heads, the attention weights of each head, and the heads concatenated.

    weights: (heads, query, key), as `viz.record` returns them; tokens: the queries, and also the keys if `keys` is not
    given.

    Raises:
        ValueError: more than 6 heads, a d_model that is not a multiple of them, tokens that do not fit the weights.
    """
    n_heads, n_queries, n_keys = weights.shape
    keys = list(tokens if keys is None else keys)
    if not 1 <= n_heads <= 6:
        raise ValueError(f"{n_heads} heads: the drawing has room for 1 to 6")
    if d_model % n_heads:
        raise ValueError(f"d_model={d_model} is not a multiple of {n_heads} heads")
    if (n_queries, n_keys) != (len(tokens), len(keys)):
        raise ValueError(f"weights {tuple(weights.shape)} for {len(tokens)} queries and {len(keys)} keys")
    d_head = d_model // n_heads
    names = max(text_width(token, 9) for token in tokens) + 0.1
    left, right = 0.1 + names, WIDTH - 0.1
    gap = 0.16
    wide = (right - left - gap * (n_heads - 1)) / n_heads
    starts = [left + h * (wide + gap) for h in range(n_heads)]
    colours = [f"C{h}" for h in range(n_heads)]

    ax = sheet(WIDTH)
    words(ax, left, 0.12, f"one token: d_model = {d_model} features", ha="left", **BOLD)
    strip = (right - left) / n_heads
    for h, colour in enumerate(colours):
        _features(ax, left + h * strip, 0.28, strip, d_head, colour)
        words(ax, starts[h] + wide / 2, 0.95, f"head {h}", color=colour, **BOLD)
        arrow(ax, (left + (h + 0.5) * strip, 0.5), (starts[h] + wide / 2, 0.85), color=colour)
        _features(ax, starts[h], 1.07, wide, d_head, colour)
    words(ax, 0.1, 1.42, f"q, k, v: d_head = {d_model} / {n_heads} = {d_head} features each; weights:", ha="left")

    top = 1.58
    cell = min(wide / n_keys, 0.24)
    for h, colour in enumerate(colours):
        _map(ax, starts[h] + (wide - cell * n_keys) / 2, top, cell, weights[h], colour)
    for i, token in enumerate(tokens):
        words(
            ax, left - 0.06, top + (i + 0.5) * cell, token, 9.5 if cell > 0.17 else 8 if cell > 0.14 else 7, ha="right"
        )
    below = top + cell * n_queries + 0.08
    if n_heads <= 4 and cell >= 0.13:
        size = 9.5 if cell > 0.17 else 8
        deepest = max(text_width(key, size) for key in keys)
        for h in range(n_heads):
            for j, key in enumerate(keys):
                x = starts[h] + (wide - cell * n_keys) / 2 + (j + 0.5) * cell
                ax.text(x, below - 0.02, key, rotation=90, ha="center", va="top", fontsize=size, color=INK)
        below += deepest + 0.08
    for h, colour in enumerate(colours):
        arrow(ax, (starts[h] + wide / 2, below), (left + (h + 0.5) * strip, below + 0.3), color=colour)
        _features(ax, left + h * strip, below + 0.3, strip, d_head, colour)
    arrow(ax, ((left + right) / 2, below + 0.52), ((left + right) / 2, below + 0.72))
    box(ax, (left + right) / 2, below + 0.87, f"output matrix, {d_model} × {d_model}", "gate", width=2.2, height=0.3)
    return finish(ax, below + 1.12)


def _features(ax: Axes, x: float, y: float, width: float, n: int, colour: str) -> None:
    """A strip of n cells."""
    for i in range(n):
        corner = (x + i * width / n, y)
        ax.add_patch(Rectangle(corner, width / n, 0.22, facecolor=colour, edgecolor="white", linewidth=0.8, alpha=0.75))


def _map(ax: Axes, x: float, y: float, cell: float, weights: Tensor, colour: str) -> None:
    """Weights (query, key) as cells in shades of the head's colour."""
    shade = LinearSegmentedColormap.from_list("head", ["white", to_rgb(colour)])
    for i, row in enumerate(weights.tolist()):
        for j, weight in enumerate(row):
            corner = (x + j * cell, y + i * cell)
            ax.add_patch(Rectangle(corner, cell, cell, facecolor=shade(weight), edgecolor="#dddddd", linewidth=0.4))
    frame = (cell * weights.shape[1], cell * weights.shape[0])
    ax.add_patch(Rectangle((x, y), *frame, fill=False, edgecolor=colour, linewidth=1.2))
