"""Do the unit tests notice faults? Each module is changed in every way that cosmic-ray knows, and its tests are run.

    make mutants                       nn, models, objectives, generation and training: many hours
    make mutants M=nn/masks N=20       one module, and of its mutants a sample of 20, always the same

All happens in copies in build/mutants. What is known of a mutant stays in rows.csv there until its module, or the tests that
decided, change, so an interrupted run goes on. The file tools/mutants.csv names the mutants that no test has to catch, with
the reason. A process that has imported torch and the other libraries is forked for each mutant, because a new one takes
seconds for that.
"""

import argparse
import ast
import contextlib
import csv
import gc
import hashlib
import multiprocessing
import os
import re
import resource
import shutil
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from itertools import chain
from multiprocessing.connection import Connection, wait
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}

import pytest

from mutation import CallRemover, KeywordRemover, mutants

PACKAGES = ("nn", "models", "objectives", "generation", "training")
USERS = {"nn": ["models"], "training": ["recipes"]}  # packages whose tests are run too, after a module's own
NAMED = Path("tools/mutants.csv")
WORK = Path("build/mutants")
COLUMNS = ["module", "change", "code", "caught", "tests"]
OPTIONS = ["-x", "-q", "-m", "not slow", "-p", "no:cacheprovider", "-p", "no:xdist", "--basetemp=tmp"]
LIMIT = 120.0  # seconds of computing; a mutant that takes longer is caught
PATIENCE = 10  # times the limit, by the clock: a mutant that waits is caught too
MEMORY = 16 << 30


@dataclass
class Trial:
    """A mutant, or with an empty `change` the code as it is, and the tests that are still to run."""

    module: str
    change: str
    code: str
    stages: list[list[str]]
    caught: str = ""

    def start(self, folder: Path, limit: float) -> None:
        """Run the next stage in a process of its own, in this copy of the project."""
        self.folder, self.path, self.tests = folder, folder / source(self.module), self.stages.pop(0)
        if self.change:
            self.path.write_text(self.code, "utf-8")
            second = int(digest(self.code), 16) % 2**30  # Python takes an old .pyc if time and size are the same
            os.utime(self.path, (second, second))
        self.answer, theirs = multiprocessing.Pipe(duplex=False)
        fork = multiprocessing.get_context("fork")
        self.process = fork.Process(target=test, args=(folder, self.tests, limit, theirs))
        self.process.start()
        theirs.close()
        self.until = time.monotonic() + PATIENCE * limit

    def running(self) -> bool:
        return self.process.is_alive() and time.monotonic() < self.until

    def end(self) -> None:
        """Find out what caught the mutant: a test, or how the process ended. Empty: nothing did."""
        late = self.process.is_alive()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # and what the tests have started
        self.process.kill()
        self.process.join()
        try:
            self.caught = self.answer.recv()
        except EOFError:
            late |= self.process.exitcode == -signal.SIGXCPU
            how = "took too long" if late else f"ended with {self.process.exitcode}"
            self.caught = f"{how} in {self.tests[0] if len(self.tests) == 1 else 'some test'}"
        if self.change:
            shutil.copy2(source(self.module), self.path)


class FirstFailure:
    """A plugin of pytest that remembers the first test that fails."""

    name = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.failed:
            self.name = self.name or report.nodeid

    pytest_collectreport = pytest_runtest_logreport


