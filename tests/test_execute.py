"""The program that runs the book's pages: in order, two at a time, only what is out of date; on small books of its own."""

import io
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import nbformat
import pytest
import yaml
from benchmarks import book as report
from jupyter_cache import get_cache

import execute
import staleness

ROOT = Path(__file__).parents[1]
SAYS = "import os, time\nlog = open(os.environ['EXECUTE_LOG'], 'a')\nprint({name!r}, {event!r}, file=log, flush=True)"
MARKDOWN = """\
---
file_format: mystnb
kernelspec: {{name: python3, display_name: Python 3}}
---
# {title}

```{{code-cell}} ipython3
{code}
```
"""


def notebook(*cells: str, title: str = "A page") -> nbformat.NotebookNode:
    cells = [nbformat.v4.new_markdown_cell(f"# {title}"), *map(nbformat.v4.new_code_cell, cells)]
    for i, cell in enumerate(cells):
        cell.id = f"cell-{i}"  # nbformat's are random
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


class Book:
    """A book on disk, with a library `town` that its pages may import, and what its pages note as they run."""

    def __init__(self, root: Path):
        self.root, self.pages = root, []
        write(root / "requirements.txt", "# tools\ntorch==1.0\n")
        config = {"execute": {"execute_notebooks": "cache", "timeout": 20}, "only_build_toc_files": True}
        write(root / "_config.yml", yaml.safe_dump(config))
        write(root / "lib" / "town" / "__init__.py", '"""A town."""\n')
        write(root / "lib" / "town" / "people.py", "from town.places import PLACE\n\nNAMES = ['Anna', PLACE]\n")
        write(root / "lib" / "town" / "places.py", '"""Places."""\nPLACE = "market"  # one is enough\n')
        write(root / "lib" / "town" / "music.py", "SONG = 1\n")
        self.order({})

    def order(self, order: dict) -> None:
        write(
            self.root / "book" / "order.yml", yaml.safe_dump({f"book/{page}": entry for page, entry in order.items()})
        )

    def page(self, name: str, *cells: str, log: bool = True) -> None:
        noted = [SAYS.format(name=name, event=event) for event in ("starts", "ends")] if log else ["", ""]
        write(self.root / "book" / f"{name}.ipynb", nbformat.writes(notebook(noted[0], *cells, noted[1], title=name)))
        self.pages += [name] if name not in self.pages else []
        toc = {"format": "jb-book", "root": "book/index", "chapters": [{"file": f"book/{p}"} for p in self.pages]}
        write(self.root / "book" / "index.md", "# The book\n")
        write(self.root / "_toc.yml", yaml.safe_dump(toc))

    def noted(self) -> list[str]:
        log = self.root / "log.txt"
        return log.read_text("utf-8").splitlines() if log.exists() else []

    def run(self, jobs: int = 2) -> tuple[int, list[str], str]:
        """Run it; return the exit status, the pages that ran (as they ended), and all that was printed."""
        before, printed = len(self.noted()), io.StringIO()
        with redirect_stdout(printed):
            status = execute.main(self.root, jobs)
        return status, [line.split()[0] for line in self.noted()[before:] if line.endswith("ends")], printed.getvalue()


@pytest.fixture
def book(tmp_path, monkeypatch):
    monkeypatch.setenv("EXECUTE_LOG", str(tmp_path / "log.txt"))
    return Book(tmp_path)


def key(book: Book, *cells: str) -> str:
    return staleness.key(notebook(*cells), book.root)


# The order


@pytest.mark.slow
def test_a_page_waits_for_those_it_comes_after_and_others_run_beside_them(book):
    for page, wait in {"last": 0, "first": 1.5, "beside": 0.5, "second": 0}.items():
        book.page(page, f"time.sleep({wait})")
    book.order({"last": {"after": ["book/second"]}, "second": {"after": ["book/first"]}, "beside": {"seconds": 1}})
    status, ran, printed = book.run()
    assert status == 0
    assert [page for page in ran if page != "beside"] == ["first", "second", "last"]
    noted = book.noted()
    assert noted.index("beside starts") < noted.index("first ends")  # two at a time
    assert noted.index("first ends") < noted.index("second starts")
    assert printed.startswith("4 of 4 pages to run, 2 at a time\n")
    for page in ran:
        assert f" s  book/{page}\n" in printed


