"""The kinds of figure that chapters share. Each returns its axes, so that a chapter can add a line of its own."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

_FOLDER = Path(__file__).parent
for _font in (_FOLDER / "fonts").glob("*.[ot]tf"):  # Chinese characters, which matplotlib's own font lacks
    font_manager.fontManager.addfont(_font)
plt.style.use(_FOLDER / "seqbook.mplstyle")

_MARKERS = "osD^vP"  # so that lines are told apart without their colours


def curves(
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    xlabel: str,
    ylabel: str,
    *,
    spreads: Mapping[str, tuple[Sequence[float], Sequence[float]]] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """One line a name, (x, y) each; `spreads` gives lines a band (lowest, highest), of several seeds say."""
    ax = ax or plt.subplots()[1]
    for (name, (x, y)), marker in zip(lines.items(), _MARKERS * len(lines), strict=False):
        (line,) = ax.plot(x, y, marker=marker if len(x) < 40 else None, label=name)
        if spreads and name in spreads:
            ax.fill_between(x, *spreads[name], color=line.get_color(), alpha=0.15, linewidth=0)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    if len(lines) > 1:
        ax.legend()
    return ax


def training(histories: Mapping[str, Sequence[Mapping]], ax: Axes | None = None) -> Axes:
    """The loss of each run's steps (thin) and its validation loss (marked), in nats per token."""
    ax = ax or plt.subplots()[1]
    for (name, history), marker in zip(histories.items(), _MARKERS * len(histories), strict=False):
        (line,) = ax.plot([row["step"] for row in history], [row["loss"] for row in history], linewidth=0.8, alpha=0.6)
        measured = [(row["step"], row["val_loss"]) for row in history if "val_loss" in row]
        ax.plot(*zip(*measured, strict=True), marker=marker, color=line.get_color(), label=name)
    ax.set(xlabel="step", ylabel="loss (nats per token)", ylim=(0, None))
    ax.legend(title="marks: validation")
    return ax


def alignment(
    weights: torch.Tensor,
    sources: Sequence[str],
    targets: Sequence[str],
    links: Collection[tuple[int, int]] = (),
    ax: Axes | None = None,
) -> Axes:
    """α (target, source) as shades, a row a target token; the true `links` (source, target) as frames."""
    ax = ax or plt.subplots(figsize=(0.42 * len(sources) + 1.5, 0.34 * len(targets) + 1.2))[1]
    ax.imshow(weights.detach().cpu().numpy(), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    ax.set_xticks(range(len(sources)), sources, rotation=60, ha="left", rotation_mode="anchor")
    ax.set_yticks(range(len(targets)), targets)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.grid(visible=False)
    for i, j in links:
        ax.add_patch(Rectangle((i - 0.5, j - 0.5), 1, 1, fill=False, edgecolor="C1", linewidth=1.6))
    return ax


def scatter(points: torch.Tensor, groups: Sequence[str], texts: Sequence[str] = (), ax: Axes | None = None) -> Axes:
    """Points (n, 2), a colour and a marker for each group, a text beside each point when there are texts."""
    ax = ax or plt.subplots()[1]
    for group, marker in zip(dict.fromkeys(groups), _MARKERS * len(groups), strict=False):
        rows = [i for i, g in enumerate(groups) if g == group]
        ax.scatter(*points[rows].T.tolist(), marker=marker, label=group, alpha=0.75)
    for (x, y), text in zip(points.tolist(), texts, strict=False):
        ax.annotate(text, (x, y), xytext=(4, 4), textcoords="offset points", fontsize="small")
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.legend()
    return ax
