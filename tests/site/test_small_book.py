"""A page that holds what is hard for the site: wide code and tables, and words that stand outside of the text."""

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

WIDE = 60  # columns
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="


def row(cells: list[str], kind: str) -> str:
    return "<tr>" + "".join(f"<{kind}>{cell}</{kind}>" for cell in cells) + "</tr>"


@pytest.fixture(scope="module")
def page(small_book, browser):
    """The page's address."""
    columns = [f"column{i}" for i in range(WIDE)]
    prose = f"# Small\n\nText.\n\n| {' | '.join(columns)} |\n|{'---|' * WIDE}\n| {' | '.join(columns)} |\n\n`{'unbroken' * 15}`"
    prose += f"\n\nA {'term' * 60}\n: and its definition\n\n"
    table = f'<table class="dataframe"><thead>{row(columns, "th")}</thead><tbody>{row(columns, "td")}</tbody></table>'
    figure = {"name": "fig-small", "caption": "A wombat."}
    cells = [
        new_markdown_cell(prose),
        new_code_cell("GPTConfig(n_kv_heads=2)  # GPT-2, " + "longer than the column " * 12 + "quokka"),
        new_code_cell("look()", outputs=[new_output("stream", text="numbat 安娜看见了医生。" + " 1234567890" * 30)]),
        new_code_cell("table", outputs=[new_output("execute_result", {"text/html": table})]),
        new_code_cell(
            "show()",
            metadata={"mystnb": {"figure": figure, "image": {"alt": "A small picture that shows nothing at all."}}},
            outputs=[new_output("display_data", {"image/png": PIXEL})],
        ),
    ]
    return small_book(new_notebook(cells=cells))


@pytest.fixture
def opened(page, browser):
    tab = browser.new_page()
    tab.goto(page + "page.html", wait_until="load")
    yield tab
    tab.close()


def test_search_finds_what_stands_in_code_outputs_captions_and_tables(page, browser):
    tab = browser.new_page()
    tab.goto(page + "search.html?q=word")
    tab.wait_for_function("Search.hasIndex()")
    search = "query => Search._performSearch(...Search._parseQuery(query)).map(result => result[0])"
    there = [
        "quokka",
        "numbat",
        "wombat",
        "column7",
        "KV",
        "GPT2",
        "n_kv_heads",
        "kv heads",
        "GPTConfig",
        "看见",
        "医",
        "安娜看见",
    ]
    found = {query: tab.evaluate(search, query) for query in [*there, "platypus", "娜安"]}
    assert found == {query: ["page"] for query in there} | {"platypus": [], "娜安": []}
    tab.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_wide_code_and_tables_scroll_to_their_end_inside_their_own_box(opened, width):
    opened.set_viewport_size({"width": width, "height": 900})
    ends = """selector => {
        const node = document.querySelector(`.bd-article ${selector}`);
        let box = node;
        while (box.scrollWidth <= box.clientWidth) box = box.parentElement;  // the first that is too narrow for it
        const { overflowX } = getComputedStyle(box);
        box.scrollLeft = 1e6;
        const range = document.createRange();
        range.selectNodeContents(node);
        return [overflowX, range.getBoundingClientRect().right <= box.getBoundingClientRect().right + 1];
    }"""
    for selector in (".cell_input pre", ".cell_output pre", ".cell_output table", "section > :not(.cell) table"):
        assert opened.evaluate(ends, selector) == ["auto", True], selector
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
