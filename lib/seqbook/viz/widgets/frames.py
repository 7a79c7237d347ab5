"""Pictures that a slider chooses from. All are drawn in advance, and the browser shows one, so no kernel is needed."""

import base64
from collections.abc import Sequence
from html import escape
from io import BytesIO

import ipywidgets
import matplotlib.pyplot as plt
from ipywidgets import HTML, Dropdown, IntSlider, SelectionSlider, Stack
from matplotlib.figure import Figure
from PIL import Image

_ROOM = {"description_width": "95px"}  # or longer names than 'padding' are cut


def picture(figure: Figure, caption: str, alt: str) -> HTML:
    """The figure as HTML, with the text `alt` for readers who cannot see it. The figure is then closed."""
    drawn, packed = BytesIO(), BytesIO()
    with plt.rc_context({"savefig.bbox": "standard"}):  # otherwise pictures would differ in size and jump
        figure.savefig(drawn)
    plt.close(figure)
    Image.open(drawn).convert("RGB").quantize(64).save(packed, "png", optimize=True)  # a third of the size
    source = f"data:image/png;base64,{base64.b64encode(packed.getvalue()).decode()}"
    return HTML(
        '<figure style="margin: 0; background: white">'
        f'<img alt="{escape(alt)}" src="{source}" style="max-width: 100%">'
        f'<figcaption style="color: black; line-height: 1.5; white-space: pre-line">{escape(caption)}</figcaption>'
        "</figure>"
    )


def slider(description: str, last: int) -> IntSlider:
    return IntSlider(value=0, min=0, max=last, description=description, style=_ROOM)


def choice(description: str, values: Sequence[float | str], first: int = 0) -> SelectionSlider:
    """A slider over values other than 0, 1, 2 …; a stack follows its `index`."""
    options = [(value if isinstance(value, str) else f"{value:g}", i) for i, value in enumerate(values)]
    return SelectionSlider(options=options, index=first, description=description, style=_ROOM)


def stack(
    control: IntSlider | Dropdown | SelectionSlider,
    trait: str,
    children: Sequence[ipywidgets.Widget],
    first: int = 0,
) -> Stack:
    """Shows the child with the number of the control. They are linked in the browser, so no Python is needed."""
    shown = Stack(children, selected_index=first)
    ipywidgets.jslink((control, trait), (shown, "selected_index"))
    return shown
