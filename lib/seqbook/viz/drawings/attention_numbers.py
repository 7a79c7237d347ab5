"""Attention for one sentence with all numbers: queries, keys, values, scores, weights and output."""

from collections.abc import Sequence

import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from torch import Tensor

from seqbook.viz.drawings.canvas import FAINT, INK, arrow, finish, sheet, signed, text_width, words

_CELL, _ROW = 0.43, 0.27  # the width and height of a number's cell, inches


def attention_numbers(
    tokens: Sequence[str], q: Tensor, k: Tensor, v: Tensor, *, mask: Tensor | None = None, query: int | None = None
) -> Axes:
    """softmax(q kᵀ / √d_k + mask) v with all its numbers, from top to bottom.

    q, k, v: (T, d), one row per token; mask: (T, T) boolean, True where the query may attend to the key; query: the row
    that is framed in every table.

    Raises:
        ValueError: shapes that do not fit, more than 6 tokens or 4 features (too small to read), a query that does not
            exist.
    """
    n, d = q.shape
    _check(tokens, q, k, v, mask, query)
    scores = q @ k.T / d**0.5  # (T, T)
    hidden = torch.zeros(n, n, dtype=torch.bool) if mask is None else ~mask
    weights = scores.masked_fill(hidden, -torch.inf).softmax(-1)
    names = max(text_width(token, 9) for token in tokens) + 0.12
    left = 0.05 + names
    wide, square = d * _CELL, n * _CELL
    width = max(left + 3 * wide + 0.6, left + 2 * square + 0.5) + 0.1

    ax = sheet(width)
    grid = _Grid(ax, list(tokens), query)
    high = n * _ROW
    step = (width - left - 0.1 - 3 * wide) / 2 + wide
    top = 0.42
    for i, (name, values) in enumerate({"queries Q": q, "keys K": k, "values V": v}.items()):
        grid.draw(left + i * step, top, values, name, signed_ground=True, names=i == 0, frame=i == 0)

    second = top + high + 0.75
    step = width - left - 0.1 - square
    grid.draw(left, second, scores, r"scores $QK^\top / \sqrt{d_k}$", signed_ground=True, hidden=hidden, keys=True)
    grid.draw(left + step, second, weights, "weights: softmax", names=False, hidden=hidden, keys=True)
    between = (second + high / 2, left + square + 0.04, left + step - 0.04)
    if between[2] - between[1] > 0.1:
        arrow(ax, (between[1], between[0]), (between[2], between[0]))

    third = second + high + 0.5
    grid.draw(left + step, third, weights @ v, "output: weights · V", names=False, signed_ground=True)
    for i, token in enumerate(tokens):
        words(ax, left + step - 0.08, third + (i + 0.5) * _ROW, token, 9, ha="right")
    if query is not None:
        words(ax, 0.05, third - 0.16, f"output of {tokens[query]!r}:", 9, ha="left")
        terms = [(w, token) for w, token in zip(weights[query].tolist(), tokens, strict=True) if w]
        for i, (weight, token) in enumerate(terms):
            sign = "  " if i == 0 else "+"
            words(ax, 0.05, third + (i + 0.5) * _ROW, f"{sign} {weight:.2f} · v({token})", 9, ha="left")
    return finish(ax, third + high + 0.1)


class _Grid:
    """Tables of numbers, each with its name, one row per token."""

    def __init__(self, ax: Axes, tokens: list[str], query: int | None):
        self.ax, self.tokens, self.query = ax, tokens, query

    def draw(
        self,
        left: float,
        top: float,
        values: Tensor,
        name: str,
        *,
        signed_ground: bool = False,
        names: bool = True,
        keys: bool = False,
        frame: bool = True,
        hidden: Tensor | None = None,
    ) -> None:
        rows, columns = values.shape
        largest = values.abs().max().item() or 1.0
        words(self.ax, left, top - (0.38 if keys else 0.16), name, 10, ha="left")
        for i in range(rows):
            if names:
                words(self.ax, left - 0.08, top + (i + 0.5) * _ROW, self.tokens[i], 9, ha="right")
            for j in range(columns):
                value = values[i, j].item()
                masked = hidden is not None and bool(hidden[i, j])
                share = value / (2.2 * largest) + 0.5 if signed_ground else 0.75 * value
                ground = "#eeeeee" if masked else colormaps["RdBu" if signed_ground else "Blues"](share)
                corner = (left + j * _CELL, top + i * _ROW)
                cell = Rectangle(corner, _CELL, _ROW, facecolor=ground, edgecolor="white", linewidth=1)
                self.ax.add_patch(cell)
                dark = not masked and sum(ground[:3]) < 1.5
                text = "−∞" if masked and signed_ground else signed(value)
                middle = (corner[0] + _CELL / 2, corner[1] + _ROW / 2)
                words(self.ax, *middle, text, 8.5, color="white" if dark else FAINT if masked else INK)
        if keys:
            for j, token in enumerate(self.tokens):
                size = 8 if text_width(token, 8) < _CELL else 7
                words(self.ax, left + (j + 0.5) * _CELL, top - 0.13, token, size)
        if frame and self.query is not None:
            corner = (left, top + self.query * _ROW)
            self.ax.add_patch(
                Rectangle(corner, columns * _CELL, _ROW, fill=False, edgecolor="C1", linewidth=2, zorder=3)
            )


def _check(tokens: Sequence[str], q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, query: int | None) -> None:
    n, d = q.shape
    for name, found in {"k": k, "v": v}.items():
        if found.shape != q.shape:
            raise ValueError(f"{name} is {tuple(found.shape)}, q is {tuple(q.shape)}: one sentence has one shape")
    if len(tokens) != n:
        raise ValueError(f"{len(tokens)} tokens for the {n} rows of q: give one for each")
    if n > 6 or d > 4:
        raise ValueError(f"{n} tokens with {d} features are too many to read: at most 6 and 4")
    if mask is not None and tuple(mask.shape) != (n, n):
        raise ValueError(f"mask is {tuple(mask.shape)}: give (query, key), ({n}, {n})")
    if query is not None and not 0 <= query < n:
        raise ValueError(f"query={query} is no row of q: choose 0 to {n - 1}")
