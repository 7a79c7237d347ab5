"""An encoder and a decoder, unrolled: one column for each step."""

from collections.abc import Sequence
from typing import Literal

import torch
from matplotlib.axes import Axes

from seqbook.viz.drawings.canvas import (
    BOLD,
    FAINT,
    WIDTH,
    arrow,
    box,
    finish,
    line,
    pitch,
    sheet,
    text_width,
    token_box,
    words,
)

_READ, _ENCODER = 0.38, 0.95  # how far down the rows are, in inches
_SIDE = {"start": 0.0, "state": 0.1, "output": 0.23}  # distance of the context's arrow from the middle of a step
_CONTEXT = {"color": "C3", "linewidth": 1.6}


def unrolled(
    sources: Sequence[str],
    targets: Sequence[str],
    *,
    context: Literal["start", "state", "output"] = "output",
    weights: torch.Tensor | None = None,
    step: int = 0,
    query: Literal["same", "previous"] = "same",
    bidirectional: bool = False,
) -> Axes:
    """The tokens that an encoder reads and a decoder generates, with the context between them.

    sources: the tokens in the order in which the encoder reads them; targets: the generated tokens, without `<bos>`.
    context: where the decoder reads it: only as its first state ("start"), at every step together with the input token
    ("state"), or at every step together with its own state, before the output layer ("output").
    weights: of attention, (target, source). The drawing then shows the context of target `step`, counted from 0, as a
    weighted mean of all states; `query`: whether the state of the same step attends, or the state before it.

    Raises:
        ValueError: no tokens; weights that do not fit the tokens, weights with context "start", or a step that does not
            exist.
    """
    if not sources or not targets:
        raise ValueError(f"{len(sources)} source and {len(targets)} target tokens: give at least one of each")
    if weights is not None:
        _check(weights, sources, targets, step, context)
    across = pitch(sources)
    steps = [max(0.45, text_width(token) + 0.2) for token in ["<bos>", *targets]]  # one column per step
    room = 0.5 if weights is None else 0.0  # for the context, right of the last state
    width = max(WIDTH, 0.2 + len(sources) * across + room, 0.2 + sum(steps))
    indent = 0.1 if weights is None else (width - len(sources) * across) / 2
    encoder = [indent + (j + 0.5) * across for j in range(len(sources))]
    start = (width - sum(steps)) / 2
    bos, *decoder = [start + sum(steps[:i]) + wide / 2 for i, wide in enumerate(steps)]
    states = _ENCODER + (1.0 if weights is None else 1.35)  # the row of the decoder's states

    ax = sheet(width)
    words(ax, 0.1, 0.1, "encoder", ha="left", **BOLD)
    for j, (x, token) in enumerate(zip(encoder, sources, strict=True)):
        token_box(ax, x, _READ, token)
        arrow(ax, (x, _READ + 0.13), (x, _ENCODER - 0.15))
        box(ax, x, _ENCODER, f"$h_{{{j + 1}}}$", "state", width=0.34, height=0.3)
        if j:
            arrow(ax, (encoder[j - 1] + 0.17, _ENCODER), (x - 0.17, _ENCODER), both=bidirectional)

    words(ax, 0.1, states - 0.33 if weights is None else states, "decoder", ha="left", **BOLD)
    token_box(ax, bos, states + 0.75, "<bos>")
    for i, (x, token) in enumerate(zip(decoder, targets, strict=True)):
        box(ax, x, states, f"$s_{{{i + 1}}}$", "written", width=0.34, height=0.3)
        arrow(ax, (x, states + 0.15), (x, states + 0.62))
        before = decoder[i - 1] if i else bos
        arrow(ax, (before + 0.1, states + 0.62), (x - 0.13, states + 0.15), color=FAINT, linewidth=0.9)
        if i:
            arrow(ax, (before + 0.17, states), (x - 0.17, states))
        token_box(ax, x, states + 0.75, token)

    if weights is None:
        _one_context(ax, encoder, decoder, states, context, bidirectional)
    else:
        _attention(ax, encoder, decoder, states, weights[step].tolist(), step, context, query)
    return finish(ax, states + 0.95)


