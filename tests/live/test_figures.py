"""The live figures in a browser: what a reader chooses and writes, and what the figure then says."""

import pytest
import torch
from axe_playwright_python.base import AXE_SCRIPT

from seqbook import live
from seqbook.nn import masks

WORDS = "Anna had a key and a lamp ."
FINDINGS = "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => `${id}: ${nodes.map(n => n.html)}`))"


def assert_accessible(page):
    page.evaluate(AXE_SCRIPT)
    assert page.evaluate(FINDINGS) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    assert page.faults == []


def test_every_mask_of_the_explorer_is_that_of_the_library(show):
    page = show("")
    for length in (4, 8):
        for prefix in range(length + 1):
            for padding in range(4):
                ids = torch.ones(1, length, dtype=torch.long)
                ids[:, length - padding :] = 0
                wanted = (masks.prefix(torch.tensor([prefix]), length) & masks.padding(ids, pad_id=0))[0, 0].tolist()
                of = [length, prefix, padding]
                call = "async of => (await import('./figures/masks.js')).mask(...of)"
                assert page.evaluate(call, of) == wanted, of


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_mask_follows_the_reader_and_is_told_in_words(show, width, theme):
    page = show(live.figure("masks", None, "Masks.", text=WORDS, prefix=3, query=2), width=width, theme=theme)
    page.locator("figure[data-ready]").wait_for()
    asked = [url.rpartition("/")[2] for url in page.asked]
    wanted = ["chapter.html", "element.js", "live.css", "live.js?v=1", "masks.js", "parts.js"]
    assert sorted(url for url in asked if url != "favicon.ico") == wanted, "each once, and no model"
    rows, said = page.locator("tbody tr"), page.locator(".live-status")
    keys = page.locator("tbody td:last-child")
    assert keys.all_inner_texts() == ["1–3", "1–3", "1–3", "1–4", "1–5", "1–6", "1–7", "1–8"]
    start = "Prefix 3, padding 0: bidirectional inside the prefix, causal after it. Query 2, “had”, may attend to"
    assert said.inner_text() == f"{start} “Anna”, “had”, “a”."
    page.get_by_role("button", name="Causal").press("Enter")
    assert keys.all_inner_texts() == ["1", "1–2", "1–3", "1–4", "1–5", "1–6", "1–7", "1–8"]
    assert page.get_by_role("button", name="Causal").get_attribute("aria-pressed") == "true"
    page.get_by_role("slider", name="prefix").press("End")
    page.get_by_role("slider", name="padding").press("ArrowRight")
    assert keys.all_inner_texts() == ["1–7"] * 8
    assert page.get_by_role("button", name="Full").get_attribute("aria-pressed") == "true"
    last = page.get_by_role("button", name="8 <pad>")
    last.press("Enter")
    assert last.evaluate("e => e === document.activeElement")
    assert said.inner_text().endswith("“a”, “lamp”. Its own output is ignored.")
    seen = [[cell == "yes" for cell in row.locator("td").all_text_contents()[:8]] for row in rows.all()]
    assert seen == [[True] * 7 + [False]] * 8
    assert_accessible(page)


def test_without_javascript_a_sentence_stands_in_the_place_of_the_masks():
    html = live.figure("masks", None, "Masks.", text=WORDS)
    assert "data-model" not in html
    assert "On the published page, this figure can be changed." in html
