"""The kinds of figures that several chapters use. Each function returns its axes, so that a chapter can add to them."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

_FOLDER = Path(__file__).parent
for _font in (_FOLDER / "fonts").glob("*.[ot]tf"):  # for Chinese characters, which matplotlib's own font lacks
    font_manager.fontManager.addfont(_font)
plt.style.use(_FOLDER / "seqbook.mplstyle")

_MARKERS = "osD^vP"  # so that lines can be told apart without colours


def curves(
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    xlabel: str,
    ylabel: str,
    *,
    spreads: Mapping[str, tuple[Sequence[float], Sequence[float]]] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """One line (x, y) per name; `spreads` adds a band (lowest, highest) to lines, for example over several seeds."""
    ax = ax or plt.subplots()[1]
    for (name, (x, y)), marker in zip(lines.items(), _MARKERS * len(lines), strict=False):
        (line,) = ax.plot(x, y, marker=marker if len(x) < 40 else None, label=name)
        if spreads and name in spreads:
            ax.fill_between(x, *spreads[name], color=line.get_color(), alpha=0.15, linewidth=0)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    if len(lines) > 1:
        ax.legend()
    return ax


def panels(
    figures: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]],
    xlabel: str,
    *,
    spreads: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]] | None = None,
) -> list[Axes]:
    """`curves` side by side, one panel per measure: {title: its lines}, and spreads in the same form.

    Side by side they take less room on the page. The measure stands above its panel, and the legend above all panels,
    so that both panels stay wide enough for a phone.

    Raises:
        ValueError: no panel, or more than 3.
    """
    if not 1 <= len(figures) <= 3:
        raise ValueError(f"{len(figures)} panels: side by side there is room for 1 to 3")
    axes = _panels(len(figures), 3, width=2.45 if len(figures) > 1 else 4.9, height=2.8)
    for ax, (title, lines) in zip(axes, figures.items(), strict=True):
        curves(lines, xlabel, "", spreads=(spreads or {}).get(title), ax=ax)
        ax.set_title(title)
    names = max(map(list, figures.values()), key=len)
    if len(names) > 1 and all(list(lines) == names[: len(lines)] for lines in figures.values()):
        for ax in axes:
            if ax.get_legend():
                ax.get_legend().remove()
        all_of_them = next(ax for ax in axes if len(ax.lines) == len(names))
        columns = min(len(names), max(1, 56 // (max(map(len, names)) + 6)))  # 56 letters fit into the width
        axes[0].figure.legend(handles=all_of_them.lines, loc="outside upper center", ncols=columns)
    return axes


def bars(
    scores: Mapping[str, Mapping[str, float]],
    xlabel: str,
    *,
    spreads: Mapping[str, Mapping[str, tuple[float, float]]] | None = None,
    baseline: float | Mapping[str, float] | None = None,
    baseline_name: str = "majority",
    ax: Axes | None = None,
) -> Axes:
    """Groups of horizontal bars: {name of a series: {label of a group: score}}, from top to bottom.

    spreads: (lowest, highest) over several seeds, drawn as a thin line over the bar; baseline: a score without a model,
    one for all groups or one per group, drawn as a dashed line.
    """
    labels = list(dict.fromkeys(label for row in scores.values() for label in row))
    height = 0.8 / len(scores)
    ax = ax or plt.subplots(figsize=(4.6, (0.18 * len(scores) + 0.2) * len(labels) + 1.1))[1]
    for i, (name, row) in enumerate(scores.items()):
        places = {label: j + height * (i - (len(scores) - 1) / 2) for j, label in enumerate(labels) if label in row}
        ax.barh(list(places.values()), [row[label] for label in places], height=0.9 * height, label=name)
        for label, (lowest, highest) in ((spreads or {}).get(name) or {}).items():
            ax.plot([lowest, highest], [places[label]] * 2, color="black", linewidth=1.2, marker="|", markersize=6)
    if baseline is not None:
        each = baseline if isinstance(baseline, Mapping) else dict.fromkeys(labels, baseline)
        for j, label in enumerate(labels):
            if label in each:
                name = None if j else baseline_name
                ax.plot([each[label]] * 2, [j - 0.45, j + 0.45], color="black", linestyle=(0, (3, 2)), label=name)
    ax.set_yticks(range(len(labels)), labels)
    ax.set(xlabel=xlabel, ylim=(len(labels) - 0.5, -0.5))
    ax.grid(visible=False, axis="y")
    if len(scores) > 1 or baseline is not None:
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
    return ax


def grid(
    values: torch.Tensor,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    form: str = "{:.2f}",
    vmax: float = 1.0,
    ax: Axes | None = None,
) -> Axes:
    """Numbers (rows, columns) from 0 to `vmax` as shaded cells that contain the number, such as one value per head."""
    ax = ax or plt.subplots(figsize=(0.48 * len(columns) + 1.4, 0.32 * len(rows) + 0.8))[1]
    ax.imshow(values.tolist(), cmap="Blues", vmin=0, vmax=vmax, aspect="auto")
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(length=0)
    ax.grid(visible=False)
    for i, row in enumerate(values.tolist()):
        for j, value in enumerate(row):
            ink = "white" if value > 0.55 * vmax else "black"
            ax.text(j, i, form.format(value), ha="center", va="center", fontsize=9, color=ink)
    return ax


def training(histories: Mapping[str, Sequence[Mapping]], ax: Axes | None = None) -> Axes:
    """The training loss of each run (thin line) and its validation loss (markers), in nats per token."""
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
    """α (target, source) as shaded cells, one row per target token; the true `links` (source, target) as frames."""
    ax = ax or plt.subplots(figsize=(0.3 * len(sources) + 1.2, 0.26 * len(targets) + 1.1))[1]
    ax.imshow(weights.detach().cpu().numpy(), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    ax.set_xticks(range(len(sources)), sources, rotation=60, ha="left", rotation_mode="anchor")
    ax.set_yticks(range(len(targets)), targets)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.grid(visible=False)
    for i, j in links:
        ax.add_patch(Rectangle((i - 0.5, j - 0.5), 1, 1, fill=False, edgecolor="C1", linewidth=1.6))
    return ax


def heads(weights: torch.Tensor, sources: Sequence[str], targets: Sequence[str], *, columns: int = 2) -> list[Axes]:
    """Weights (heads, query, key) as shaded cells, one panel per head: `targets` are queries, `sources` are keys."""
    n = len(weights)
    panels = _panels(n, columns, width=0.26 * len(sources) + 0.7, height=0.22 * len(targets) + 0.9)
    for head, (ax, shades) in enumerate(zip(panels, weights, strict=True)):
        alignment(shades, sources, targets, ax=ax)
        ax.set_title(f"head {head}")
        ax.tick_params(labelleft=ax.get_subplotspec().is_first_col())
        ax.spines[:].set_visible(True)
    return panels


def masks(
    masks: Mapping[str, torch.Tensor], tokens: Sequence[str] | None = None, axes: Sequence[Axes] | None = None
) -> list[Axes]:
    """One panel per mask (query, key): a cell is dark if the query may attend to the key.

    tokens: names of the keys; the queries are the last ones of them, or all of them if the mask is square.

    Raises:
        ValueError: no mask or more than 8; a mask that is not (query, key); not one token for each key.
    """
    if not 1 <= len(masks) <= 8:
        raise ValueError(f"{len(masks)} masks: a figure holds 1 to 8")
    for name, mask in masks.items():
        if mask.dim() != 2:
            raise ValueError(f"mask {name!r} has shape {tuple(mask.shape)}: give (query, key), such as mask[0, 0]")
        if tokens is not None and len(tokens) != mask.shape[1]:
            raise ValueError(f"{len(tokens)} tokens for the {mask.shape[1]} keys of mask {name!r}: give one for each")
    if axes is None and tokens is None:
        axes = _panels(len(masks), 2, width=1.8, height=1.95)
    elif axes is None:
        axes = _panels(len(masks), 2, width=0.26 * len(tokens) + 1.2, height=0.26 * len(tokens) + 1.4)
    for ax, (name, mask) in zip(axes, masks.items(), strict=True):
        queries, keys = mask.shape
        ax.imshow(mask.cpu().numpy(), cmap="Blues", vmin=0, vmax=1.2)
        ax.set_xticks([x - 0.5 for x in range(1, keys)], minor=True)  # lines between the cells
        ax.set_yticks([y - 0.5 for y in range(1, queries)], minor=True)
        ax.grid(visible=False, which="major")
        ax.grid(visible=True, which="minor", color="#999999", linewidth=0.6)
        ax.tick_params(which="both", length=0)
        ax.spines[:].set_visible(True)
        if tokens is None:
            ax.set_xticks(range(0, keys, -(-keys // 8)))
            ax.set_yticks(range(0, queries, -(-queries // 8)))
        else:
            ax.set_xticks(range(keys), tokens, rotation=60, ha="right", rotation_mode="anchor")
            ax.set_yticks(range(queries), tokens[-queries:])
        ax.set(title=name, xlabel="key")
        if ax.get_subplotspec().is_first_col():
            ax.set_ylabel("query")
    return list(axes)


def _panels(n: int, columns: int, width: float, height: float) -> list[Axes]:
    """n axes in rows of at most `columns`, each `width` by `height` inches large."""
    columns = min(n, columns)
    rows = -(-n // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(width * columns, height * rows), squeeze=False)
    for unused in axes.flat[n:]:
        figure.delaxes(unused)
    return list(axes.flat[:n])


def scatter(points: torch.Tensor, groups: Sequence[str], texts: Sequence[str] = (), ax: Axes | None = None) -> Axes:
    """Points (n, 2), with a colour and a marker per group, and a text beside each point if texts are given.

    Points that share a text have it once, at their mean.
    """
    ax = ax or plt.subplots()[1]
    for group, marker in zip(dict.fromkeys(groups), _MARKERS * len(groups), strict=False):
        rows = [i for i, g in enumerate(groups) if g == group]
        ax.scatter(*points[rows].T.tolist(), marker=marker, label=group, alpha=0.75)
    for text in dict.fromkeys(texts):
        found = points[[i for i, t in enumerate(texts) if t == text]]
        alone = len(found) == 1
        where = {"xytext": (4, 4)} if alone else {"xytext": (0, 0), "ha": "center", "va": "center", "weight": "bold"}
        ax.annotate(text, tuple(found.mean(0).tolist()), textcoords="offset points", fontsize="small", **where)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.legend()
    return ax