def test(folder: Path, tests: list[str], limit: float, answer: Connection) -> None:
    """Run the tests in this process, which was forked for them, and send which one fails."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.setsid()
    os.chdir(folder)
    output = os.open("output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(output, stream)
    resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit) + 5))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    os.environ["PYTHONPATH"] = str(folder / "lib")
    sys.path.insert(0, str(folder / "lib"))
    failure = FirstFailure()
    code = pytest.main([*OPTIONS, *tests], plugins=[failure])
    answer.send(failure.name or (f"pytest: {code!r}" if code else ""))
    os._exit(0)


def run(trials: Iterable[Trial], folders: list[Path], limit: float) -> Iterator[Trial]:
    """The trials as they end, as many at a time as there are copies of the project."""
    trials, free, running = iter(trials), list(folders), []
    try:
        while True:
            while free and (trial := next(trials, None)):
                trial.start(free.pop(), limit)
                running.append(trial)
            if not running:
                return
            wait([trial.process.sentinel for trial in running], timeout=1)
            for trial in [trial for trial in running if not trial.running()]:
                trial.end()
                if trial.stages and not trial.caught:
                    trial.start(trial.folder, limit)
                    continue
                running.remove(trial)
                free.append(trial.folder)
                yield trial
    finally:
        for trial in running:
            trial.end()


def source(module: str) -> Path:
    return Path(f"lib/seqbook/{module}.py")


def tests(module: str) -> list[str]:
    if module.startswith("tests/"):
        return [module]
    return list(chain.from_iterable(stages(module)))


def stages(module: str) -> list[list[str]]:
    """The files of tests that a mutant has to pass: those of the module itself first."""
    package, own = module.split("/")[0], Path("tests", module).with_name(f"test_{Path(module).name}.py")
    rest = [
        path for name in (package, *USERS.get(package, [])) for path in sorted(Path("tests", name).rglob("test_*.py"))
    ]
    return [[str(path) for path in stage] for stage in ([own] * own.exists(), [p for p in rest if p != own]) if stage]


def digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]


def deciding(caught: str, module: str) -> list[str]:
    """The files of tests on which the outcome depends: the one that caught the mutant, or all."""
    return re.findall(r"tests/[\w/]+\.py", caught)[:1] or tests(module)


def stamp(files: Iterable[str]) -> str:
    return digest(*(Path(file).read_text("utf-8") for file in (*files, *sorted(Path("tests").rglob("conftest.py")))))


def read(path: Path) -> list[dict]:
    return list(csv.DictReader(path.open(encoding="utf-8", newline=""))) if path.exists() else []


class Known:
    """The outcomes so far, in a file to which each is added as soon as it is known."""

    def __init__(self, path: Path):
        self.path = path
        self.rows = {(row["module"], row["code"]): row for row in read(path)}

    def __contains__(self, trial: Trial) -> bool:
        row = self.rows.get((trial.module, digest(trial.code)))
        try:
            if row is None or row["tests"] != stamp(deciding(row["caught"], trial.module)):
                return False
        except FileNotFoundError:  # of tests that are gone
            return False
        trial.caught = row["caught"]
        return True

    def add(self, trial: Trial) -> None:
        code, files = digest(trial.code), stamp(deciding(trial.caught, trial.module))
        row = dict(zip(COLUMNS, (trial.module, trial.change, code, trial.caught, files), strict=True))
        self.rows[trial.module, code] = row
        new = not self.path.exists()
        with self.path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            if new:
                writer.writeheader()
            writer.writerow(row)


def warm(files: Iterable[Path]) -> None:
    """Import pytest's plugins and what these files import, but not the project itself: each mutant has its own."""
    for plugin in entry_points(group="pytest11"):
        plugin.load()
    import_module("beartype")  # which jaxtyping's plugin needs
    own = {path.name for path in Path("lib").iterdir()} | {"conftest"}
    for path in files:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.ImportFrom(module=str(name)) | ast.Import(names=[ast.alias(name=name)]):
                    if name.split(".")[0] not in own:
                        with contextlib.suppress(ImportError):
                            exec(ast.unparse(node), {})
    gc.freeze()  # the garbage collector would copy these pages into each child


def copies(jobs: int) -> list[Path]:
    folders = [(WORK / str(i)).resolve() for i in range(jobs)]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
        for name in ("lib", "tests"):
            shutil.copytree(name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy2("pyproject.toml", folder)
    return folders


def chosen(module: str, sample: int) -> tuple[list[Trial], int]:
    """The mutants to try, and how many there are."""
    found = list(mutants(source(module).read_text("utf-8"), CallRemover(), KeywordRemover()))
    count = len(found)
    if sample:
        found = sorted(found, key=lambda mutant: digest(mutant[1]))[:sample]
    return [Trial(module, change, code, stages(module)) for change, code in found], count


def check(files: list[str], known: Known, folder: Path, limit: float) -> None:
    """What caught a mutant must pass without it."""
    code = "".join(path.read_text("utf-8") for path in sorted(Path("lib").rglob("*.py")))
    for trial in [Trial(file, "", code, [[file]]) for file in files]:
        if trial not in known:
            list(run([trial], [folder], limit))
            if trial.caught:
                sys.exit(f"{trial.caught} without any change, see {folder}/output.txt")
            known.add(trial)


def report(module: str, trials: list[Trial], count: int) -> tuple[int, int]:
    """Print what was found; returns how many mutants were caught, and how many neither caught nor named."""
    named = {row["change"] for row in read(NAMED) if row["module"] == module}
    survivors = [trial.change for trial in trials if not trial.caught]
    unnamed = [change for change in survivors if change not in named]
    sample = "" if len(trials) == count else f" (a sample of {count})"
    caught = len(trials) - len(survivors)
    print(
        f"{module}: {len(trials)} mutants{sample}, {caught} caught, {len(survivors) - len(unnamed)} named", flush=True
    )
    for change in unnamed:
        print(f"    not caught: {change}", flush=True)
    return caught, len(unnamed)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", help="nn/masks, or a folder: nn (default: all)")
    parser.add_argument("--sample", type=int, default=0, help="mutants of each module (0: all)")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at a time")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds of computing for a mutant")
    options = parser.parse_args(arguments)
    names = options.modules or [name for name in PACKAGES if source(name).with_suffix("").is_dir()]
    paths = [p for name in names for p in sorted(source(name).with_suffix("").rglob("*.py")) or [source(name)]]
    modules = [str(p.relative_to("lib/seqbook").with_suffix("")) for p in paths if p.name != "__init__.py"]

    # Then `run` ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended; the same command goes on"))
    plain, *folders = copies(1 + options.jobs)
    known = Known(WORK / "rows.csv")
    warm([*Path("lib/seqbook").rglob("*.py"), *{Path(name) for module in modules for name in tests(module)}])
    tried = caught = unnamed = 0
    for module in modules:
        trials, count = chosen(module, options.sample)
        for trial in run((trial for trial in trials if trial not in known), folders, options.limit):
            if trial.caught:
                check(deciding(trial.caught, module), known, plain, options.limit)
            known.add(trial)
        found = report(module, trials, count)
        tried, caught, unnamed = tried + len(trials), caught + found[0], unnamed + found[1]
    print(
        f"{caught} of {tried} mutants caught ({100 * caught / max(tried, 1):.1f} %), {unnamed} neither caught nor named in {NAMED}"
    )
    return int(unnamed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