def _one_context(
    ax: Axes, encoder: list[float], decoder: list[float], states: float, context: str, bidirectional: bool
) -> None:
    """The last state (of both directions, if there are two) goes to the decoder."""
    c, bus = encoder[-1] + 0.5, states - 0.52
    box(ax, c, _ENCODER, "$c$", "context", width=0.3, height=0.3)
    arrow(ax, (encoder[-1] + 0.17, _ENCODER), (c - 0.15, _ENCODER), **_CONTEXT)
    if bidirectional:  # the state at the first token is the last of the direction that reads backwards
        below, x = _ENCODER + 0.28, c - 0.08
        arrow(ax, (encoder[0], _ENCODER + 0.15), (encoder[0], below), (x, below), (x, _ENCODER + 0.15), **_CONTEXT)
    ends = [] if context == "start" else [x + _SIDE[context] for x in decoder]
    exit_ = c + (0.07 if bidirectional else 0.0)
    line(ax, (exit_, _ENCODER + 0.15), (exit_, bus), **_CONTEXT)
    line(ax, (min(exit_, decoder[0]), bus), (max([exit_, decoder[0], *ends]), bus), **_CONTEXT)
    arrow(ax, (decoder[0], bus), (decoder[0], states - 0.15), **_CONTEXT)
    if context != "start":
        for x in decoder:
            _hand_over(ax, (x + _SIDE[context], bus), x, states, context)


def _hand_over(ax: Axes, start: tuple[float, float], x: float, states: float, context: str) -> None:
    """The arrow from `start` to the step at `x`: into the recurrence, or to its state."""
    lane, joint = x + _SIDE[context], states + 0.33
    if context == "state":
        arrow(ax, start, (lane, states - 0.15), **_CONTEXT)
        return
    arrow(ax, start, (lane, start[1]), (lane, joint), (x + 0.06, joint), **_CONTEXT)
    ax.plot(x, joint, "o", markersize=7, markerfacecolor="white", markeredgecolor="C3", zorder=3)


def _attention(
    ax: Axes,
    encoder: list[float],
    decoder: list[float],
    states: float,
    shares: list[float],
    step: int,
    context: str,
    query: str,
) -> None:
    """The weighted mean of all states at one step."""
    x, y = decoder[step], states - 0.5
    for h, share in zip(encoder, shares, strict=True):
        line(ax, (h, _ENCODER + 0.15), (x, y), color="C3", linewidth=0.5 + 4.5 * share, alpha=0.35 + 0.65 * share)
        plate = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
        words(ax, h, _ENCODER + 0.27, f"{share:.2f}", 9, bbox=plate)
    box(ax, x, y, f"$c_{{{step + 1}}}$", "context", width=0.34, height=0.28, zorder=3)
    leaves = (x + 0.1, y + 0.14) if context == "state" else (x + 0.17, y)
    _hand_over(ax, leaves, x, states, context)
    asks = {"color": "C0", "linestyle": (0, (2, 1.5))}
    if query == "same":
        arrow(ax, (x - 0.08, states - 0.15), (x - 0.08, y + 0.14), **asks)
    elif step:
        arrow(ax, (decoder[step - 1], states - 0.15), (x - 0.17, y + 0.05), **asks)


def _check(weights: torch.Tensor, sources: Sequence[str], targets: Sequence[str], step: int, context: str) -> None:
    if tuple(weights.shape) != (len(targets), len(sources)):
        fitting = f"({len(targets)}, {len(sources)})"
        raise ValueError(f"weights {tuple(weights.shape)} don't fit the tokens: give (target, source), {fitting}")
    if not 0 <= step < len(targets):
        raise ValueError(f"step={step} is not a target: choose 0 to {len(targets) - 1}")
    if context == "start":
        raise ValueError('attention has a context for every step: give context="state" or "output"')
