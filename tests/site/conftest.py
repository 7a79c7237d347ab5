"""The built site, served on this machine, and a browser that notes what goes wrong on its pages."""

import functools
import http.server
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path

import nbformat
import pytest
import yaml

ROOT = Path(__file__).parents[2]
SITE = ROOT / "_build" / "html"
WIDGET = "script[type='application/vnd.jupyter.widget-view+json']"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@contextmanager
def served(folder: Path):
    """The address of a folder, served on this machine."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def site():
    if not (SITE / "index.html").exists():
        pytest.fail(f"{SITE} is not there: run `make book`, or `make site`, which does both")
    with served(SITE) as address:
        yield address


@pytest.fixture(scope="module")
def small_book(tmp_path_factory):
    """Build a book of one notebook, which holds its outputs, with the settings of the site; returns its address."""
    with ExitStack() as servers:

        def build(notebook: nbformat.NotebookNode) -> str:
            folder = tmp_path_factory.mktemp("small")
            config = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
            config["execute"]["execute_notebooks"] = "off"
            (folder / "_config.yml").write_text(yaml.safe_dump(config), "utf-8")
            (folder / "_toc.yml").write_text("{format: jb-book, root: page}", "utf-8")
            nbformat.write(notebook, folder / "page.ipynb")
            (folder / "book").mkdir()
            for name in ("tools", "book/_static", "book/references.bib"):
                (folder / name).symlink_to(ROOT / name)
            builder = Path(sys.executable).with_name("jupyter-book")
            subprocess.run([builder, "build", folder, "-q"], check=True)
            return servers.enter_context(served(folder / "_build" / "html"))

        yield build


@pytest.fixture(scope="module")
def readers(browser):
    """One browser profile with a cache for each theme."""
    return {theme: browser.new_context(color_scheme=theme) for theme in ("light", "dark")}


@pytest.fixture
def open_page(site, readers):
    """Open a page of the site; everything that went wrong on it is in `page.faults`."""
    pages = []

    def open_page(path: str, width: int = 1280, theme: str = "light"):
        page = readers[theme].new_page()
        pages.append(page)
        page.set_viewport_size({"width": width, "height": 900})
        page.faults = []
        page.on("console", lambda message: message.type == "error" and page.faults.append(message.text))
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.on("response", lambda response: response.status >= 400 and page.faults.append(response.url))
        own = (site, "data:", "blob:")
        page.on("request", lambda request: request.url.startswith(own) or page.faults.append(request.url))
        page.goto(site + path, wait_until="load")
        page.evaluate("Promise.all([window.MathJax?.startup?.promise, document.fonts.ready])")
        page.wait_for_function(f"!document.querySelector({WIDGET!r}) || document.querySelector('.jupyter-widgets')")
        return page

    yield open_page
    for page in pages:
        page.close()
