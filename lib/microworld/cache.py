"""Stores generated texts on disk: one folder for each task, size, seed and version of the code.

A folder is built in a scratch folder next to it and then renamed, so that a crash leaves no half-written folder.
Everything here can be deleted: it is generated again when it is needed.
"""

import ast
import hashlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from filelock import FileLock


def home() -> Path:
    """The cache folder: `$MICROWORLD_HOME`, else `$XDG_CACHE_HOME/microworld`, else `~/.cache/microworld`."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("MICROWORLD_HOME") or Path(caches) / "microworld").expanduser()


def fingerprint(task: str, size: int, seed: int) -> str:
    """The name of a folder: it changes with the arguments and with the meaning of this package's code."""
    code = code_fingerprint(Path(__file__).parent)
    return f"{task}-{size}-{seed}-{code}"


@cache
def code_fingerprint(package: Path) -> str:
    """16 hexadecimal digits that change with the code of a package, but not with its comments and docstrings."""
    digest = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
                del node.body[0]
        digest.update(f"{file.relative_to(package)} {ast.dump(tree)}\n".encode())
    return digest.hexdigest()[:16]


def build_once(folder: Path, build: Callable[[Path], None], variable: str = "MICROWORLD_HOME") -> Path:
    """Return `folder`. If it does not exist, one process fills it with `build(scratch_folder)`.

    Args:
        variable: the environment variable that the error message suggests to set.

    Raises:
        OSError: the folder cannot be written, or the disk is full. No half-written folder is left.
    """
    if os.path.exists(folder):  # unlike Path.exists, does not raise if the parent folder is not readable
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{folder.name}.lock")):
            if not folder.exists():
                with replacing(folder) as scratch, _no_progress_bars():
                    scratch.mkdir()
                    build(scratch)
    except OSError as error:
        raise OSError(
            error.errno,
            f"can't write {folder}: {error.strerror or error}. "
            f"Free some space, or set {variable} to a folder that can be written.",
        ) from error
    return folder


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a scratch path beside `path` (for a file or a folder) that becomes `path` only if the block succeeds.

    The content is on the disk before `path` gets its name, so that `path` is either the old or the new version after a
    crash.

    Raises:
        OSError: the folder cannot be written, or the disk is full. Nothing is left behind.
    """
    scratch = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield scratch
        for file in [scratch, *scratch.rglob("*")]:
            _sync(file)
        if scratch.is_dir() and path.exists():
            shutil.rmtree(path)
        os.replace(scratch, path)
        _sync(path.parent)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)  # if it is a folder
        with suppress(OSError):
            scratch.unlink()  # if it is a file; if this fails too, the first error is the one to report


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    """Hide the progress bars of `datasets`."""
    import datasets  # here, because it takes seconds

    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
