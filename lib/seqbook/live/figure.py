"""The places of the live figures in the chapters. `book/_static/live/live.js` makes them work on the published page."""

import json
from collections.abc import Sequence
from html import escape
from typing import Literal, get_args

Kind = Literal[
    "sampling",
    "translating",
    "filling",
    "mask-bench",
    "masks",
    "classifying",
    "tagging",
    "heads",
    "timelapse",
    "prompting",
    "recompute",
    "families",
    "restoring",
    "answering",
    "tasks",
]


class Html(str):
    """HTML that a notebook shows."""

    def _repr_html_(self) -> str:
        return str(self)


def figure(kind: Kind, model: str | Sequence[str] | None, caption: str, **settings: str | int) -> Html:
    """A figure in which the chapter's own model works: a sentence in its place until the page's reader starts it.

    model: the recipe, one of `export.GRAPHS`, several of them, or None for a figure that needs no model and works at once;
    settings: what the figure begins with, for example text="Anna had a key."

    Raises:
        ValueError: an unknown kind.
    """
    if kind not in get_args(Kind):
        raise ValueError(f"kind={kind!r}: choose one of {', '.join(get_args(Kind))}")
    models = " ".join([model] if isinstance(model, str) else model or [])
    of_model = f' data-model="{escape(models)}"' if models else ""
    works = "the trained model works here" if models else "this figure can be changed"
    return Html(
        f'<figure class="live" data-figure="{kind}"{of_model} data-settings="{escape(json.dumps(settings))}">'
        f'<div class="live-body"><p>On the published page, {works}. It needs JavaScript and a page that '
        "is served over HTTP (<code>make serve</code>), not opened as a file.</p></div>"
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )
