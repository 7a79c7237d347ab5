"""Attention at one step of a decoder with all numbers: scores, weights and the context."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from torch import Tensor

from seqbook.viz.drawings.attention_numbers import _CELL, _ROW, _Grid
from seqbook.viz.drawings.canvas import arrow, finish, sheet, text_width, words


def attention_step(tokens: Sequence[str], h: Tensor, s: Tensor) -> Axes:
    """Dot-product attention of one decoder state to all encoder states: s · h_j, their softmax α_j, and Σ_j α_j h_j.

    h: (source, d), one state per token; s: (d,), the state of the decoder.

    Raises:
        ValueError: shapes that do not fit, more than 6 tokens or 2 features (too wide for a phone).
    """
    m, d = h.shape
    if len(tokens) != m or s.shape != (d,):
        raise ValueError(f"{len(tokens)} tokens, h {tuple(h.shape)}, s {tuple(s.shape)}: give (S,), (S, d), (d,)")
    if m > 6 or d > 2:
        raise ValueError(f"{m} tokens with {d} features are too many: at most 6 and 2")
    scores = h @ s  # (S,)
    weights = scores.softmax(-1)
    left, gap, top = 0.15 + max(text_width(token, 9) for token in tokens), 0.66, 1.15
    second, third = left + d * _CELL + gap, left + (d + 1) * _CELL + 2 * gap
    ax = sheet(max(third + d * _CELL, 3.6) + 0.15)
    _Grid(ax, ["$s_i$"], None).draw(left, 0.32, s[None], "the decoder's state", signed_ground=True)
    grid = _Grid(ax, list(tokens), None)
    grid.draw(left, top, h, "states $h_j$", signed_ground=True)
    grid.draw(second, top, scores[:, None], "$s_i \\cdot h_j$", signed_ground=True, names=False)
    grid.draw(third, top, weights[:, None], "$\\alpha_{ij}$", names=False)
    middle, below = top + m * _ROW / 2, top + m * _ROW
    for name, x in zip(("dot $s_i$", "softmax"), (second, third), strict=True):
        words(ax, x - gap / 2, middle - 0.13, name, 9)
        arrow(ax, (x - gap + 0.06, middle), (x - 0.06, middle))

    lower = below + 0.75
    arrow(ax, (third + _CELL / 2, below + 0.06), (third + _CELL / 2, lower - 0.3))
    words(ax, third + _CELL / 2 - 0.08, below + 0.24, "times $h_j$", 9, ha="right")
    grid.draw(third, lower, weights[:, None] * h, "$\\alpha_{ij} h_j$", signed_ground=True, names=False)
    for i, token in enumerate(tokens):
        words(ax, third - 0.08, lower + (i + 0.5) * _ROW, token, 9, ha="right")
    foot = lower + m * _ROW + 0.25
    words(ax, third - 0.08, foot + 0.5 * _ROW, "sum: $c_i$", 10, ha="right")
    _Grid(ax, [""], 0).draw(third, foot, (weights @ h)[None], "", signed_ground=True, names=False)
    return finish(ax, foot + _ROW + 0.1)
