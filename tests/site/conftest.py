"""The built site, served on this machine, and a browser that notes what goes wrong on its pages."""

import functools
import http.server
import threading
from pathlib import Path

import pytest

SITE = Path(__file__).parents[2] / "_build" / "html"
WIDGET = "script[type='application/vnd.jupyter.widget-view+json']"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def site():
    """The address of the site, served on this machine."""
    if not (SITE / "index.html").exists():
        pytest.fail(f"{SITE} is not there: run `make book`, or `make site`, which does both")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=SITE)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


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
