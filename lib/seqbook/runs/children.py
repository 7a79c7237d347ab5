"""Processes beside this one that train. Whatever asks this one to end asks them too, and each keeps a checkpoint first."""

import signal
import subprocess
from collections.abc import Sequence
from typing import Any

_running: set[subprocess.Popen] = set()


def call(command: Sequence[str], **how: Any) -> subprocess.CompletedProcess:
    """`subprocess.run`, except that after Ctrl-C the process is waited for, where `run` would kill it."""
    child = subprocess.Popen(command, **how)
    _running.add(child)
    try:
        printed, errors = child.communicate()
    except KeyboardInterrupt:
        child.wait()
        raise
    finally:
        _running.discard(child)
    return subprocess.CompletedProcess(command, child.returncode, printed, errors)


def end_alike() -> None:
    """From now on, whatever a terminal or a scheduler ends a program with does what Ctrl-C does, here and in the processes
    of `call`. What is ignored, as SIGHUP under nohup, stays ignored."""
    kinds = {name: getattr(signal, name, None) for name in ("SIGHUP", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGXCPU")}
    for kind in filter(None, kinds.values()):
        if signal.getsignal(kind) == signal.SIG_DFL:
            signal.signal(kind, lambda *_: signal.raise_signal(signal.SIGTERM))
    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _end)  # a training takes its place, until its step is complete


def _end(*_: Any) -> None:
    for child in list(_running):
        child.terminate()
    raise KeyboardInterrupt("stopped: the same command goes on from here")
