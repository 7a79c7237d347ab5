"""The live figures on the built pages: nothing before a click, then the model's own numbers."""

import json
import random
import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from seqbook.live.export import GRAPHS

SITE = Path(__file__).parents[2] / "_build" / "html"
EVERY = [
    (path.relative_to(SITE).as_posix(), i, " data-model=" in tag)
    for path in sorted(SITE.glob("book/[0-9]*/*.html"))
    for i, tag in enumerate(re.findall('<figure class="live"[^>]*', path.read_text("utf-8")))
]
FIGURES = [(path, i) for path, i, has_model in EVERY if has_model]
AT_ONCE = [(path, i) for path, i, has_model in EVERY if not has_model]
RECOMPUTED = [
    path.relative_to(SITE).as_posix()
    for path in sorted(SITE.glob("book/[0-9]*/*.html"))
    if 'data-figure="recompute"' in path.read_text("utf-8")
]
READY = "i => document.querySelectorAll('figure.live')[i].dataset.ready !== undefined"


def test_there_are_live_figures():
    assert len(FIGURES) >= 4, "no page has a live figure: was the site built?"
    assert AT_ONCE
    assert len(RECOMPUTED) >= 10


@pytest.mark.parametrize(("path", "number"), AT_ONCE)
def test_a_figure_without_a_model_works_at_once(open_page, path, number):
    page = open_page(path, width=390)
    page.wait_for_function(READY, arg=number)
    assert page.faults == []


def test_the_button_of_several_models_says_how_large_they_are(open_page):
    (path,) = (p for p in SITE.glob("book/7*/*.html") if 'data-figure="families"' in p.read_text("utf-8"))
    figure = open_page(path.relative_to(SITE).as_posix()).locator('[data-figure="families"]')
    about = [SITE / f"_static/live/models/{name}/about.json" for name in figure.get_attribute("data-model").split()]
    size = sum(json.loads(file.read_text("utf-8"))["bytes"] for file in about) / 1e6
    assert f"({size:.0f} MB" in figure.locator("button.live-start").inner_text()


@pytest.mark.parametrize(("path", "number"), FIGURES)
def test_a_figure_loads_nothing_before_a_click_and_answers_after_it(open_page, path, number):
    page = open_page(path, width=390)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    figure = page.locator("figure.live").nth(number)
    figure.scroll_into_view_if_needed()
    page.wait_for_timeout(200)
    assert asked == []
    figure.locator("button.live-start").press("Enter")
    page.wait_for_function(READY, arg=number, timeout=60_000)
    assert any(url.endswith("model.onnx") for url in asked)
    assert page.faults == []
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 1, f"the page scrolls sideways by {wide} pixels"


@pytest.mark.parametrize("path", RECOMPUTED)
def test_a_number_that_the_page_recomputes_is_the_printed_one(open_page, path):
    page = open_page(path, width=390)
    figure = page.locator('[data-figure="recompute"]')
    figure.locator("button.live-start").press("Enter")
    told = figure.locator(".live-status", has_text="This browser")
    told.wait_for(timeout=300_000)
    assert "Both agree." in told.inner_text()
    printed, python, _ = figure.locator("td.live-number").all_inner_texts()
    if figure.locator("th", has_text="printed above").inner_text() == "printed above":  # of the same examples
        numbers = [float(text.rstrip(" %")) for text in (python, printed)]
        decimals = len(printed.rstrip(" %").partition(".")[2])
        assert numbers[0] == pytest.approx(numbers[1], abs=0.51 * 10**-decimals)
    assert page.faults == []


def test_each_of_four_heads_gets_as_many_answers_right_as_it_says(open_page):
    page = open_page("book/3_gpt/finetuning.html", width=390)
    figure = page.locator('[data-figure="tasks"]')
    figure.locator("button.live-start").press("Enter")
    tasks = figure.get_by_role("group", name="Task").get_by_role("button")
    tasks.last.wait_for(timeout=60_000)
    assert tasks.count() == len(figure.get_attribute("data-model").split()) == 4
    for task in tasks.all():
        task.press("Enter")
        figure.get_by_role("button", name="Count them here").press("Enter", timeout=60_000)
        told = figure.locator(".live-status", has_text="This browser")
        told.wait_for(timeout=300_000)
        assert "Both agree." in told.inner_text()
        printed, python, _ = figure.locator(".live-panel td.live-number").all_inner_texts()
        assert printed == python
        said = figure.locator(".live-panel p").first.inner_text()
        assert f"On the test set, {printed}" in said
        majority = re.search(r"right in ([0-9.]+) %", said)[1]
        assert float(printed.split()[0]) > float(majority) + 5
    assert page.faults == []


@pytest.mark.parametrize("name", GRAPHS)
def test_the_page_computes_the_logits_of_the_graph(open_page, name):
    """tests/live compares the graph with torch."""
    folder = SITE / "_static" / "live" / "models" / name
    inputs = json.loads((folder / "about.json").read_text("utf-8"))["inputs"]
    draw = random.Random(0)
    lengths = {"target_ids": 10, "extract": 4}
    given = [draw.choices(range(4, 60), k=lengths.get(key, 9)) for key in inputs]
    for i, key in enumerate(inputs):
        if key == "prefix_lengths":
            given[i] = 5
        elif key in ("extract", "branches"):
            given[i] = [x % 9 for x in given[i]]
    page = open_page("book/glossary.html")
    found = page.evaluate(
        """async ([name, given]) => {
            const { Model } = await import("/_static/live/model.js");
            const model = await Model.load(name);
            const { logits } = await model.run(...given);
            await model.release();
            return logits.map((row) => [...row]);
        }""",
        [name, given],
    )
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    logits = session.run(["logits"], {key: np.array([ids]) for key, ids in zip(inputs, given, strict=True)})[0]
    np.testing.assert_allclose(np.array(found), logits.reshape(-1, logits.shape[-1]), rtol=0, atol=1e-4)
    assert page.faults == []


def test_a_model_that_is_not_there_leaves_the_page_as_it_was(open_page):
    path, number = FIGURES[0]
    page = open_page(path)
    page.route("**/model.onnx", lambda route: route.fulfill(status=404))
    figure = page.locator("figure.live").nth(number)
    figure.locator("button.live-start").click()
    figure.locator(".live-status", has_text="could not be loaded").wait_for(timeout=20_000)
    assert figure.locator("button.live-start").is_enabled()
