"""An identifier for the code that a result depends on. Comments, docstrings and unrelated files do not change it.

The meaning of a module is its syntax tree without docstrings. A run depends on its own modules and on every module of
this project that they import. So a trained model stays valid if a comment, a plot or another family's file changes, but
not if its loss changes.
"""

import ast
import hashlib
import json
from functools import cache
from pathlib import Path

LIB = Path(__file__).parents[1]  # the folder of seqbook and microworld


def fingerprint(*parts: object) -> str:
    """16 hexadecimal digits that change when one of the parts changes. A part is anything that JSON can represent."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def code_identity(*modules: str) -> str:
    """16 hexadecimal digits that change with the meaning of these modules and of the modules that they import."""
    found: dict[Path, str] = {}
    waiting = set(modules)
    while waiting:
        file = find(waiting.pop())
        if file and file not in found:
            found[file], names = _read(file)
            waiting |= names
    return fingerprint(sorted((str(file.relative_to(LIB)), text) for file, text in found.items()))


def find(name: str, lib: Path = LIB) -> Path | None:
    """The file of the module `name`, or of the module that defines the object `name`; None if it is not in `lib`."""
    *parents, last = name.split(".")
    for parts in ([*parents, last], parents):
        path = lib.joinpath(*parts)
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if parts and file.is_file():
                return file
    return None


def imports(tree: ast.AST) -> set[str]:
    """The full names that a file imports: modules, and objects that are defined in modules."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def meaning(tree: ast.AST) -> str:
    """The syntax tree as text, without comments, layout and docstrings."""
    for node in ast.walk(tree):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if documented and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)


@cache
def _read(file: Path) -> tuple[str, set[str]]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return meaning(tree), imports(tree)
