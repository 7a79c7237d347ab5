"""What a result depends on: the meaning of the code that it uses. Comments, docstrings and names of files do not count.

The meaning of a module is its syntax tree without docstrings, and the meaning of every module of this project that it
imports. So a new comment, a plot or another family's file keeps a trained model, and a changed loss does not.
"""

import ast
import hashlib
import importlib.util
import json
from functools import cache
from pathlib import Path

PACKAGES = ("seqbook", "microworld")


def fingerprint(*parts: object) -> str:
    """16 hexadecimal digits that change when a part (anything that JSON can hold) changes."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def meaning(*modules: str) -> str:
    """16 hexadecimal digits that change when the meaning of one of these modules changes, or of one that it imports."""
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += _read(_file(module))[1]
    return fingerprint(sorted((module, _read(_file(module))[0]) for module in found))


@cache
def _file(module: str) -> Path | None:
    """Where the module stands; None if there is no such module."""
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:  # what stands before the last dot is a module, not a package
        return None
    return Path(spec.origin) if spec and spec.origin else None


@cache
def _read(file: Path) -> tuple[str, list[str]]:
    """A file's meaning, and the modules of this project that it imports."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            ours = node.module.split(".")[0] in PACKAGES
            names += [name if ours and _file(name) else node.module for name in inner]
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if documented and ast.get_docstring(node, clean=False) is not None:
            node.body[0] = ast.Pass()
    return fingerprint(ast.dump(tree)), sorted({name for name in names if name.split(".")[0] in PACKAGES})
