"""An LSTM cell: four small layers, of which three are gates, and the two vectors that go from step to step."""

from collections.abc import Mapping
from math import tanh

from matplotlib.axes import Axes
from matplotlib.patches import Circle

from seqbook.viz.drawings.canvas import FAINT, FILLS, INK, arrow, box, finish, line, sheet, signed, words

_NAMES = ("x", "h_before", "c_before", "i", "f", "g", "o", "c", "h")


def lstm_cell(values: Mapping[str, float] | None = None) -> Axes:
    """One step of an LSTM: C_t = forget_t · C_{t−1} + in_t · C̃_t, h_t = out_t · tanh(C_t).

    values: one feature of a real step, which is printed in the drawing, under torch's names: c_before, i, f, g, o, c, h,
    and optionally x and h_before. i, f and o are the gates after the sigmoid, g is the candidate C̃_t after tanh.

    Raises:
        ValueError: an unknown name, or numbers that do not satisfy the two equations.
    """
    values = dict(values or {})
    _check(values)
    x = {"f": 0.9, "i": 1.6, "g": 2.36, "o": 3.42}
    middle = (x["i"] + x["g"]) / 2
    cell, gates, bus, width = 0.55, 1.95, 2.45, 4.4
    ax = sheet(width)

    def number(name: str, at: tuple[float, float], **style) -> None:
        if name in values:
            words(ax, *at, signed(values[name]), 9, color="C0", **style)

    # the cell, along the top
    arrow(ax, (0.1, cell), (x["f"] - 0.12, cell), linewidth=2.2)
    arrow(ax, (x["f"] + 0.12, cell), (middle - 0.12, cell), linewidth=2.2)
    arrow(ax, (middle + 0.12, cell), (width - 0.05, cell), linewidth=2.2)
    words(ax, 0.1, cell - 0.18, "$C_{t-1}$", ha="left")
    words(ax, width - 0.05, cell - 0.18, "$C_t$", ha="right")
    number("c_before", (0.55, cell - 0.18), ha="left")
    number("c", (width - 0.3, cell - 0.18), ha="right")

    # the four layers, and what they read
    line(ax, (0.1, bus), (x["o"], bus), linewidth=1.6)
    words(ax, 0.1, bus - 0.16, "$h_{t-1}$", ha="left")
    number("h_before", (0.5, bus - 0.16), ha="left")
    arrow(ax, (0.35, bus + 0.42), (0.35, bus), linewidth=1.6)
    words(ax, 0.42, bus + 0.3, "$e_t$", ha="left")
    number("x", (0.7, bus + 0.3), ha="left")
    for name, at in x.items():
        arrow(ax, (at, bus), (at, gates + 0.16))
        kind = "state" if name == "g" else "gate"
        box(ax, at, gates, "tanh" if name == "g" else "σ", kind, width=0.5, height=0.32)

    # the cell state forgets, takes in the candidate, and is passed out
    arrow(ax, (x["f"], gates - 0.16), (x["f"], cell + 0.12))
    _circle(ax, x["f"], cell, "×")
    product = 1.2
    arrow(ax, (x["i"], gates - 0.16), (x["i"], product), (middle - 0.12, product))
    arrow(ax, (x["g"], gates - 0.16), (x["g"], product), (middle + 0.12, product))
    _circle(ax, middle, product, "×")
    arrow(ax, (middle, product - 0.12), (middle, cell + 0.12))
    _circle(ax, middle, cell, "+")
    shown = 3.75
    arrow(ax, (shown, cell), (shown, 0.9 - 0.13))
    box(ax, shown, 0.9, "tanh", "state", width=0.5, height=0.26)
    arrow(ax, (shown, 1.03), (shown, product + 0.13))
    arrow(ax, (x["o"], gates - 0.16), (x["o"], product + 0.25), (shown - 0.12, product + 0.25))
    _circle(ax, shown, product + 0.25, "×")
    arrow(ax, (shown, product + 0.37), (shown, bus), (width - 0.05, bus), linewidth=1.6)
    words(ax, width - 0.05, bus - 0.16, "$h_t$", ha="right")
    number("h", (width - 0.05, bus + 0.18), ha="right")

    for name, (symbol, what, place) in {
        "f": (r"$\mathrm{forget}_t$", "gate", (x["f"] + 0.07, 1.02)),
        "i": (r"$\mathrm{in}_t$", "gate", (x["i"] - 0.07, 1.55)),
        "g": (r"$\tilde{C}_t$", "candidate", (x["g"] + 0.07, 1.55)),
        "o": (r"$\mathrm{out}_t$", "gate", (x["o"] - 0.07, 1.55)),
    }.items():
        side = "right" if name in "io" else "left"
        words(ax, *place, symbol, ha=side)
        words(ax, place[0], place[1] + 0.17, what, 8, ha=side, color=FAINT)
        number(name, (place[0], place[1] - 0.17), ha=side)
    return finish(ax, bus + 0.5)


def _circle(ax: Axes, x: float, y: float, sign: str) -> None:
    ax.add_patch(Circle((x, y), 0.12, facecolor=FILLS["token"][0], edgecolor=INK, zorder=3))
    words(ax, x, y, sign, 11, zorder=4)


def _check(values: Mapping[str, float]) -> None:
    if unknown := values.keys() - set(_NAMES):
        raise ValueError(f"{sorted(unknown)} are no names of an LSTM's numbers: choose from {', '.join(_NAMES)}")
    if missing := {"c_before", "i", "f", "g", "o", "c", "h"} - values.keys() if values else set():
        raise ValueError(f"values lacks {sorted(missing)}")
    if values:
        c = values["f"] * values["c_before"] + values["i"] * values["g"]
        h = values["o"] * tanh(values["c"])
        for name, wanted in {"c": c, "h": h}.items():
            if abs(values[name] - wanted) > 1e-3:
                raise ValueError(f"{name}={values[name]:.4f} does not follow from the gates: they give {wanted:.4f}")
