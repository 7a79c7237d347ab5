"""Do the unit tests notice faults? Each module is changed in every way that cosmic-ray knows, and tests are run.

    make mutants                       nn, models, objectives, generation and training: hours
    make mutants M=nn/masks N=20       one module, and of its mutants a sample of 20, always the same

All happens in copies in build/mutants. What is known of a mutant stays in rows.csv there until its module, or the tests that
decided, change, so an interrupted run goes on. The file named.csv beside this one names the mutants that no test has to
catch, with the reason.
"""

import argparse
import ast
import contextlib
import csv
import gc
import hashlib
import os
import re
import shutil
import signal
import sys
from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import entry_points
from itertools import groupby
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}

from tqdm import tqdm

from mutants.in_place import in_place
from mutants.trials import FirstFailure, Trial, own, pytest_in, run, source
from mutation import CallRemover, KeywordRemover, mutants

PACKAGES = ("nn", "models", "objectives", "generation", "training")
USERS = {"nn": ["models"], "training": ["recipes"]}  # packages whose tests are run too, after a module's own
NAMED = Path("tools/mutants/named.csv")
WORK = Path("build/mutants")
COLUMNS = ["module", "change", "code", "caught", "tests"]
LIMIT = 120.0  # seconds of computing; a mutant that takes longer is caught


def tests(module: str) -> list[str]:
    """The files of tests that a mutant has to pass: those of the module itself first."""
    if module.startswith("tests/"):
        return [module]
    package = module.split("/")[0]
    files = [
        str(p) for name in (package, *USERS.get(package, [])) for p in sorted(Path("tests", name).rglob("test_*.py"))
    ]
    return sorted(files, key=lambda file: file != own(module))


def stages(module: str, files: Iterable[str]) -> list[list[str]]:
    """These files, and the module's own alone in front of the others."""
    mine = [own(module)] * Path(own(module)).exists()
    return [stage for stage in (mine, [file for file in files if file not in mine]) if stage]


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
    project = {path.name for path in Path("lib").iterdir()} | {"conftest"}
    for path in files:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.ImportFrom(module=str(name)) | ast.Import(names=[ast.alias(name=name)]):
                    if name.split(".")[0] not in project:
                        with contextlib.suppress(ImportError):
                            exec(ast.unparse(node), {})
    gc.freeze()  # the garbage collector would copy these pages into each child


def anew(trial: Trial) -> str:
    """Start pytest on the changed file. Returns the test that fails."""
    if trial.change:
        path = trial.folder / source(trial.module)
        path.write_text(trial.code, "utf-8")
        second = int(digest(trial.code), 16) % 2**30  # Python takes an old .pyc if time and size are the same
        os.utime(path, (second, second))
    failure = FirstFailure()
    code = pytest_in(trial.folder, trial.tests, failure)
    return failure.name or (f"pytest: {code!r}" if code else "")


def try_all(trials: list[Trial], known: Known, plain: Path, folders: list[Path], limit: float) -> None:
    """Find out which of them the tests catch."""
    survivors = []
    if trials:
        every = sorted({file for trial in trials for file in tests(trial.module)})
        for trial in tqdm(in_place(trials, every, plain, folders, limit), "mutants", len(trials), disable=None):
            if not trial.caught:
                trial.stages = stages(trial.module, trial.executing)
                survivors.append(trial)
            if trial.caught or not trial.stages:
                known.add(trial)
    again = [trial for trial in survivors if trial.stages]
    for trial in tqdm(run(again, anew, folders, limit), "survivors, anew", len(again), disable=None):
        if trial.caught:
            check(deciding(trial.caught, trial.module), known, plain, limit)
        known.add(trial)


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
    return [Trial(module, change, code, []) for change, code in found], count


def check(files: list[str], known: Known, folder: Path, limit: float) -> None:
    """What caught a mutant must pass without it."""
    code = "".join(path.read_text("utf-8") for path in sorted(Path("lib").rglob("*.py")))
    for trial in [Trial(file, "", code, [[file]]) for file in files]:
        if trial not in known:
            list(run([trial], anew, [folder], limit))
            if trial.caught:
                sys.exit(f"{trial.caught} without any change, see {folder}/output.txt")
            known.add(trial)


def is_named(change: str, name: str) -> bool:
    """Whether this name is that of the change: "short = …" is that of each change that begins so."""
    return change.startswith(name[:-1]) if name.endswith("…") else change == name


def report(module: str, trials: list[Trial], count: int) -> tuple[int, int]:
    """Print what was found; returns how many mutants were caught, and how many neither caught nor named."""
    named = [row["change"] for row in read(NAMED) if row["module"] == module]
    survivors = [trial.change for trial in trials if not trial.caught]
    unnamed = [change for change in survivors if not any(is_named(change, name) for name in named)]
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
    for _, group in groupby(modules, key=lambda module: module.split("/")[0]):
        found = {module: chosen(module, options.sample) for module in group}
        new = [trial for trials, _ in found.values() for trial in trials if trial not in known]
        try_all(new, known, plain, folders, options.limit)
        for module, (trials, count) in found.items():
            n, left = report(module, trials, count)
            tried, caught, unnamed = tried + len(trials), caught + n, unnamed + left
    print(
        f"{caught} of {tried} mutants caught ({100 * caught / max(tried, 1):.1f} %), {unnamed} neither caught nor named in {NAMED}"
    )
    return int(unnamed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
