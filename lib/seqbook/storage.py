"""The folder for everything that is stored between runs. Two processes can use it at the same time.

The folder is `$SEQBOOK_HOME`, or `seqbook` in the user's cache folder. It contains prepared corpora and trained models.
No file in it is ever half-written. Everything in it can be deleted: it is made again when it is needed.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from microworld import cache


class StorageError(OSError):
    """A folder or disk cannot be written. The message says which one, and what to do."""


def home() -> Path:
    """The folder: `$SEQBOOK_HOME`, else `$XDG_CACHE_HOME/seqbook`, else `~/.cache/seqbook`."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("SEQBOOK_HOME") or Path(caches) / "seqbook").expanduser()


def read_text(file: Path) -> str:
    """The text of a UTF-8 file, without the byte-order mark that some editors put in front.

    Raises:
        OSError: the file can't be read; UnicodeDecodeError: it is not UTF-8.
    """
    return file.read_text(encoding="utf-8-sig")


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Yield a scratch path beside `path` (for a file or a folder) that becomes `path` only if the block succeeds.

    The content is on the disk before `path` gets its name, so that `path` is either the old or the new version after a
    crash.

    Raises:
        StorageError: the folder cannot be written, or the disk is full; nothing is left behind.
    """
    try:
        with cache.replacing(path) as scratch:
            yield scratch
    except OSError as error:
        raise StorageError(
            f"can't write {path}: {error.strerror or error}. "
            "Free some space, or point SEQBOOK_HOME (or --out) at a folder that can be written."
        ) from error


def build_once(path: Path, build: Callable[[Path], None]) -> Path:
    """Return the folder `path`. If it is missing, one process makes it with `build(scratch_folder)`.

    Raises:
        StorageError: the folder cannot be written, or the disk is full; nothing is left behind.
    """
    try:
        return cache.build_once(path, build, "SEQBOOK_HOME")
    except OSError as error:
        raise StorageError(error.strerror) from error


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
