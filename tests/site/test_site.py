"""The built site in a real browser, as its readers meet it. `make site` builds it first."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest
from axe_playwright_python.base import AXE_SCRIPT

import repository

ROOT = Path(__file__).parents[2]
SITE = ROOT / "_build" / "html"
PAGES = repository.pages()
CHAPTERS = [page for page in PAGES if (ROOT / f"{page}.ipynb").exists()]

# Elements that reach past the screen's edge outside of anything that scrolls by itself, or past a box that hides the rest.
CUT_OFF = """[...document.querySelectorAll(".bd-article *")].filter(e => {
    const { right } = e.getBoundingClientRect();
    for (let p = e; p && p !== document.body; p = p.parentElement) {
        const { overflowX, position } = getComputedStyle(p);
        if (["auto", "scroll"].includes(overflowX) || position === "absolute") return false;
        if (["hidden", "clip"].includes(overflowX) && right > p.getBoundingClientRect().right + 1) return true;
    }
    return right > innerWidth + 1;
}).map(e => e.outerHTML.slice(0, 120))"""

# Code cells hold thousands of coloured words, which would take axe-core most of its time: their contrast is measured
# once for each kind that a reader sees on the page, that is for each style of word in each sort of box.
ONE_OF_EACH_KIND = """() => {
    const kinds = new Set();
    for (const word of document.querySelectorAll("pre span")) {
        if (!word.checkVisibility()) continue;
        const box = word.closest(".cell_input, .cell_output, .highlight");
        const kind = [word, word.parentElement, box].map(e => e?.className).join();
        word.toggleAttribute("data-measured", kinds.has(kind));
        kinds.add(kind);
    }
    axe.configure({ rules: [{ id: "color-contrast", selector: ":not([data-measured])" }] });
}"""

# The side bars have moved to their places, and two frames later our script has seen the sizes that came of it.
SETTLED = """Promise.allSettled(document.getAnimations().map(a => a.finished))
    .then(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))))"""

# No rule among these reads the style sheets, which axe-core would fetch once more, and their imports from wrong places.
FINDINGS = """axe.run({
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"],
    resultTypes: ["violations"],
    preload: { assets: ["media"] },
}).then(({ violations }) => violations.flatMap(({ id, impact, nodes }) => nodes.map(
    ({ target, html, failureSummary }) => `${id} (${impact}) at ${target.join(" ")}\n${html}\n${failureSummary}`)))"""


class Page(HTMLParser):
    """The ids and the internal links of a page."""

    def __init__(self, path: Path):
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("id", "name") and value:
                self.ids.add(value)
            elif name in ("href", "src") and value and not urlsplit(value).scheme:
                self.links.append(value)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", [*PAGES, "search", "genindex"])
def test_page_loads_cleanly_fits_the_screen_and_is_accessible(open_page, path, theme):
    page = open_page(f"{path}.html", theme=theme)
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    page.evaluate(AXE_SCRIPT)
    page.evaluate(ONE_OF_EACH_KIND)
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(SETTLED)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(CUT_OFF) == [], f"wider than {width} pixels, and nothing to scroll it with"
        findings = page.evaluate(FINDINGS)
        assert not findings, "\n\n".join([f"axe-core at {width} pixels:", *findings])
    assert page.faults == []


@pytest.mark.parametrize("path", PAGES)
def test_images_are_described(open_page, path):
    page = open_page(f"{path}.html")
    assert page.evaluate("[...document.images].filter(i => !i.alt.trim()).map(i => i.src)") == []
    bare = "[...document.querySelectorAll('.cell_output img')].filter(i => !i.closest('figure')?.querySelector('figcaption'))"
    assert page.evaluate(f"{bare}.map(i => i.src)") == [], "a figure without name and caption in its cell's metadata"
    unnamed = "[...document.querySelectorAll('.drawing svg, .cell_output svg')].filter(s => !s.querySelector('title'))"
    assert page.evaluate(f"{unnamed}.map(s => s.outerHTML.slice(0, 120))") == []


@pytest.mark.parametrize("path", CHAPTERS)
def test_figures_keep_their_paper_in_the_dark(open_page, path):
    page = open_page(f"{path}.html", theme="dark")
    papers = page.eval_on_selector_all(".cell_output img", "all => all.map(i => getComputedStyle(i).backgroundColor)")
    assert set(papers) <= {"rgb(255, 255, 255)"}


@pytest.mark.parametrize("path", PAGES)
def test_formulas_and_widgets_are_rendered(open_page, path):
    page = open_page(f"{path}.html")
    raw = "[...document.querySelectorAll('.math')].filter(m => !m.querySelector('mjx-container'))"
    assert page.evaluate(f"{raw}.map(m => m.outerHTML)") == []
    assert page.eval_on_selector_all("mjx-merror", "all => all.map(m => m.outerHTML)") == []
    assert page.faults == []


@pytest.mark.parametrize("part", ["base", "controls", "html-manager/dist/libembed-amd"])
def test_widgets_look_for_their_fonts_where_they_are(open_page, part):
    """Some of them only at times: which of two rules for one font comes last depends on what is loaded first."""
    page = open_page("book/1_recurrent/attention_seq2seq.html")
    url = page.evaluate(f"new URL(require.toUrl('@jupyter-widgets/{part}.js'), document.location).pathname")
    assert url.rpartition("/")[0] == "/_static/widgets"


CONTROL = re.compile(
    r".*(Slider|Dropdown|Select\w*|Buttons?|Checkbox|Text|Textarea|Picker|Play|Combobox|Valid|Input|FileUpload|Password|"
    r"Time|Datetime|Controller)Model"
)


@pytest.mark.parametrize("path", CHAPTERS)
def test_every_control_of_a_widget_moves_something_without_a_kernel(path):
    """A control whose only listener is a Python function does nothing on the published page."""
    html = (SITE / f"{path}.html").read_text("utf-8")
    states = re.findall(r'<script type="application/vnd.jupyter.widget-state\+json">(.*?)</script>', html, re.DOTALL)
    models = {name: model for state in states for name, model in json.loads(state)["state"].items()}
    tied = [
        m["state"]["source"][0] for m in models.values() if m["model_name"] in {"LinkModel", "DirectionalLinkModel"}
    ]
    controls = [name for name, model in models.items() if CONTROL.fullmatch(model["model_name"])]
    assert {f"IPY_MODEL_{name}" for name in controls} <= set(tied)


# One element of each kind that holds Chinese characters of its own: prose, code, what a cell prints, tables, captions.
CHINESE = """() => {
    const chinese = /[\u3400-\u9fff]/, kinds = new Map();
    for (const e of document.querySelectorAll(".bd-article *:not(script, style)")) {
        const own = [...e.childNodes].filter(n => n.nodeType === 3).map(n => n.data).join("");
        if (!chinese.test(own) || !e.checkVisibility()) continue;
        const kind = [e.localName, e.closest(".cell_output, .cell_input, figcaption, table")?.className].join();
        if (!kinds.has(kind)) kinds.set(kind, e);
    }
    [...kinds.values()].forEach((e, i) => e.setAttribute("data-chinese", i));
    return [...kinds.values()].map(e => [e.innerText.replace(/[^\u3400-\u9fff]/g, "").length, e.outerHTML.slice(0, 120)]);
}"""


@pytest.mark.parametrize("path", PAGES)
def test_chinese_characters_come_with_the_site(open_page, path):
    page = open_page(f"{path}.html")
    found = page.evaluate(CHINESE)
    page.evaluate("document.fonts.ready")
    browser = page.context.new_cdp_session(page)
    for domain in ("DOM", "CSS"):
        browser.send(f"{domain}.enable")
    root = browser.send("DOM.getDocument")["root"]["nodeId"]
    for i, (n_characters, text) in enumerate(found):
        node = browser.send("DOM.querySelector", {"nodeId": root, "selector": f"[data-chinese='{i}']"})["nodeId"]
        fonts = browser.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]
        brought = sum(font["glyphCount"] for font in fonts if font["isCustomFont"] and "Noto" in font["familyName"])
        assert brought >= n_characters, (text, fonts)
    assert page.faults == []


def test_some_cell_prints_chinese(open_page):
    """Or the test above would hold nothing."""
    page = open_page("book/1_recurrent/rnn_seq2seq.html")
    assert any("<pre" in text or "<span" in text or "<td" in text for _, text in page.evaluate(CHINESE))


@pytest.mark.parametrize("path", CHAPTERS)
def test_chapter_opens_in_colab_and_downloads(open_page, path):
    page = open_page(f"{path}.html")
    name = urlsplit(repository.address()).path
    assert page.locator(f"a[href='https://colab.research.google.com/github{name}/blob/main/{path}.ipynb']").count()
    assert page.locator(f"a[href$='_sources/{path}.ipynb']").count()


@pytest.mark.parametrize("path", CHAPTERS)
def test_search_finds_a_word_of_the_chapter(open_page, path):
    page = open_page(f"{path}.html")
    words = page.evaluate("[...document.querySelectorAll('.bd-article p')].map(p => p.innerText).join(' ')").split()
    word = max((word for word in words if word.isascii() and word.isalpha() and word.islower()), key=len)
    page = open_page(f"search.html?q={word}")
    page.wait_for_selector(f"#search-results a[href*='{path}.html']")
    assert page.faults == []


def test_search_finds_each_abbreviation_where_it_is_explained(open_page):
    rows = "rows => rows.map(row => [row.cells[0].innerText, row.cells[2].querySelector('a').pathname.slice(1)])"
    rows = open_page("book/glossary.html").eval_on_selector_all("#abbreviations tbody tr", rows)
    assert len(rows) >= 40
    page = open_page("search.html?q=seqbook")
    page.wait_for_function("Search.hasIndex()")
    query = "query => Search._performSearch(...Search._parseQuery(query)).map(result => result[5])"
    missed = []
    for short, path in rows:
        sources = {result.rpartition(".")[0] for result in page.evaluate(query, short)}
        missed += [(short, wanted) for wanted in ("book/glossary", path.removesuffix(".html")) if wanted not in sources]
    assert missed == []


def test_internal_links_and_anchors_are_whole(site):
    pages = {path: Page(path) for path in SITE.rglob("*.html") if "_static" not in path.parts}
    broken = []
    for path, page in pages.items():
        for link in page.links:
            target, anchor = urldefrag(urljoin(path.as_uri(), link))
            file = Path(unquote(urlsplit(target).path))
            file = file / "index.html" if file.is_dir() else file
            if not file.exists() or (anchor and file in pages and unquote(anchor) not in pages[file].ids):
                broken.append(f"{path.relative_to(SITE)}: {link}")
    assert broken == []


def test_no_solution_is_published(site):
    for path in SITE.rglob("*"):
        if path.suffix in {".html", ".ipynb", ".md", ".txt", ".js"} and "_static" not in path.parts:
            assert "BEGIN SOLUTION" not in path.read_text("utf-8"), path
            assert "BEGIN HIDDEN TESTS" not in path.read_text("utf-8"), path


def test_claims_can_be_filtered_with_the_keyboard(open_page):
    page = open_page("book/claims.html")
    count = page.locator(".claims-filter output")
    shown = page.locator(".bd-article h3").filter(visible=True)
    total = shown.count()
    assert count.text_content() == f"{total} of {total} claims"
    page.get_by_label("Verdict").focus()
    page.keyboard.type("Wrong")
    assert 0 < shown.count() < total
    assert set(page.locator(".bd-article dd:visible strong:first-child").all_text_contents()) == {"Wrong."}
    page.goto(page.url + "#c1")  # which the filter hides
    shown.nth(total - 1).wait_for()
    page.get_by_label("Words").fill("special tokens")
    assert "C14. Special tokens must not occur in the text#" in shown.all_text_contents()
    page.get_by_role("button", name="Show all").press("Enter")
    shown.nth(total - 1).wait_for()


def test_claims_are_all_there_without_javascript(site, browser):
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(site + "book/claims.html")
    assert page.locator(".claims-filter").count() == 0
    assert page.locator(".bd-article h3").filter(visible=True).count() >= 23
    page.context.close()