def test_what_begins_the_longest_chain_runs_first():
    order = {
        "short": {"seconds": 1},
        "long": {"seconds": 50},
        "opens": {"seconds": 5},
        "chain": {"seconds": 90, "after": ["opens"]},
    }
    assert execute.longest_first(set(order), order) == ["opens", "chain", "long", "short"]
    assert execute.longest_first({"chain", "unknown", "short"}, order) == ["chain", "unknown", "short"]


def test_pages_that_wait_for_each_other_are_refused(book):
    order = {"a": {"after": ["b"]}, "b": {"after": ["a"]}}
    with pytest.raises(ValueError, match=r"a circle: (a before b before a|b before a before b)"):
        execute.longest_first({"a", "b"}, order)


def test_the_books_order_names_every_page_with_code_and_no_circle():
    order = yaml.safe_load((ROOT / "book" / "order.yml").read_text("utf-8"))
    pages = execute.notebooks(ROOT)
    assert order.keys() == pages.keys()
    assert {name for entry in order.values() for name in entry.get("after", [])} <= pages.keys()
    assert set(execute.longest_first(set(order), order)) == set(order)
    assert {key for entry in order.values() for key in entry} == {"seconds", "after"}


# When a page is out of date


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("lib/town/places.py", '"""Other words."""\n\n# a comment\nPLACE = (\n    "market"\n)\n'),
        ("lib/town/music.py", "SONG = 2\n"),
        ("requirements.txt", "torch==1.0  # the newest\n\n# more\n"),
        ("benchmarks/results/speed.json", '{"rows": 2}'),
    ],
    ids=["comment and docstring", "module not imported", "comment on a version", "result not named"],
)
def test_the_key_stays(book, file, text):
    cells = ("%matplotlib inline\nfrom town.people import NAMES", "!ls")
    before = key(book, *cells)
    write(book.root / file, text)
    assert key(book, *cells) == before


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("lib/town/people.py", "from town.places import PLACE\n\nNAMES = ['Tom', PLACE]\n"),
        ("lib/town/places.py", 'PLACE = "station"\n'),
        ("lib/town/__init__.py", "import os\n"),
        ("lib/town/look.mplstyle", "font.size: 9"),
        ("requirements.txt", "torch==1.1\n"),
        ("benchmarks/results/sizes.json", '{"rows": 2}'),
    ],
    ids=["module", "module of a module", "package", "style sheet", "version", "result"],
)
def test_the_key_changes(book, file, text):
    cells = ("from town import people", 'published("sizes")')
    write(book.root / "benchmarks" / "results" / "sizes.json", '{"rows": 1}')
    before = key(book, *cells)
    write(book.root / file, text)
    assert key(book, *cells) != before


def test_the_key_changes_with_a_module_that_is_imported_by_a_computed_name(book):
    computed = (
        "from importlib import import_module\n\ndef load(task):\n    return import_module(f'town.tasks.{task}')\n"
    )
    write(book.root / "lib" / "town" / "tasks" / "__init__.py", computed)
    write(book.root / "lib" / "town" / "tasks" / "stories.py", "from town.music import SONG\n")
    before = key(book, "from town.tasks import load")
    write(book.root / "lib" / "town" / "music.py", "SONG = 2\n")
    assert key(book, "from town.tasks import load") != before


def test_the_key_changes_with_a_cell_and_with_what_it_may_raise(book):
    page = notebook("1 / 0")
    before = staleness.key(page, book.root)
    assert key(book, "1 / 1") != before
    page.cells[1].metadata["mystnb"] = {"figure": {"caption": "What a caption says changes no output"}}
    assert staleness.key(page, book.root) == before
    page.cells[1].metadata["tags"] = ["raises-exception"]
    assert staleness.key(page, book.root) != before


@pytest.mark.parametrize(
    ("source", "names"),
    [("import a.b, c as d", {"a.b", "c"}), ("def f():\n    from a.b import c", {"a.b.c"})],
)
def test_imports_are_found_wherever_they_stand(source, names):
    assert staleness.identity.imports(staleness.ast.parse(source)) == names


