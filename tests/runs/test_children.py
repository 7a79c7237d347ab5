"""What ends a program ends the processes that it started too, and each has the time to keep what it has."""

import os
import signal
import subprocess
import sys
import time

import pytest

CHILD = """
import signal, sys, time
from pathlib import Path

def keep(*_):
    time.sleep(1)
    Path("kept").touch()
    sys.exit(130)

for kind in (signal.SIGINT, signal.SIGTERM):
    signal.signal(kind, keep)
Path("begun").touch()
time.sleep(60)
"""
PARENT = """
import sys
from concurrent.futures import ThreadPoolExecutor
from seqbook.runs import children

children.end_alike()
command = [sys.executable, "-c", sys.argv[1]]
if sys.argv[2] == "thread":
    with ThreadPoolExecutor(1) as pool:
        list(pool.map(children.call, [command]))
else:
    children.call(command)
"""


@pytest.mark.slow
@pytest.mark.parametrize("where", ["main", "thread"])
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM, signal.SIGALRM])
def test_a_process_ends_with_the_one_that_started_it_and_keeps_what_it_has(tmp_path, where, kind):
    command = [sys.executable, "-c", PARENT, CHILD, where]
    parent = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True)
    end = time.monotonic() + 60
    while not (tmp_path / "begun").exists():
        assert parent.poll() is None, parent.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.01)
    if kind == signal.SIGINT:
        os.killpg(parent.pid, kind)  # as a terminal does
    else:
        parent.send_signal(kind)
    _, errors = parent.communicate(timeout=30)
    assert errors.splitlines()[-1].startswith("KeyboardInterrupt")
    assert (tmp_path / "kept").exists()
