"""The cache: found again over a changed comment, built anew over changed code, whole after crashes and full disks."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import datasets
import pytest

import microworld
from microworld import cache
from microworld.cache import build_once, code_fingerprint, home

PACKAGE = Path(microworld.__file__).parent


def everything(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix != ".lock")


def test_home_prefers_its_own_variable_then_the_cache_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/anna")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    monkeypatch.setenv("MICROWORLD_HOME", "~/town")
    assert home() == Path("/home/anna/town")
    monkeypatch.delenv("MICROWORLD_HOME")
    assert home() == Path("/caches/microworld")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert home() == Path("/home/anna/.cache/microworld")


@pytest.fixture
def copied(tmp_path):
    """A copy of the package that may be changed."""
    return Path(
        shutil.copytree(PACKAGE, tmp_path / "copy" / "microworld", ignore=shutil.ignore_patterns("__pycache__"))
    )


@pytest.mark.parametrize(
    ("name", "old", "new", "same"),
    [
        ("tasks/translation.py", "FEWEST_WORDS, MOST_WORDS = 3, 40", "FEWEST_WORDS, MOST_WORDS = 3, 40  # words", True),
        ("tasks/translation.py", '"""English–Chinese', '"""Changed: English–Chinese', True),
        ("draw/deeds.py", '"""A person who can do this."""', '"""Somebody else."""', True),
        ("draw/deeds.py", '"""Draws events in which', '"""Samples events in which', True),
        ("tasks/translation.py", "FEWEST_WORDS, MOST_WORDS = 3, 40", "FEWEST_WORDS, MOST_WORDS = 3, 41", False),
        ("words/names.py", "Anna 安娜", "Anne 安妮", False),
    ],
)  # fmt: skip
def test_only_a_change_of_meaning_changes_the_fingerprint(copied, name, old, new, same):
    before = code_fingerprint(copied)
    file = copied / name
    assert file.read_text().count(old) == 1
    file.write_text(file.read_text().replace(old, new))
    code_fingerprint.cache_clear()
    assert (code_fingerprint(copied) == before) is same


def test_a_new_file_or_another_name_changes_the_fingerprint(copied):
    found = {code_fingerprint(copied)}
    (copied / "new.py").write_text("x = 1\n")
    code_fingerprint.cache_clear()
    found.add(code_fingerprint(copied))
    (copied / "new.py").rename(copied / "newer.py")
    code_fingerprint.cache_clear()
    found.add(code_fingerprint(copied))
    assert len(found) == 3


def test_what_was_generated_is_kept_until_arguments_or_code_change(microworld_home, monkeypatch):
    calls = []

    def splits(task, seed, sizes):
        calls.append((task, seed, sizes["train"]))
        return {"train": [{"text": "x"}] * sizes["train"]}

    monkeypatch.setattr(microworld, "splits", splits)
    first = microworld.load("sentiment", size=3)
    assert microworld.load("sentiment", size=3)["train"][:] == first["train"][:]
    assert len(calls) == 1
    for arguments in ({"size": 4}, {"size": 3, "seed": 1}):
        microworld.load("sentiment", **arguments)
    microworld.load("qa", size=3)
    assert len(calls) == 4
    monkeypatch.setattr(cache, "code_fingerprint", lambda package: "changed")
    microworld.load("sentiment", size=3)
    assert len(calls) == 5
    folders = [path for path in microworld_home.iterdir() if path.is_dir()]
    assert len(folders) == 5


def test_a_build_that_fails_leaves_nothing_and_can_be_tried_again(tmp_path):
    def broken(folder):
        (folder / "part").write_text("half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        build_once(tmp_path / "made", broken)
    assert everything(tmp_path) == []
    build_once(tmp_path / "made", lambda folder: (folder / "part").write_text("whole"))
    assert build_once(tmp_path / "made", lambda folder: pytest.fail("built twice")) == tmp_path / "made"
    assert everything(tmp_path) == ["made", "made/part"]


@pytest.mark.parametrize("shown", [True, False])
def test_a_build_shows_no_progress_bars(tmp_path, monkeypatch, shown):
    found = []
    was = datasets.are_progress_bars_disabled()
    try:
        (datasets.enable_progress_bars if shown else datasets.disable_progress_bars)()
        build_once(tmp_path / "made", lambda folder: found.append(datasets.are_progress_bars_disabled()))
        assert found == [True]
        assert datasets.are_progress_bars_disabled() is not shown
    finally:
        (datasets.disable_progress_bars if was else datasets.enable_progress_bars)()


def test_two_processes_build_once(tmp_path):
    """Both wait for the same start signal; each build signs a log."""
    code = f"""
import os, time
from pathlib import Path
from microworld.cache import build_once
folder = Path({str(tmp_path)!r})

def build(scratch):
    with open(folder / "log", "a") as log:
        log.write(f"{{os.getpid()}}\\n")
    time.sleep(0.5)
    (scratch / "part").write_text("whole")

(folder / f"ready-{{os.getpid()}}").touch()
while not (folder / "go").exists():
    time.sleep(0.001)
print((build_once(folder / "made", build) / "part").read_text())
"""
    both = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    while len(list(tmp_path.glob("ready-*"))) < 2:
        assert all(process.poll() is None for process in both)
    (tmp_path / "go").touch()
    assert [process.communicate(timeout=60)[0] for process in both] == ["whole\n"] * 2
    assert len((tmp_path / "log").read_text().split()) == 1


def test_a_killed_build_leaves_no_folder_that_is_taken_for_whole(tmp_path):
    code = f"""
import os, signal
from pathlib import Path
from microworld.cache import build_once

def build(scratch):
    (scratch / "part").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)

build_once(Path({str(tmp_path)!r}) / "made", build)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode < 0
    assert not (tmp_path / "made").exists()
    build_once(tmp_path / "made", lambda folder: (folder / "part").write_text("whole"))
    assert (tmp_path / "made" / "part").read_text() == "whole"


def under_a_file(tmp_path):
    (tmp_path / "file").write_text("in the way")
    return tmp_path / "file" / "made"


def in_a_system_folder(tmp_path):
    if not os.path.isdir("/proc/self"):
        pytest.skip("there is no /proc here")
    return Path("/proc/microworld/made")


@pytest.mark.parametrize("place", [under_a_file, in_a_system_folder])
def test_a_folder_that_can_not_be_written_is_named(tmp_path, place):
    path = place(tmp_path)
    with pytest.raises(OSError, match=f"can't write {path}.*MICROWORLD_HOME"):
        build_once(path, lambda folder: None)


@pytest.mark.parametrize("mode", [0o500, 0o000], ids=["read-only", "closed"])
def test_a_folder_without_permission_is_named(tmp_path, mode):
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
        with pytest.raises(OSError, match=f"can't write {folder}.*Permission denied.*MICROWORLD_HOME"):
            build_once(folder / "made", lambda folder: None)
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
        folder.chmod(0o700)
    assert everything(folder) == []


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path, full_disk):
    def build(folder):
        (folder / "first").write_bytes(bytes(10_000))
        (folder / "second").write_bytes(bytes(100_000))

    with (
        full_disk(50_000),
        pytest.raises(
            OSError, match=rf"can't write {tmp_path}/made.*{os.strerror(errno.EFBIG)}.*Free some space"
        ) as caught,
    ):
        build_once(tmp_path / "made", build)
    assert caught.value.errno == errno.EFBIG
    assert everything(tmp_path) == []
