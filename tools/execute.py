"""Run the book's pages that hold code, one on each core, and leave their outputs where Jupyter Book looks for them.

python tools/execute.py [FOLDER]    run what is out of date: what `make book` does before it builds the site

`book/order.yml` says how long each page takes and which pages have to be run before it. `staleness.py` says when a
page is out of date. A page that fails is named, with its cell; the others go on, and the exit status is 1.
"""

import os
import re
import sys
import time
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn, JupyterCacheAbstract
from myst_nb.core.config import NbParserConfig
from myst_nb.core.read import create_nb_reader
from myst_parser.config.main import MdParserConfig
from nbclient import NotebookClient
from nbformat import NotebookNode
from traitlets.config import Config

import repository
from staleness import code_cells, key

KEPT = 100  # executions in the cache: a few for each page, so that going back to an older text costs nothing


def notebooks(root: Path) -> dict[str, NotebookNode]:
    """The pages with code, read as MyST-NB reads them: Jupyter's notebooks and Markdown with code cells."""
    found = {}
    for page in repository.pages(root):
        path = next(path for suffix in ("ipynb", "md") if (path := root / f"{page}.{suffix}").exists())
        text = path.read_text("utf-8")
        reader = create_nb_reader(str(path), MdParserConfig(), NbParserConfig(), text)
        if reader and code_cells(notebook := reader.read(text)):
            found[page] = notebook
    return found


def is_done(notebook: NotebookNode, its_key: str, cache: JupyterCacheAbstract) -> bool:
    """Whether the cache holds this page's outputs; what MyST-NB would take for them and is out of date is removed.

    jupyter-cache compares the cells' metadata too: where only a caption has changed, the outputs are stored anew.
    """
    with suppress(KeyError):
        match = cache.match_cache_notebook(notebook)
        if match.data.get("key") == its_key:
            return True
        cache.remove_cache(match.pk)
    done = next((record for record in cache.list_cache_records() if record.data.get("key") == its_key), None)
    if done:
        old = cache.get_cache_bundle(done.pk).nb
        for cell, executed in zip(code_cells(notebook), code_cells(old), strict=True):
            cell.outputs, cell.execution_count = executed.outputs, executed.execution_count
        notebook.metadata |= {name: old.metadata[name] for name in ("language_info", "widgets") if name in old.metadata}
        cache.cache_notebook_bundle(CacheBundleIn(notebook, done.uri, data=done.data), check_validity=False)
    return bool(done)


def execute(notebook: NotebookNode, folder: Path, timeout: float) -> tuple[NotebookNode, list[float], str]:
    """Run all cells in a kernel of their own; return the notebook, the seconds of each code cell, and what failed."""
    seconds: dict[int, float] = {}

    def start(cell: NotebookNode, cell_index: int) -> None:
        seconds[cell_index] = -time.time()

    def end(cell: NotebookNode, cell_index: int, execute_reply: dict) -> None:
        seconds[cell_index] += time.time()

    # nbclient's own timing would go into the cells' metadata, which jupyter-cache compares.
    options = {"timeout": timeout, "record_timing": False, "on_cell_execute": start, "on_cell_executed": end}
    options |= {"resources": {"metadata": {"path": str(folder)}}, "extra_arguments": ["--log-level=ERROR"]}
    with TemporaryDirectory() as sockets:  # not ports: another process may take one before the kernel does
        kernel = {"transport": "ipc", "ip": f"{sockets}/kernel"}
        try:
            NotebookClient(notebook, config=Config({"KernelManager": kernel}), **options).execute()
        except Exception as error:  # a cell's own, or its time is over, or the kernel has died
            where = f"cell {max(seconds) + 1} of {len(notebook.cells)}" if seconds else "before its first cell"
            return notebook, [], f"{where}: {type(error).__name__}\n" + re.sub(r"\x1b\[[\d;]*m", "", str(error))
    return notebook, [seconds.get(i, 0.0) for i, c in enumerate(notebook.cells) if c.cell_type == "code"], ""


def longest_first(pages: set[str], order: dict[str, dict]) -> list[str]:
    """The pages, sorted by the seconds of the longest chain of pages that each of them begins.

    Raises:
        ValueError: pages that wait for each other in a circle.
    """

    def length(page: str, *before: str) -> float:
        if page in before:
            raise ValueError(f"book/order.yml has a circle: {' before '.join([*before, page])}")
        then = [length(p, *before, page) for p in pages if page in order.get(p, {}).get("after", [])]
        return order.get(page, {}).get("seconds", 60) + max(then, default=0)

    return sorted(pages, key=lambda page: (-length(page), page))


def main(root: Path = repository.ROOT, jobs: int = os.cpu_count() or 1) -> int:
    """Run what is out of date, `jobs` pages at a time; return the exit status."""
    os.environ["OMP_NUM_THREADS"] = "1"  # more threads than cores would only be in each other's way
    timeout = yaml.safe_load((root / "_config.yml").read_text("utf-8"))["execute"]["timeout"]
    order = yaml.safe_load((root / "book" / "order.yml").read_text("utf-8"))
    cache = get_cache(root / "_build" / ".jupyter_cache")
    cache.change_cache_limit(KEPT)
    pages = notebooks(root)
    keys = {page: key(notebook, root) for page, notebook in pages.items()}
    waiting = longest_first({page for page in pages if not is_done(pages[page], keys[page], cache)}, order)
    print(f"{len(waiting)} of {len(pages)} pages to run, {jobs} at a time", flush=True)

    began, running, failed = time.time(), {}, []
    with ProcessPoolExecutor(jobs) as pool:
        while waiting or running:
            busy = {*waiting, *running.values()}
            ready = [page for page in waiting if not busy.intersection(order.get(page, {}).get("after", []))]
            for page in ready[: jobs - len(running)]:
                waiting.remove(page)
                running[pool.submit(execute, pages[page], (root / page).parent, timeout)] = page

            for future in wait(running, return_when=FIRST_COMPLETED).done:
                page, (notebook, seconds, failure) = running.pop(future), future.result()
                if failure:
                    failed.append(page)
                    print(f"\n{page}, {failure}\n", file=sys.stderr, flush=True)
                    continue
                data = {"execution_seconds": sum(seconds), "seconds": seconds, "key": keys[page]}
                bundle = CacheBundleIn(notebook, page, data=data)
                cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
                print(f"{sum(seconds):7.1f} s  {page}", flush=True)
    print(f"{time.time() - began:7.1f} s  in all" + "".join(f"; {page} failed" for page in failed), flush=True)
    return bool(failed)


if __name__ == "__main__":
    try:
        sys.exit(main(*map(Path, sys.argv[1:2])))
    except ValueError as error:
        print(f"execute: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:  # nbclient has ended the kernels
        print("execute: interrupted; the pages that are done are kept", file=sys.stderr)
        sys.exit(130)
