"""Where things live between runs: one folder, safe for two processes at once, never half-written.

The folder is `$SEQBOOK_HOME`, or `seqbook` in the user's cache folder. It holds the worlds and corpora made ready for
training and the models that recipes trained. Everything in it can be deleted: it is made again when it is needed.
"""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import datasets
from filelock import FileLock


class StorageError(OSError):
    """A folder or disk that can't be written; the message says which and what to do."""


def home() -> Path:
    """The one folder: `$SEQBOOK_HOME`, else `$XDG_CACHE_HOME/seqbook`, else `~/.cache/seqbook`."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("SEQBOOK_HOME") or Path(cache) / "seqbook").expanduser()


def fingerprint(*parts: object) -> str:
    """16 hexadecimal digits that change when a part (anything JSON can hold) changes."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def source_fingerprint(*paths: Path) -> str:
    """16 hexadecimal digits that change when one of these Python files changes, or any in these folders."""
    files = sorted(file for path in paths for file in ([path] if path.suffix else path.rglob("*.py")))
    return fingerprint([(file.name, file.read_text(encoding="utf-8")) for file in files if file.suffix == ".py"])


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Yield a scratch path beside `path` (for a file or a folder) that becomes `path` only if the block succeeds.

    The content reaches the disk before the name does, so that a crash leaves the old `path` or the new one.

    Raises:
        StorageError: the folder can't be written, or the disk is full; nothing is left behind.
    """
    scratch = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield scratch
        for file in [scratch, *scratch.rglob("*")]:
            _to_disk(file)
        if scratch.is_dir() and path.exists():
            shutil.rmtree(path)
        os.replace(scratch, path)
        _to_disk(path.parent)
    except OSError as error:
        raise StorageError(
            f"can't write {path}: {error.strerror or error}. "
            "Free some space, or point SEQBOOK_HOME (or --out) at a folder that can be written."
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)  # where it is a folder
        with suppress(OSError):
            scratch.unlink()  # where it is a file; not there, or out of reach, is no second error


def build_once(path: Path, build: Callable[[Path], None]) -> Path:
    """Return the folder `path`, made by `build(scratch_folder)` if it isn't there; of two processes, one builds."""
    if os.path.exists(path):  # False, where Path.exists() raises: the folder around it is closed to us
        return path
    with locked(path):
        if not path.exists():
            with writing(path) as scratch, _no_bars():
                scratch.mkdir()
                build(scratch)
    return path


@contextmanager
def _no_bars() -> Iterator[None]:
    """Without the progress bars of `datasets`: what is built here is written in a moment."""
    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold `path` against other processes of this machine; waits for its turn.

    Raises:
        StorageError: the folder can't be written.
    """
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise StorageError(
            f"can't write {path.parent}: {error.strerror or error}. Point SEQBOOK_HOME at a folder that can be written."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
