"""How each output token changes when one source word is replaced by another."""

from collections.abc import Sequence

from ipywidgets import VBox
from matplotlib import colormaps
from matplotlib.axes import Axes
from torch import Tensor

from seqbook.viz.drawings.canvas import BOLD, INK, WIDTH, finish, sheet, signed, text_width, token_box, words
from seqbook.viz.widgets import frames


def perturbation_explorer(
    changes: Tensor, sources: Sequence[str], targets: Sequence[str], replacements: Sequence[str] | None = None
) -> VBox:
    """A slider over the source words. The darker a target token, the more its distribution changes with that word.

    changes: (target, source), total variations between 0 and 1; replacements: the word that replaces each source word.
    `viz.alignment(changes, sources, targets)` is the still picture.

    Raises:
        ValueError: changes or replacements that do not fit the tokens.
    """
    if tuple(changes.shape) != (len(targets), len(sources)):
        fitting = f"({len(targets)}, {len(sources)})"
        raise ValueError(f"changes {tuple(changes.shape)} don't fit the tokens: give (target, source), {fitting}")
    if replacements is not None and len(replacements) != len(sources):
        raise ValueError(f"{len(replacements)} replacements for {len(sources)} source words: give one for each")
    pictures = []
    for j, word in enumerate(sources):
        column = changes[:, j].tolist()
        new = replacements[j] if replacements is not None else None
        became = f"{word!r} becomes {new!r}" if new is not None else f"{word!r} is replaced"
        most = targets[int(changes[:, j].argmax())]
        alt = f"The token that changes most is {most}, by {max(column):.2f}."
        figure = _picture(sources, j, new, targets, column).figure
        pictures.append(frames.picture(figure, f"Word {j + 1}: {became}.", alt))
    word = frames.choice("word", [str(j + 1) for j in range(len(sources))])
    return VBox([word, frames.stack(word, "index", pictures)])


def _picture(
    sources: Sequence[str], replaced: int, new: str | None, targets: Sequence[str], column: Sequence[float]
) -> Axes:
    ax = sheet(WIDTH - 0.2)
    words(ax, 0.05, 0.12, "source", ha="left", **BOLD)
    widest = max([0.27, *(text_width(token, 9.5) + 0.1 for token in [*sources, new or ""])])
    y = _row(ax, sources, 0.4, lambda j: {"kind": "gate"} if j == replaced else {}, new and (replaced, new), widest)
    words(ax, 0.05, y, "target: total variation", ha="left", **BOLD)

    def shade(i: int) -> dict:
        share = 0.8 * column[i]
        return {"facecolor": colormaps["Oranges"](share), "color": "white" if share > 0.6 else INK}

    y = _row(ax, targets, y + 0.28, shade, None, 0.36, [signed(value) for value in column])
    return finish(ax, y)


def _row(ax, tokens, y, look, below, widest, numbers=None) -> float:
    """Boxes in reading order; returns the y below them."""
    x, right = 0.05, WIDTH - 0.25
    for i, token in enumerate(tokens):
        wide = max(0.27 if numbers is None else 0.36, text_width(token, 9.5) + 0.1)
        if below and i == below[0]:
            wide = max(wide, text_width(below[1], 9.5) + 0.1)
        if x + wide > right and x > 0.05:
            x, y = 0.05, y + (0.62 if numbers is None else 0.52)
        style = look(i)
        token_box(ax, x + wide / 2, y, token, style.pop("kind", "token"), width=wide, size=9.5, **style)
        if below and i == below[0]:
            words(ax, x + wide / 2, y + 0.25, below[1], 9.5, color="C1")
        if numbers is not None:
            words(ax, x + wide / 2, y + 0.23, numbers[i], 8)
        x += wide + 0.05
    return y + 0.58