@pytest.mark.slow
def test_only_what_is_out_of_date_runs_again(book):
    book.page("people", "from sys import path; path.append('../lib')\nfrom town.people import NAMES")
    book.page("plain", "1 + 1")
    assert sorted(book.run()[1]) == ["people", "plain"]
    assert book.run()[1] == []

    write(book.root / "lib" / "town" / "places.py", 'PLACE = "station"')
    assert book.run()[1] == ["people"]
    book.page("plain", "1 + 2")
    assert book.run()[1] == ["plain"]
    book.page("plain", "1 + 1")  # back again
    assert book.run()[1] == []

    write(book.root / "lib" / "town" / "places.py", "PLACE = 1 / 0")
    assert book.run()[0] == 1
    with pytest.raises(KeyError):  # what is out of date can't get into the site
        get_cache(book.root / "_build" / ".jupyter_cache").match_cache_notebook(
            execute.notebooks(book.root)["book/people"]
        )


@pytest.mark.slow
def test_a_caption_changes_without_a_run(book):
    book.page("figure", "6 * 7")
    book.run()
    path = book.root / "book" / "figure.ipynb"
    changed = nbformat.read(path, 4)
    changed.cells[2].metadata["mystnb"] = {"figure": {"caption": "Another caption"}}
    nbformat.write(changed, path)
    assert book.run()[1] == []
    _, found = get_cache(book.root / "_build" / ".jupyter_cache").merge_match_into_notebook(changed)
    assert found.cells[2].outputs[0].data["text/plain"] == "42"
    assert found.cells[2].metadata.mystnb.figure.caption == "Another caption"


# Failures


@pytest.mark.slow
def test_a_failure_is_named_and_the_others_go_on(book, capsys):
    config = yaml.safe_load((book.root / "_config.yml").read_text("utf-8"))
    config["execute"]["timeout"] = 2
    write(book.root / "_config.yml", yaml.safe_dump(config))
    failing = {"wrong": "assert 1 == 2, 'not yet'", "endless": "time.sleep(60)", "deadly": "os._exit(1)"}
    for page, code in failing.items():
        book.page(page, "x = 1", code)
    book.page("meant", "1 / 0", log=False)
    meant = nbformat.read(path := book.root / "book" / "meant.ipynb", 4)
    meant.cells[2].metadata["tags"] = ["raises-exception"]
    nbformat.write(meant, path)
    book.page("whole", "x = 2")
    book.order({"whole": {"after": ["book/wrong", "book/endless", "book/deadly"]}})

    status, ran, printed = book.run()
    errors = capsys.readouterr().err
    assert (status, ran) == (1, ["whole"])
    for page, said in {
        "wrong": "CellExecutionError",
        "endless": "CellTimeoutError",
        "deadly": "DeadKernelError",
    }.items():
        assert f"book/{page}, cell 4 of 5: {said}\n" in errors
        assert f"; book/{page} failed" in printed
    assert "AssertionError: not yet" in errors
    assert "\x1b" not in errors
    assert "meant failed" not in printed

    book.page("wrong", "x = 1")
    assert book.run()[1] == ["wrong"]  # what was whole isn't run again


def test_a_circle_is_one_line_and_exit_status_2(book):
    book.page("a")
    book.order({"a": {"after": ["book/a"]}})
    command = [sys.executable, ROOT / "tools" / "execute.py", book.root]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr == "execute: book/order.yml has a circle: book/a before book/a\n"


# What comes after it


@pytest.mark.slow
def test_jupyter_book_finds_the_results_and_runs_nothing(book):
    write(book.root / "book" / "words.md", MARKDOWN.format(title="Words", code=SAYS.format(name="words", event="ends")))
    book.pages.append("words")
    book.page("numbers", "6 * 7")
    status, ran, _ = book.run()
    assert (status, sorted(ran)) == (0, ["numbers", "words"])
    command = [Path(sys.executable).with_name("jupyter-book"), "build", ".", "--all"]
    built = subprocess.run(command, cwd=book.root, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    assert len(book.noted()) == 3  # as before
    assert "</span>42\n" in (book.root / "_build" / "html" / "book" / "numbers.html").read_text("utf-8")


@pytest.mark.slow
def test_the_report_shows_seconds_by_page_and_the_slowest_cells(book):
    book.page("quick", "x = 1", log=False)
    book.page("slow", "import time", "# waits\ntime.sleep(0.5)", log=False)
    book.run()
    lines = report.lines(book.root)
    assert [line.split()[-1] for line in lines if " s  book/" in line] == ["book/slow", "book/quick"]
    slowest = lines[lines.index("The ten slowest cells") + 1]
    assert 0.5 <= float(slowest.split()[0]) < 5
    assert slowest.split()[1:] == ["book/slow,", "code", "cell", "3:", "time.sleep(0.5)"]
