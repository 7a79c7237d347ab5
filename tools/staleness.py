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
from pathlib import Path

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode


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


# To be swapped for the functions of seqbook.runs.identity, which answer the same questions for a trained model.


def modules(trees: list[ast.AST], lib: Path) -> dict[str, str]:
    """The meaning of each module of `lib` that these trees import, directly or through another one."""
    found: dict[str, str] = {}
    waiting = {name for tree in trees for name in imports(tree, [])}
    while waiting:
        parts = waiting.pop().split(".")
        for end in range(1, len(parts) + 1):  # to import a.b.c runs a and a.b, too
            name, path = ".".join(parts[:end]), lib.joinpath(*parts[:end])
            file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            if name in found or not file.exists():
                continue
            tree = ast.parse(file.read_text("utf-8"))
            waiting |= imports(tree, parts[:end] if path.is_dir() else parts[: end - 1])
            found[name] = meaning(tree)
            for data in path.glob("*.mplstyle"):
                found[f"{name}/{data.name}"] = data.read_text("utf-8")
    return found


def imports(tree: ast.AST, package: list[str]) -> set[str]:
    """The names in the import statements of a module of `package`: modules, and what may be a module."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*start, *filter(None, [node.module])])
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


def meaning(tree: ast.AST) -> str:
    """The syntax tree as text; comments, layout and docstrings are not in it."""
    for node in ast.walk(tree):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if documented and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)
