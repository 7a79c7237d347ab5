"""A row of GLM: its tokens, the two positions of each, and what is predicted."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from seqbook.viz.drawings.canvas import BOLD, FAINT, WIDTH, arrow, finish, line, sheet, text_width, token_box, words

_SIZE, _LEFT = 9, 0.72  # points; inches for the names of the lines


def blank_row(
    reads: Sequence[str],
    positions: Sequence[int],
    block_positions: Sequence[int],
    predicts: Sequence[str | None],
    *,
    n_prefix: int,
    width: float = WIDTH,
) -> Axes:
    """Part A in grey and part B in blue, with a line between them; a green box is in the loss.

    n_prefix: the number of tokens in part A.

    Raises:
        ValueError: not one position, block position and prediction (None: no prediction) for each token.
    """
    for name, given in {"positions": positions, "block_positions": block_positions, "predicts": predicts}.items():
        if len(given) != len(reads):
            raise ValueError(f"{len(given)} {name} for {len(reads)} tokens: give one for each")
    ax, step = sheet(width), (width - _LEFT - 0.05) / len(reads)
    names = {0.45: "reads", 0.75: "position", 0.97: "block pos.", 1.43: "predicts"}
    for y, name in names.items():
        words(ax, 0.04, y, name, 8.5, ha="left", color=FAINT)
    for i, (token, below) in enumerate(zip(reads, predicts, strict=True)):
        x = _LEFT + step * (i + 0.5)
        size = min(_SIZE, _SIZE * (step - 0.06) / max(text_width(token, _SIZE), text_width(below or "", _SIZE)))
        token_box(ax, x, 0.45, token, "state" if i >= n_prefix else "special", width=step - 0.03, size=size)
        words(ax, x, 0.75, str(positions[i]))
        words(ax, x, 0.97, str(block_positions[i]))
        if below is not None:
            arrow(ax, (x, 1.08), (x, 1.29))
            token_box(ax, x, 1.43, below, "written", width=step - 0.03, size=size)
    middle = _LEFT + step * n_prefix
    line(ax, (middle, 0.05), (middle, 1.58), color=FAINT, linewidth=0.8, linestyle=(0, (3, 2)))
    words(ax, (_LEFT + middle) / 2, 0.15, "part A", **BOLD)
    words(ax, (middle + width) / 2, 0.15, "part B", **BOLD)
    return finish(ax, 1.66)
