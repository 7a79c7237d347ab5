"""Numbers in the text of a page. They come from the cell that computed them, and are never typed by hand."""

from collections.abc import Mapping

from IPython.display import display

_PREFIX = "application/papermill.record/"


def glue(name: str, value: object) -> None:
    """Store `value` under `name` in the cell's output. The page's text shows it with {glue:text}`name:.2f`.

    It does the same as myst_nb's own function, but readers in Colab do not have to install the book's tools.
    """
    if hasattr(value, "item"):  # a scalar of NumPy or torch, whose repr shows more than the number
        value = value.item()
    display(
        {f"{_PREFIX}text/plain": repr(value)}, metadata={"scrapbook": {"name": name, "mime_prefix": _PREFIX}}, raw=True
    )


def glue_all(values: Mapping[str, object], prefix: str = "") -> None:
    """Glue several values, with `prefix` and a hyphen before each name: glue_all({"long": 3}, "c1") stores c1-long."""
    for name, value in values.items():
        glue(f"{prefix}-{name}" if prefix else name, value)
