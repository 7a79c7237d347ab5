"""A text whose tokens are shaded by one number each, such as the loss, a change, or an attention weight."""

from collections.abc import Sequence

from matplotlib import colormaps
from matplotlib.axes import Axes

from seqbook.viz.drawings.canvas import INK, WIDTH, finish, sheet, signed, text_width, token_box, words


def shaded_tokens(
    tokens: Sequence[str],
    values: Sequence[float],
    *,
    vmax: float | None = None,
    digits: int = 1,
    name: str = "",
    width: float = WIDTH,
) -> Axes:
    """Tokens in reading order, as many on a line as fit. A larger value gives a darker shade, and is printed below.

    vmax: the value of the darkest shade (None: the largest of `values`); name: the name of the numbers.

    Raises:
        ValueError: not one value per token, no values, or a value below 0.
    """
    values = [float(value) for value in values]
    if len(tokens) != len(values) or not values:
        raise ValueError(f"{len(values)} values for {len(tokens)} tokens: give one for each")
    if min(values) < 0:
        raise ValueError(f"a shade stands for a size, and {min(values):.2f} is below 0")
    vmax = vmax or max(values) or 1.0
    ax = sheet(width)
    x, y = 0.05, 0.18
    for token, value in zip(tokens, values, strict=True):
        number = signed(value, digits)
        wide = max(0.3, text_width(token, 9.5) + 0.1, text_width(number, 8) + 0.06)
        if x + wide > width - 0.05 and x > 0.05:
            x, y = 0.05, y + 0.52
        share = 0.8 * min(1.0, value / vmax)
        ground = {"facecolor": colormaps["Oranges"](share), "color": "white" if share > 0.6 else INK}
        token_box(ax, x + wide / 2, y, token, "token", width=wide, size=9.5, **ground)
        words(ax, x + wide / 2, y + 0.23, number, 8)
        x += wide + 0.05
    if name:
        words(ax, 0.05, y + 0.5, f"numbers: {name}", 9, ha="left")
    return finish(ax, y + (0.65 if name else 0.38))
