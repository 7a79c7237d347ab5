"""Pictures that a slider chooses from: each state is drawn beforehand, and the browser shows one. No kernel is needed."""

import base64
from collections.abc import Sequence
from html import escape
from io import BytesIO

import ipywidgets
import matplotlib.pyplot as plt
from ipywidgets import HTML, Dropdown, IntSlider, SelectionSlider, Stack
from matplotlib.figure import Figure
from PIL import Image


def picture(figure: Figure, caption: str, alt: str) -> HTML:
    """The figure as HTML, closed; readers who can't see it are told `alt`."""
    drawn, packed = BytesIO(), BytesIO()
    with plt.rc_context({"savefig.bbox": "standard"}):  # cut to their contents, pictures would differ in size and jump
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
    return IntSlider(value=0, min=0, max=last, description=description)


def choice(description: str, values: Sequence[float | str], first: int = 0) -> SelectionSlider:
    """A slider over values that are not 0, 1, 2 …; its `index` is what a stack follows."""
    options = [(value if isinstance(value, str) else f"{value:g}", i) for i, value in enumerate(values)]
    return SelectionSlider(options=options, index=first, description=description)


def stack(
    control: IntSlider | Dropdown | SelectionSlider,
    trait: str,
    children: Sequence[ipywidgets.Widget],
    first: int = 0,
) -> Stack:
    """Shows the child whose number is the control's; tied in the browser, where no Python is needed."""
    shown = Stack(children, selected_index=first)
    ipywidgets.jslink((control, trait), (shown, "selected_index"))
    return shown
