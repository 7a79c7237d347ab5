"""The residual stream: one vector per token, which every part of a block reads and adds its result to."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from matplotlib.axes import Axes
from matplotlib.patches import Circle

from seqbook.viz.drawings.canvas import BOLD, INK, arrow, box, finish, line, sheet, words


class Part(NamedTuple):
    """A part beside the stream; `added` and `after` are sizes of vectors (such as root mean squares), if known."""

    name: str
    added: float | None = None
    after: float | None = None


def residual_stream(
    parts: Sequence[Part | str],
    *,
    norm: Literal["pre", "post"] = "pre",
    start: float | None = None,
    measure: str = "size",
    final_norm: bool = False,
) -> Axes:
    """The stream from top to bottom, and beside it each part, which reads from it and adds its result.

    parts: names, or a `Part` with the size of what it adds and of the stream after it; start: the stream's size before
    the first part; measure: the name of these numbers. norm: "pre" if each part reads the stream through a norm, "post"
    if the stream itself is normalised after each sum.

    Raises:
        ValueError: no parts.
    """
    if not parts:
        raise ValueError("there is no part to draw: give at least one name")
    parts = [Part(part) if isinstance(part, str) else part for part in parts]
    numbers = start is not None or any(part.after is not None for part in parts)
    stream, beside, width = 0.95 if numbers else 0.35, 3.0, 4.4
    ax = sheet(width)
    words(ax, stream, 0.12, "embedding", **BOLD)
    y = 0.28
    if numbers:
        words(ax, stream - 0.2, y + 0.1, "" if start is None else f"{start:.2f}", 9, ha="right")
    for part in parts:
        fork, joint = y + 0.3, y + 0.75
        line(ax, (stream, y), (stream, joint - 0.1), linewidth=2.6, color="C0")
        arrow(ax, (stream, fork), (beside - 0.75, fork))
        if norm == "pre":
            arrow(ax, (stream, fork), (stream + 0.35, fork))
            box(ax, stream + 0.62, fork, "norm", "special", width=0.54, height=0.28, zorder=3)
        box(ax, beside, fork, part.name, _kind(part.name), width=1.5, height=0.32)
        arrow(ax, (beside, fork + 0.16), (beside, joint), (stream + 0.1, joint))
        ax.add_patch(Circle((stream, joint), 0.1, facecolor="white", edgecolor=INK, zorder=3))
        words(ax, stream, joint, "+", 11, zorder=4)
        if part.added is not None:
            words(ax, (beside + stream) / 2, joint - 0.12, f"adds {part.added:.2f}", 9)
        y = joint + 0.1
        if norm == "post":
            arrow(ax, (stream, y), (stream, y + 0.16), linewidth=2.6, color="C0")
            box(ax, stream, y + 0.3, "norm", "special", width=0.54, height=0.28)
            y += 0.44
        if part.after is not None:
            words(ax, stream - 0.2, y + 0.1, f"{part.after:.2f}", 9, ha="right")
    arrow(ax, (stream, y), (stream, y + 0.3), linewidth=2.6, color="C0")
    y += 0.3
    if final_norm:
        box(ax, stream, y + 0.14, "norm", "special", width=0.54, height=0.28)
        arrow(ax, (stream, y + 0.28), (stream, y + 0.5), linewidth=2.6, color="C0")
        y += 0.5
    words(ax, stream, y + 0.14, "output", **BOLD)
    if numbers:
        words(ax, stream - 0.35, y + 0.38, measure, 9, ha="left")
    return finish(ax, y + (0.55 if numbers else 0.32))


def _kind(name: str) -> str:
    return "context" if "cross" in name else "state" if "attention" in name else "gate"
