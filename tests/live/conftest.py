"""The page's own code in a browser, without a built site: its folder is served, and pages are made up."""

import functools
import http.server
import threading
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "book" / "_static" / "live"
THEME = """<!doctype html><html lang="en" data-theme="{theme}"><meta charset="utf-8"><title>A chapter</title>
<meta name="viewport" content="width=device-width">
<style>
  html {{ --pst-color-background: #fff; --pst-color-text-base: #222; --pst-color-primary: #176de8;
    --pst-color-border: #888; --pst-color-surface: #eee; --pst-color-text-muted: #555; --pst-color-danger: #b00; }}
  html[data-theme="dark"] {{ --pst-color-background: #121; --pst-color-text-base: #ddd; --pst-color-primary: #8af;
    --pst-color-border: #888; --pst-color-surface: #333; --pst-color-text-muted: #aaa; --pst-color-danger: #f99; }}
  body {{ background: var(--pst-color-background); color: var(--pst-color-text-base); font: 16px sans-serif; }}
  figure {{ margin: 0; }}
</style><link rel="stylesheet" href="live.css"><script type="module" src="live.js?v=1"></script>
<body class="bd-content"><main class="bd-article"><h1>A chapter</h1>{body}</main></body></html>"""


@pytest.fixture(scope="module")
def address():
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=FOLDER)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def show(browser, address):
    """Open a page with these figures, as the site does; what goes wrong is in `page.faults`, each address in `page.asked`.

    models: a folder of exported models, instead of the site's.
    """
    pages = []

    def show(body: str, width: int = 1280, theme: str = "light", models: Path | None = None):
        page = browser.new_page(viewport={"width": width, "height": 900})
        pages.append(page)
        page.faults, page.asked = [], []
        page.on("console", lambda message: message.type == "error" and page.faults.append(message.text))
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        html = THEME.format(theme=theme, body=body)
        page.route("**/chapter.html", lambda route: route.fulfill(body=html, content_type="text/html"))
        if models:
            name = f"{address}/models/"
            page.route(f"{name}**", lambda route: route.fulfill(path=models / route.request.url.removeprefix(name)))
        page.goto(f"{address}/chapter.html")
        return page

    yield show
    for page in pages:
        page.close()
