"""The picker of chapter 7.1: the rows that a reader's choices show, in the page and in the table without JavaScript."""

from pathlib import Path
from typing import get_args

import pytest
from axe_playwright_python.base import AXE_SCRIPT

from seqbook import live
from seqbook.live.picker import TASKS, best
from seqbook.objectives.task_pairs import PairTask

STATIC = Path(__file__).parents[2] / "book" / "_static"


def row(family, task, mean, low, high, flops_per_step=2e10, **others):
    measure = "nats" if task == "continuation" else "exact"
    numbers = {"mean": mean, "low": low, "high": high, "baseline": None if measure == "nats" else 0.1}
    costs = {"flops_per_step": flops_per_step, "flops": 800 * flops_per_step}
    return {"family": family, "task": task, "measure": measure, "budget": "steps"} | numbers | costs | others


ROWS = [
    row("recurrent", "translation", 0.05, 0.0, 0.2, flops_per_step=1e10),
    row("encoder-decoder", "translation", 0.9, 0.88, 0.93),
    row("causal", "translation", 0.8, 0.78, 0.85, flops_per_step=1.5e10),
    row("prefix", "translation", 0.86, 0.84, 0.89),
    row("causal", "translation", 0.82, 0.8, 0.84, budget="compute"),
    row("prefix", "infilling", 0.5, 0.4, 0.6),
    row("causal", "infilling", 0.45, 0.44, 0.46, seed="<b>"),
    row("encoder", "infilling", 0.6, 0.59, 0.61),
    row("encoder", "entailment", 0.7, 0.69, 0.71),
    row("causal", "continuation", 1.25, 1.2, 1.3),
    row("prefix", "continuation", 1.5, 1.4, 1.6),
]
IMPOSSIBLE = {
    ("encoder", "translation"): "It <i>writes</i> no text.",
    ("encoder", "continuation"): "It writes no text.",
}


@pytest.fixture(scope="module")
def context(browser):
    context = browser.new_context()
    context.set_default_timeout(5_000)
    yield context
    context.close()


@pytest.fixture
def page(context):
    """A page with the picker, its script and its style sheets."""
    page = context.new_page()
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("request", lambda request: page.faults.append(request.url))
    colours = "text-base: #eee; --pst-color-background: #121212; --pst-color-text-muted: #bbb; --pst-color-border: #888"
    page.set_content(
        f"<!doctype html><html lang='en'><title>Picker</title><style>:root {{ --pst-color-{colours} }} "
        "body { background: #121212; color: #eee }</style><main class='bd-article'><h1>Picker</h1>"
        f"{live.picker(ROWS, IMPOSSIBLE, 'A <caption>.')}</main>"
    )
    for sheet in ("live/live.css", "picker.css"):
        page.add_style_tag(path=STATIC / sheet)
    page.add_script_tag(path=STATIC / "picker.js")
    yield page
    assert page.faults == [], "an error, or something that was loaded"
    page.close()


def families(page) -> list[str]:
    return page.locator(".picker tbody th").all_text_contents()


def left_out(page) -> dict[str, str]:
    return dict(text.split(": ", 1) for text in page.locator(".picker li").all_text_contents())


def said(page) -> str:
    return page.get_by_role("status").text_content()


def test_families_are_in_order_with_their_rows_and_what_cannot_be_told_apart(page):
    assert families(page) == ["encoder-decoder", "prefix", "causal", "recurrent (not above the baseline)"]
    cells = page.locator(".picker tbody tr").first.locator("td").all_text_contents()
    assert cells == ["90.0% (88.0%–93.0%)", "10.0%", "20 billion", "16 trillion"]
    assert said(page) == (
        "Encoder-decoder has the best mean: 90.0% exactly right. "
        "Encoder-decoder and prefix can't be told apart with 3 seeds, because their intervals overlap. "
        "Prefix and causal can't be told apart with 3 seeds, because their intervals overlap."
    )
    assert left_out(page) == {"encoder": "It <i>writes</i> no text."}


def test_less_is_better_for_a_loss(page):
    page.get_by_label("Task").select_option("continuation")
    assert families(page) == ["causal", "prefix"]
    assert said(page) == "Causal has the best mean: 1.250 nats per token."
    assert page.locator(".picker tbody td").nth(1).text_content() == "none"


