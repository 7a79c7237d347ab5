"""What the repository is: the pages that `_toc.yml` names, and the address in `_config.yml` with all that repeats it.

python tools/repository.py URL    give a fork its own address: what `make set-repository URL=…` runs
"""

import re
import sys
from pathlib import Path

import nbformat
import yaml

ROOT = Path(__file__).parents[1]
ADDRESS = re.compile(r"https://[\w.-]+/[\w.-]+/[\w.-]+", re.ASCII)

# Colab opens a notebook alone, without the repository around it. Beside a clone of it called seqbook, `import seqbook` would
# take that folder for a package without files, whose spec has no origin. A file seqbook.py, or a folder with another package,
# would be imported in place of ours.
SETUP_CELL = """\
import importlib.util
from pathlib import Path

found = getattr(importlib.util.find_spec("seqbook"), "origin", None)
if found is None:
    %pip install -q "git+{address}"
elif Path(found).parent in (Path.cwd(), Path.cwd() / "seqbook"):
    raise ImportError(f"{{found}} hides the course's package: rename it")
import seqbook  # noqa: E402, F401, before torch: it sets how torch's threads wait"""


def pages(root: Path = ROOT) -> list[str]:
    """Every page of the book, in order, as a path without suffix."""

    def walk(node: dict) -> list[str]:
        own = [node[key] for key in ("root", "file") if key in node]
        return own + [
            page for key in ("parts", "chapters", "sections") for child in node.get(key, []) for page in walk(child)
        ]

    return walk(yaml.safe_load((root / "_toc.yml").read_text("utf-8")))


def address(root: Path = ROOT) -> str:
    """The address that `_config.yml` states."""
    return yaml.safe_load((root / "_config.yml").read_text("utf-8"))["repository"]["url"]


def notebooks(root: Path = ROOT) -> list[Path]:
    """The notebooks that carry a set-up cell."""
    return [path for path in sorted((root / "book").rglob("*.ipynb")) if not path.parent.name.startswith(".")]


def setup_cell(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode | None:
    """The first code cell, if it is the hidden one that makes Colab ready."""
    first = next((cell for cell in notebook.cells if cell.cell_type == "code"), None)
    return first if first and "remove-cell" in first.metadata.get("tags", []) else None


def set_repository(url: str, root: Path = ROOT) -> list[Path]:
    """Write `url` wherever the address stands; return the files that changed.

    Raises:
        ValueError: `url` isn't https://host/owner/name.
    """
    new = url.strip().rstrip("/").removesuffix(".git")
    if not ADDRESS.fullmatch(new):
        raise ValueError(f"{url!r} is not the address of a repository: give URL=https://host/owner/name")
    old = re.compile(re.escape(address(root)) + r"(?![\w-])")
    texts = [root / "_config.yml", root / "README.md", root / "CITATION.cff", *sorted((root / "book").rglob("*.md"))]
    changed = {path: old.sub(new, path.read_text("utf-8")) for path in texts}
    for path in notebooks(root):
        notebook = nbformat.read(path, as_version=4)
        if cell := setup_cell(notebook):
            cell.source = SETUP_CELL.format(address=new)
        changed[path] = nbformat.writes(notebook) + "\n"
    changed = {path: text for path, text in changed.items() if text != path.read_text("utf-8")}
    for path, text in changed.items():
        path.write_text(text, "utf-8")
    return list(changed)


if __name__ == "__main__":
    try:
        changed_files = set_repository(" ".join(sys.argv[1:]))
    except ValueError as error:
        print(f"set-repository: {error}", file=sys.stderr)
        sys.exit(2)
    print(f"{address()}: {len(changed_files)} files changed")
