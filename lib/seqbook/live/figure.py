"""The places of the live figures in the chapters. `book/_static/live/live.js` makes them work on the published page."""

import json
from collections.abc import Sequence
from html import escape
from typing import Literal, get_args

Kind = Literal["sampling", "translating", "filling", "mask-bench", "heads"]


class Html(str):
    """HTML that a notebook shows."""

    def _repr_html_(self) -> str:
        return str(self)


def figure(kind: Kind, model: str, caption: str, **settings: str | int) -> Html:
    """A figure in which the chapter's own model works: a sentence in its place until the page's reader starts it.

    model: the recipe, one of `export.GRAPHS`; settings: what the figure begins with, for example text="Anna had a key."

    Raises:
        ValueError: an unknown kind.
    """
    if kind not in get_args(Kind):
        raise ValueError(f"kind={kind!r}: choose one of {', '.join(get_args(Kind))}")
    return Html(
        f'<figure class="live" data-figure="{kind}" data-model="{escape(model)}" '
        f'data-settings="{escape(json.dumps(settings))}">'
        '<div class="live-body"><p>On the published page, the trained model works here. It needs JavaScript and a page that '
        "is served over HTTP (<code>make serve</code>), not opened as a file.</p></div>"
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def expect(name: str, question: str, choices: Sequence[str]) -> Html:
    """What do you expect? A choice before a result that surprises. It is kept in the reader's browser alone.

    name: tells the questions of the course apart.
    """
    options = "".join(
        f'<label><input type="radio" name="{escape(name)}" value="{i}"> {escape(choice)}</label>'
        for i, choice in enumerate(choices)
    )
    return Html(
        f'<fieldset class="live-expect" data-name="{escape(name)}"><legend>What do you expect? {escape(question)}</legend>'
        f"{options}</fieldset>"
    )