def test_needs_leave_families_out_with_a_reason(page):
    page.get_by_label("Task").select_option("infilling")
    assert families(page) == ["encoder", "prefix", "causal"]
    page.get_by_label("work without the length of the answer").check()
    assert families(page) == ["prefix", "causal"]
    assert "how many are missing" in left_out(page)["encoder"]
    page.get_by_label("keep its cache over several turns").check()
    assert families(page) == ["causal"]
    assert {"prefix", "encoder-decoder", "recurrent", "encoder"} == left_out(page).keys()
    page.get_by_label("keep its cache over several turns").uncheck()
    page.get_by_label("Task").select_option("entailment")
    assert families(page) == ["encoder"], "a label needs no length"
    page.get_by_label("write text of any length").check()
    assert families(page) == []
    assert said(page) == "No measured family is left."
    page.get_by_label("Task").select_option("translation")
    page.get_by_label("work without the length of the answer").uncheck()
    assert len(families(page)) == 4
    names = page.locator("figure.picker ul li strong").all_text_contents()
    assert names == ["encoder"], "one entry for both reasons"


def test_what_is_scarce_decides_the_rows_and_their_order(page):
    page.get_by_label("training computation").check()
    assert families(page) == ["causal"]
    assert left_out(page)["prefix"] == "Not measured with this budget."
    page.get_by_label("operations per training step").check()
    assert families(page)[0] == "causal", "the recurrent one needs fewer, but it is not above the baseline"
    assert families(page)[-1].startswith("recurrent")
    assert "Causal needs the fewest operations per training step; encoder-decoder needs 1.3 times as many." in said(
        page
    )
    page.get_by_label("training computation").check()
    page.get_by_label("Task").select_option("continuation")
    assert families(page) == []
    assert said(page) == "This task was not measured with this budget."
    assert left_out(page).keys() == {"encoder"}, "and not each family once more"


def test_it_works_with_the_keyboard(page):
    page.get_by_label("Task").focus()
    page.keyboard.type("gaps")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert families(page) == ["prefix", "causal"]
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    assert families(page) == []


@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_a_phone_and_screen_readers_can_read_it(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate(AXE_SCRIPT)
    rules = "{ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] }"
    found = page.evaluate(f"axe.run({rules}).then(r => r.violations.map(v => v.id + v.nodes.map(n => n.html)))")
    assert found == []
    assert page.get_by_role("group", name="The model must").get_by_role("checkbox").count() == 3
    assert page.get_by_role("group", name="What is scarce").get_by_role("radio").count() == 3


def test_without_javascript_it_is_a_table_of_the_best_families():
    html = live.picker(ROWS, IMPOSSIBLE, "A <caption>.")._repr_html_()
    assert "encoder-decoder: 90.0% (88.0%–93.0%)<br>prefix: 86.0% (84.0%–89.0%)</td>" in html
    assert "<td>causal: 82.0% (80.0%–84.0%)</td>" in html
    assert "<td>causal: 1.250 (1.200–1.300) nats per token</td><td>not measured</td>" in html
    assert "A &lt;caption&gt;." in html
    assert "<b>" not in html
    assert "<i>" not in html
    assert "<script" not in html


def test_the_best_are_the_best_mean_and_all_whose_intervals_overlap_its_own():
    of_task = [r for r in ROWS if r["task"] == "infilling"]
    assert [r["family"] for r in best(of_task)] == ["encoder", "prefix"]
    assert [r["family"] for r in best(ROWS[-2:])] == ["causal"]
    assert best([]) == []


def test_without_published_rows_it_says_where_they_are():
    assert "in the repository" in live.picker([], IMPOSSIBLE, "")


def test_the_tasks_are_those_of_the_comparison():
    assert set(TASKS) == set(get_args(PairTask))


@pytest.mark.parametrize(
    ("rows", "impossible", "message"),
    [
        ([row("rnn", "qa", 0.5, 0.4, 0.6)], {}, "family='rnn': choose one of recurrent"),
        ([row("causal", "names", 0.5, 0.4, 0.6)], {}, "task='names': choose one of translation"),
        ([row("causal", "qa", 0.5, 0.4, 0.6, budget="time")], {}, "budget='time': choose one of steps, compute"),
        ([row("causal", "qa", 0.5, 0.4, 0.6, measure="bleu")], {}, "measure='bleu': choose one of exact, nats"),
        ([row("causal", "qa", 0.7, 0.4, 0.6)], {}, "the mean 0.7 is outside of"),
        ([row("causal", "qa", 0.5, 0.4, 0.6)] * 2, {}, "has two rows"),
        ([row("causal", "qa", 0.5, 0.4, 0.6), row("prefix", "qa", 1, 1, 1, measure="nats")], {}, "two measures"),
        ([row("encoder", "translation", 0.5, 0.4, 0.6)], IMPOSSIBLE, "has a row, and a reason"),
        ([{"family": "causal"}], {}, "lacks baseline, budget"),
        ([], {("bert", "qa"): "No."}, r"\('bert', 'qa'\) is not a family and a task"),
    ],
)
def test_rows_that_cannot_be_compared_are_refused(rows, impossible, message):
    with pytest.raises(ValueError, match=message):
        live.picker(rows, impossible, "")
