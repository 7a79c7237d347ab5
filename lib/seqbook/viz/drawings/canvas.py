"""Boxes, arrows and words for all drawings, on a sheet whose unit is an inch, with y downwards from 0."""

from collections.abc import Sequence
from unicodedata import east_asian_width

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch
from matplotlib.text import Text

import seqbook.viz.figures  # noqa: F401, it sets the style and the fonts

WIDTH = 4.4  # inches: still readable on a phone of 390 pixels
INK, FAINT = "#222222", "#8a8a8a"
BOLD = {"weight": "bold", "family": "DejaVu Sans"}  # the Chinese font has no bold
FILLS = {  # the kind of a box: its background and its edge
    "token": ("#ffffff", "#777777"),
    "special": ("#e4e4e4", "#777777"),
    "state": ("#d9e9f5", "C0"),
    "context": ("#f7e4ef", "C3"),
    "gate": ("#fbe5d6", "C1"),
    "written": ("#d9f0e7", "C2"),
}


def sheet(width: float = WIDTH) -> Axes:
    """Axes without a frame; `finish` sets their height when everything is drawn."""
    figure = plt.figure(figsize=(width, 1), layout="none")
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(1, 0))
    ax.set_axis_off()
    return ax


def finish(ax: Axes, height: float) -> Axes:
    """Cut the sheet at `height` inches."""
    width = ax.get_xlim()[1]
    ax.set(ylim=(height, 0), aspect="equal")
    ax.figure.set_size_inches(width, height)
    return ax


def text_width(text: str, size: float = 10) -> float:
    """The approximate width of a text in inches; a Chinese character is as wide as it is high."""
    ems = sum(1.0 if east_asian_width(c) in "WF" else 0.32 if c in "iljtf.,:;'|! " else 0.64 for c in text)
    return ems * size / 72


def words(ax: Axes, x: float, y: float, text: str, size: float = 10, **style) -> Text:
    style = {"ha": "center", "va": "center_baseline", "color": INK} | style
    return ax.text(x, y, text, fontsize=size, **style)


def box(
    ax: Axes, x: float, y: float, text: str, kind: str = "token", *, width: float, height: float = 0.26, **style
) -> None:
    """A rounded box with its middle at (x, y)."""
    fill, edge = FILLS[kind]
    look = {"facecolor": fill, "edgecolor": edge, "linewidth": 1.0} | style
    size, colour = look.pop("size", 10), look.pop("color", INK)
    ax.add_patch(rounded(x - width / 2, y - height / 2, width, height, **look))
    words(ax, x, y, text, size, color=colour, zorder=look.get("zorder", 3))


def rounded(x: float, y: float, width: float, height: float, **style) -> FancyBboxPatch:
    """The ground of a box whose corner with the lowest x and y is there."""
    return FancyBboxPatch((x, y), width, height, boxstyle="round,pad=0,rounding_size=0.06", **style)


def arrow(ax: Axes, *points: tuple[float, float], both: bool = False, **style) -> None:
    """An arrow along the points, straight between them; `both` gives it two heads."""
    look = {"color": INK, "linewidth": 1.1} | style
    line(ax, *points[:-1], **look)
    head = {"arrowstyle": "<|-|>" if both else "-|>", "shrinkA": 0, "shrinkB": 0, "mutation_scale": 9}
    ax.annotate("", points[-1], points[-2], arrowprops=head | look)


def line(ax: Axes, *points: tuple[float, float], **style) -> None:
    if len(points) > 1:
        look = {"color": INK, "linewidth": 1.1, "solid_capstyle": "butt"} | style
        ax.plot(*zip(*points, strict=True), **look)


def is_special(token: str) -> bool:
    """Whether a token is special, such as <bos>; these have their own background."""
    return len(token) > 2 and token[0] in "<[" and token[-1] in ">]"


def token_box(ax: Axes, x: float, y: float, token: str, kind: str | None = None, **style) -> None:
    """A token in a box of its width."""
    size = style.get("size", 10)
    width = style.pop("width", max(0.28, text_width(token, size) + 0.12))
    box(ax, x, y, token, kind or ("special" if is_special(token) else "token"), width=width, **style)


def pitch(tokens: Sequence[str], size: float = 10, least: float = 0.4) -> float:
    """The distance between the middles of boxes with these tokens, side by side."""
    return max([least, *(text_width(token, size) + 0.2 for token in tokens)])


def signed(number: float, digits: int = 2) -> str:
    """A number with a real minus sign, but without one before a zero."""
    text = f"{number:.{digits}f}"
    return text.replace("-", "−") if float(text) else text.lstrip("-")
