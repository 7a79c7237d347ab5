"""The folder for everything that is stored between runs. Two processes can use it at the same time.

The folder is `$SEQBOOK_HOME`, or `seqbook` in the user's cache folder. It contains prepared corpora and trained models.
No file in it is ever half-written. Everything in it can be deleted: it is made again when it is needed.
"""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import datasets
from filelock import FileLock


class StorageError(OSError):
    """A folder or disk cannot be written. The message says which one, and what to do."""


def home() -> Path:
    """The folder: `$SEQBOOK_HOME`, else `$XDG_CACHE_HOME/seqbook`, else `~/.cache/seqbook`."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("SEQBOOK_HOME") or Path(cache) / "seqbook").expanduser()


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Yield a scratch path beside `path` (for a file or a folder) that becomes `path` only if the block succeeds.

    The content is on the disk before `path` gets its name, so that `path` is either the old or the new version after a
    crash.

    Raises:
        StorageError: the folder cannot be written, or the disk is full; nothing is left behind.
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
        shutil.rmtree(scratch, ignore_errors=True)  # if it is a folder
        with suppress(OSError):
            scratch.unlink()  # if it is a file; if this fails too, the first error is the one to report


def build_once(path: Path, build: Callable[[Path], None]) -> Path:
    """Return the folder `path`. If it is missing, one process makes it with `build(scratch_folder)`."""
    if os.path.exists(path):  # if the parent folder is not readable: False, where Path.exists() raises
        return path
    with locked(path):
        if not path.exists():
            with writing(path) as scratch, _no_bars():
                scratch.mkdir()
                build(scratch)
    return path


@contextmanager
def _no_bars() -> Iterator[None]:
    """Hide the progress bars of `datasets`, because building takes only a moment."""
    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock `path` against other processes of this machine; waits until the lock is free.

    Raises:
        StorageError: the folder cannot be written.
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
