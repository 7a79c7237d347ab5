"""`make results`: the published sweeps, made anew. Each row says which recipe it ran, with which settings and seed, and where.

python -m benchmarks.publish [--again] [--jobs N] [--only TEXT] [NAME...]

Rows of all sweeps go one at a time on each GPU, or on each core with one thread (or N at a time), and are written as
they are finished. Runs are kept in SEQBOOK_HOME, so an interrupted sweep continues where it was. A row that still belongs to its
recipe is kept, unless --again.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from queue import SimpleQueue
from subprocess import PIPE
from typing import Any

import seqbook  # noqa: F401  before torch: it sets how threads wait

# isort: split
import torch
from benchmarks.sweeps import SWEEPS

from seqbook.runs import children, published
from seqbook.storage import writing
from seqbook.training.device import device_name

ONE_CORE = {"OMP_NUM_THREADS": "1"}  # the variables of a process that makes a row


class Rows:
    """The rows of one sweep, in the order of its cases, and the file that holds them."""

    def __init__(self, name: str, again: bool):
        self.name, self.sweep = name, SWEEPS[name]
        self.wanted = {case.key(seed): (case, seed) for case in self.sweep.cases for seed in self.sweep.seeds}
        self.file = published.FOLDER / f"{name}.json"
        kept = json.loads(self.file.read_text(encoding="utf-8"))["rows"] if self.file.is_file() and not again else []
        keys = {(seed, as_key(case.config())): key for key, (case, seed) in self.wanted.items()}
        belongs = [(keys.get((row["seed"], as_key(row["config"]))), row) for row in kept]
        self.rows = {key: row for key, row in belongs if key is not None}

    def missing(self) -> list[str]:
        return [key for key in self.wanted if key not in self.rows]

    def write(self) -> None:
        """Write the rows that there are. A sweep without any has no file: a page would take it for a published one."""
        if not self.rows:
            self.file.unlink(missing_ok=True)
            return
        about = {"about": self.sweep.about, "command": f"python -m benchmarks.publish {self.name}"}
        with writing(self.file) as scratch:
            text = as_text(about, [self.rows[key] for key in self.wanted if key in self.rows])
            scratch.write_text(text, encoding="utf-8")


def publish(names: Iterable[str], again: bool = False, at_once: int | None = None, only: str = "") -> int:
    """Make the rows that are missing, or all of them; returns how many failed. A row that fails is named, and the others
    go on."""
    about = {"commit": published.commit()}
    sweeps = {name: Rows(name, again) for name in names}
    for name, rows in sweeps.items():
        print(f"{name}: {len(rows.rows)} rows are kept, {len(rows.missing())} are to be made", flush=True)
        rows.write()
    failed = 0
    places = SimpleQueue()
    for place in (found := places_for_rows(at_once)):
        places.put(place)

    def make(name: str, key: str) -> dict[str, Any]:
        place = places.get()
        try:
            return row_of(name, key, place)
        finally:
            places.put(place)

    with ThreadPoolExecutor(len(found)) as pool:
        jobs = {
            pool.submit(make, name, key): (name, key)
            for name in sweeps
            for key in sweeps[name].missing()
            if only in key
        }
        try:
            for job in as_completed(jobs):
                name, key = jobs[job]
                try:
                    row = job.result()
                except RuntimeError as error:
                    failed += 1
                    print(f"  {name} {key} failed: {error}", file=sys.stderr, flush=True)
                    continue
                sweeps[name].rows[key] = row | {name: value for name, value in about.items() if name not in row}
                sweeps[name].write()
                found = f": val_loss {row['val_loss']:.3f}" if "val_loss" in row else ""
                print(f"  {name} {key}{found}", flush=True)
        finally:
            pool.shutdown(cancel_futures=True)
    return failed


def places_for_rows(at_once: int | None = None) -> list[dict[str, str]]:
    """For each row that is made at the same time, the variables of its process: one GPU, or one core."""
    gpus = [{"CUDA_VISIBLE_DEVICES": str(i)} for i in range(torch.cuda.device_count())]
    places = gpus or [ONE_CORE] * (os.cpu_count() or 1)
    return [places[i % len(places)] for i in range(at_once or len(places))]


def row_of(name: str, key: str, place: Mapping[str, str] = ONE_CORE) -> dict[str, Any]:
    """A row, made by a process of its own with these variables.

    Raises:
        RuntimeError: the process failed; with its message.
    """
    command = [sys.executable, "-m", "benchmarks.publish", name, "--row", key]
    done = children.call(command, env=os.environ | dict(place), stdout=PIPE, stderr=PIPE, text=True)
    if done.returncode:
        raise RuntimeError((done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1])
    return json.loads(done.stdout.splitlines()[-1])


def as_key(config: Mapping[str, Any]) -> str:
    """The configuration as text. The order of its settings means nothing."""
    return json.dumps(config, sort_keys=True)


def as_text(about: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> str:
    """JSON with a line for each row, so that a new row changes one line."""
    head = json.dumps(about, indent=1).removesuffix("\n}")
    return head + ',\n "rows": [\n' + ",\n".join(f"  {json.dumps(row)}" for row in rows) + "\n ]\n}\n"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.publish", description=__doc__.partition("\n")[0])
    parser.add_argument("name", nargs="*", help=f"{', '.join(SWEEPS)} (default: all)")
    parser.add_argument("--again", action="store_true", help="make the rows again that still belong to their recipes")
    parser.add_argument("--jobs", type=int, help="how many rows at a time (default: as many as there are cores)")
    parser.add_argument("--only", default="", help="make only the missing rows whose printed key holds this text")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    for name in options.name:
        if name not in SWEEPS:
            print(f"publish: unknown sweep {name!r}: choose one of {', '.join(SWEEPS)}", file=sys.stderr)
            return 2
    children.end_alike()
    if options.row:
        sweep = Rows(*options.name, again=True)
        case, seed = sweep.wanted[options.row]
        print(json.dumps({"device": device_name()} | case.make(seed, sweep.sweep.measure)))
        return 0
    return 1 if publish(options.name or SWEEPS, options.again, options.jobs, options.only) else 0


if __name__ == "__main__":
    sys.exit(main())
