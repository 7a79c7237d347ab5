"""What a page's outputs depend on, as one key: a page with a new key is run again, and no other.

The key holds the text of the page's code cells, the meaning of the modules that they import, the versions in
requirements.txt, and the published results that the cells name. Comments and docstrings of the library are not in it.
"""

import ast
import hashlib
import json
import re
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from seqbook import identity


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def key(notebook: NotebookNode, root: Path) -> str:
    """64 hexadecimal digits."""
    cells = [(cell.source, "raises-exception" in cell.metadata.get("tags", [])) for cell in code_cells(notebook)]
    trees = []
    for source, _ in cells:
        with suppress(SyntaxError):  # the cell itself will say so
            trees.append(ast.parse(TransformerManager().transform_cell(source)))

    text = "\n".join(source for source, _ in cells)
    results = {
        file.name: json.loads(file.read_text("utf-8"))
        for file in (root / "benchmarks" / "results").glob("*.json")
        if re.search(rf"(?<![\w-]){re.escape(file.stem)}(?![\w-])", text)
    }
    pinned = re.findall(r"^[^#\s]+", (root / "requirements.txt").read_text("utf-8"), re.MULTILINE)
    parts = [cells, modules(trees, root / "lib"), sys.version_info[:2], sorted(pinned), results]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def modules(trees: list[ast.AST], lib: Path) -> dict[str, str]:
    """The meaning of each module of `lib` that these trees import, directly or through another one."""
    found: dict[str, str] = {}
    waiting = {name for tree in trees for name in identity.imports(tree)}
    while waiting:
        parts = waiting.pop().split(".")
        for name in (".".join(parts[:end]) for end in range(1, len(parts) + 1)):  # to import a.b.c runs a and a.b, too
            file = identity.find(name, lib)
            key = file and str(file.relative_to(lib))
            if file is None or key in found:
                continue
            names, found[key] = parsed(file.read_text("utf-8"))
            waiting |= names
            if names & {"importlib", "importlib.import_module"}:  # it may import any of the modules beside it
                package = ".".join(file.parent.relative_to(lib).parts)
                waiting |= {f"{package}.{beside.stem}" for beside in file.parent.iterdir()}
            if file.name == "__init__.py":
                found |= {
                    str(data.relative_to(lib)): data.read_text("utf-8") for data in file.parent.glob("*.mplstyle")
                }
    return found


@cache
def parsed(text: str) -> tuple[set[str], str]:
    """What a file imports, and what it means; many pages depend on one file."""
    tree = ast.parse(text)
    return identity.imports(tree), identity.meaning(tree)
