"""Export the models that work on the published page: what `make book` does once the chapters have trained them.

python tools/live.py [NAME...]    the models of these recipes (default: all), two at a time

A model that was exported from the same run by the same code stays as it is. One that fails is named, the others go on,
and the exit status is 1.
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import repository
from seqbook.identity import code_identity, fingerprint
from seqbook.live.export import GRAPHS
from seqbook.recipes import configure
from seqbook.runs.run import identify

MODELS = repository.ROOT / "book" / "_static" / "live" / "models"


def identity(name: str) -> str:
    """What an exported model depends on."""
    graph = GRAPHS[name]
    run = identify(configure(graph.recipe or name, **graph.settings), None, 0)
    return fingerprint(run.settings, run.code, graph.steps, code_identity("seqbook.live.export"))


def is_done(folder: Path, its_identity: str) -> bool:
    file = folder / "about.json"
    return file.is_file() and json.loads(file.read_text("utf-8")).get("identity") == its_identity


def export(name: str) -> str:
    """Export one model in a process of its own, since a process can export only one with LSTMs: "" or what went wrong."""
    if is_done(MODELS / name, identity(name)):
        return ""
    command = [sys.executable, "-m", "seqbook.live.export", name, str(MODELS / name), identity(name)]
    done = subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    return f"{name}: {(done.stderr.strip() or 'no message').splitlines()[-1]}" if done.returncode else ""


def main(names: list[str]) -> int:
    with ThreadPoolExecutor(2) as pool:
        failed = [line for line in pool.map(export, names or GRAPHS) if line]
    for line in failed:
        print(f"live: {line}", file=sys.stderr)
    size = sum(path.stat().st_size for path in MODELS.rglob("*") if path.suffix in (".onnx", ".bin")) / 1e6
    print(f"{MODELS}: {len(list(MODELS.glob('*/about.json')))} models, {size:.0f} MB")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
