import errno
import os
import threading
from pathlib import Path

import pytest

from seqbook.storage import StorageError, build_once, home, locked, writing


def everything(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_home_is_where_the_environment_says(monkeypatch, tmp_path):
    assert home() == tmp_path / "home"
    monkeypatch.delenv("SEQBOOK_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert home() == Path("/caches/seqbook")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/anna")
    assert home() == Path("/home/anna/.cache/seqbook")
    monkeypatch.setenv("SEQBOOK_HOME", "~/books")
    assert home() == Path("/home/anna/books")


def test_writing_makes_folders_and_leaves_nothing_else(tmp_path):
    with writing(tmp_path / "new" / "file") as scratch:
        scratch.write_text("whole")
        assert not (tmp_path / "new" / "file").exists()
    assert (tmp_path / "new" / "file").read_text() == "whole"
    assert everything(tmp_path) == ["new", "new/file"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError])
def test_a_failed_block_leaves_the_old_file(tmp_path, error):
    (tmp_path / "file").write_text("old")

    def fail():
        with writing(tmp_path / "file") as scratch:
            scratch.write_text("half")
            raise error

    with pytest.raises(StorageError if error is OSError else error):
        fail()
    assert (tmp_path / "file").read_text() == "old"
    assert everything(tmp_path) == ["file"]


def test_a_folder_is_replaced_whole(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old").write_text("old")

    def fail():
        with writing(tmp_path / "folder") as scratch:
            scratch.mkdir()
            (scratch / "half").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert everything(tmp_path) == ["folder", "folder/old"]
    with writing(tmp_path / "folder") as scratch:
        scratch.mkdir()
        (scratch / "new").write_text("new")
    assert everything(tmp_path) == ["folder", "folder/new"]


def test_what_is_there_is_not_built_again(tmp_path):
    def build(folder):
        (folder / "part").write_text("built")

    assert build_once(tmp_path / "made", build) == tmp_path / "made"
    assert build_once(tmp_path / "made", lambda folder: pytest.fail("built twice")) == tmp_path / "made"
    assert (tmp_path / "made" / "part").read_text() == "built"


def test_a_lock_keeps_others_out_until_it_is_released(tmp_path):
    entered = threading.Event()

    def enter():
        with locked(tmp_path / "run"):
            entered.set()

    with locked(tmp_path / "run"):
        other = threading.Thread(target=enter)
        other.start()
        assert not entered.wait(0.3)
    assert entered.wait(10)
    other.join()


def under_a_file(tmp_path):
    (tmp_path / "file").write_text("in the way")
    return tmp_path / "file" / "made"


def in_a_system_folder(tmp_path):
    if not os.path.isdir("/proc/self"):
        pytest.skip("there is no /proc here")
    return Path("/proc/seqbook/made")


def write(path):
    with writing(path) as scratch:
        scratch.write_text("new")


WRITERS = {
    "writing": write,
    "build_once": lambda path: build_once(path, lambda folder: None),
    "locked": lambda path: locked(path).__enter__(),
}


@pytest.mark.parametrize("place", [under_a_file, in_a_system_folder])
@pytest.mark.parametrize("writer", WRITERS)
def test_a_place_that_can_not_be_written_is_named(tmp_path, writer, place):
    path = place(tmp_path)
    with pytest.raises(StorageError, match=f"can't write {path.parent}.*SEQBOOK_HOME"):
        WRITERS[writer](path)


@pytest.mark.parametrize("mode", [0o500, 0o000], ids=["read-only", "closed"])
@pytest.mark.parametrize("writer", WRITERS)
def test_a_folder_without_permission_is_named(tmp_path, writer, mode):
    """Root may write anywhere, so root becomes nobody for a moment."""
    folder = tmp_path / "closed"
    folder.mkdir(mode=mode)
    folder.chmod(mode)
    if os.geteuid() == 0:
        for parent in (tmp_path, *tmp_path.parents[:2]):
            parent.chmod(parent.stat().st_mode | 0o011)
        os.seteuid(65534)
    try:
        if os.access(folder, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            pytest.skip("this user may write to any folder")
        with pytest.raises(StorageError, match=f"can't write {folder}.*Permission denied"):
            WRITERS[writer](folder / "made")
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
        folder.chmod(0o700)
    assert everything(folder) == []


def test_a_full_disk_leaves_the_old_file(tmp_path, full_disk):
    (tmp_path / "file").write_text("old")
    with (
        full_disk(50_000),
        pytest.raises(
            StorageError, match=rf"can't write {tmp_path}/file: .*{os.strerror(errno.EFBIG)}.*Free some space"
        ),
        writing(tmp_path / "file") as scratch,
    ):
        scratch.write_bytes(bytes(100_000))
    assert (tmp_path / "file").read_text() == "old"
    assert everything(tmp_path) == ["file"]


def test_a_full_disk_leaves_no_half_built_folder(tmp_path, full_disk):
    def build(folder):
        (folder / "first").write_bytes(bytes(10_000))
        (folder / "second").write_bytes(bytes(100_000))

    with full_disk(50_000), pytest.raises(StorageError, match=r"can't write .*made"):
        build_once(tmp_path / "made", build)
    assert everything(tmp_path) in ([], [".made.lock"])
