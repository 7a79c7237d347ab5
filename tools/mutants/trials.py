"""A mutant and the tests that it has to pass, each time in a process that is forked for it.

A new process would take seconds to import torch.
"""

import contextlib
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path

import pytest

OPTIONS = ["-x", "-q", "-m", "not slow", "-p", "no:cacheprovider", "-p", "no:xdist", "--capture=sys"]
PATIENCE = 10  # times the limit, by the clock: a mutant that waits is caught too
MEMORY = 16 << 30
fork = multiprocessing.get_context("fork")


@dataclass(eq=False)
class Trial:
    """A mutant, or with an empty `change` the code as it is, and the tests that are still to run."""

    module: str
    change: str
    code: str
    stages: list[list[str]]
    caught: str = ""
    executing: list[str] = field(default_factory=list)  # the files whose tests execute what was changed

    def start(self, target: Callable, folder: Path, limit: float) -> None:
        """Run the next stage in a process of its own, in this copy of the project."""
        self.folder, self.tests = folder, self.stages.pop(0)
        self.answer, theirs = fork.Pipe(duplex=False)
        self.process = fork.Process(target=_child, args=(target, self, limit, theirs))
        self.process.start()
        theirs.close()
        self.until = time.monotonic() + PATIENCE * limit

    def running(self) -> bool:
        return self.process.is_alive() and not self.answer.poll() and time.monotonic() < self.until

    def end(self) -> None:
        """Find out what caught the mutant: a test, or how the process ended. Empty: nothing did."""
        try:
            self.caught = self.answer.recv() if self.answer.poll() else None
        except EOFError:
            self.caught = None
            self.process.join(1)
        late = self.process.is_alive()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # and what the tests have started
        self.process.kill()
        self.process.join()
        if self.caught is None:
            late |= self.process.exitcode == -signal.SIGXCPU
            how = "took too long" if late else f"ended with {self.process.exitcode}"
            self.caught = f"{how} in {self.tests[0] if len(self.tests) == 1 else 'some test'}"
        if self.change:
            shutil.copy2(source(self.module), self.folder / source(self.module))


class FirstFailure:
    """A plugin of pytest that remembers the first test that fails."""

    name = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.failed:
            self.name = self.name or report.nodeid

    pytest_collectreport = pytest_runtest_logreport


def source(module: str) -> Path:
    return Path(f"lib/seqbook/{module}.py")


def own(module: str) -> str:
    """The file with the tests of this module."""
    return str(Path("tests", module).with_name(f"test_{Path(module).name}.py"))


def run(trials: Iterable[Trial], target: Callable, folders: list[Path], limit: float) -> Iterator[Trial]:
    """The trials as they end, as many at a time as there are copies of the project.

    target: runs the tests of a trial, and returns which one fails; limit: seconds of computing.
    """
    trials, free, running = iter(trials), list(folders), []
    try:
        while True:
            while free and (trial := next(trials, None)):
                trial.start(target, free.pop(), limit)
                running.append(trial)
            if not running:
                return
            wait([trial.answer for trial in running], timeout=1)
            for trial in [trial for trial in running if not trial.running()]:
                trial.end()
                if trial.stages and not trial.caught:
                    trial.start(target, trial.folder, limit)
                    continue
                running.remove(trial)
                free.append(trial.folder)
                yield trial
    finally:
        for trial in running:
            trial.end()


def _child(target: Callable, trial: Trial, limit: float, answer: Connection) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.setsid()
    os.chdir(trial.folder)
    write_to("output.txt")
    allow(limit)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    answer.send(target(trial))
    answer.close()
    os._exit(0)


def pytest_in(folder: Path, tests: Iterable[str], plugin: object) -> int:
    """Start pytest in this process, which has not imported the project so far, in a copy of the project."""
    os.environ["PYTHONPATH"] = str(folder / "lib")
    os.environ["PYTEST_XDIST_WORKER"] = "one of several"  # they generate the micro-world once for all
    sys.path.insert(0, str(folder / "lib"))
    return pytest.main([*OPTIONS, f"--basetemp={folder / 'tmp'}", *tests], plugins=[plugin])


def write_to(file: str) -> None:
    output = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(output, stream)


def allow(seconds: float) -> None:
    """So many more seconds of computing; then SIGXCPU."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (until, resource.getrlimit(resource.RLIMIT_CPU)[1]))
