"""Numbers that the text of a page quotes: kept by the cell that computed them, never typed."""

from collections.abc import Mapping

from IPython.display import display

_PREFIX = "application/papermill.record/"


def glue(name: str, value: object) -> None:
    """Keep `value` under `name` with the cell's output, where the page's text finds it as {glue:text}`name:.2f`.

    It does what myst_nb's own function does, without asking a reader in Colab to install the book's tools.
    """
    if hasattr(value, "item"):  # a scalar of NumPy or torch, whose repr is more than its number
        value = value.item()
    display(
        {f"{_PREFIX}text/plain": repr(value)}, metadata={"scrapbook": {"name": name, "mime_prefix": _PREFIX}}, raw=True
    )


def glue_all(values: Mapping[str, object], prefix: str = "") -> None:
    """Glue several values; `prefix` and a hyphen stand before each name: glue_all({"long": 3}, "c1") keeps c1-long."""
    for name, value in values.items():
        glue(f"{prefix}-{name}" if prefix else name, value)
