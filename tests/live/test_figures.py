"""The live figures in a browser: what a reader chooses and writes, and what the figure then says."""

import ast
import json
import random
import re
import unicodedata
from itertools import chain
from pathlib import Path

import nbformat
import pytest
import torch
import torch.nn.functional as F
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import expect
from seqeval.scheme import IOB2, Entities

from seqbook import live
from seqbook.generation.beam import beam
from seqbook.models.heads import SpanScores
from seqbook.nn import masks
from seqbook.objectives import classification
from seqbook.objectives import spans as answers
from seqbook.objectives.corruption import noises, spans

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


def entities(tags: list[str]) -> list[tuple[str, int, int]]:
    return [(name.tag, name.start, name.end) for name in Entities([tags], IOB2).entities[0]]


def start(page):
    page.locator("button.live-start").press("Enter")
    page.locator("figure[data-ready]").wait_for(timeout=60_000)


def said(page, text: str) -> str:
    """What the live region says when it has said `text`."""
    region = page.locator(".live-status", has_text=text)
    region.wait_for()
    return region.inner_text()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gpt-sentiment", "gpt-entailment", "gpt-similarity"])
def test_a_head_says_in_the_page_what_it_says_in_python(show, exported, name):
    folder = exported(name)
    wanted, classes = (json.loads((folder / f).read_text("utf-8")) for f in ("wanted.json", "about.json"))
    first, *second = wanted[0][0]
    fields = ["Premise", "Hypothesis"] if second else ["Your text"]
    begins = {"fields": ", ".join(fields), "text": first} | ({"second": second[0]} if second else {})
    page = show(live.figure("classifying", name, "A head.", **begins), 390, "dark", folder.parent)
    assert not any("onnx" in url or "ort" in url for url in page.asked)
    start(page)
    for texts, shares in wanted:
        for label, text in zip(fields, texts, strict=True):
            page.get_by_label(label, exact=True).fill(text)
        best = max(range(len(shares)), key=shares.__getitem__)
        said(page, f"Most probable: {classes['labels'][best]}, {100 * shares[best]:.1f} %.")
        rows = page.locator(".live-bars tr")
        assert rows.locator("th").all_inner_texts() == classes["labels"]
        shown = [float(text.split()[0]) for text in rows.locator(".live-number").all_inner_texts()]
        assert shown == pytest.approx([100 * share for share in shares], abs=0.06)
    assert said(page, "never seen").count("“quokka”") == 1
    reads = page.locator(".live-tokens")
    assert reads.count() == len(classes["inputs"])
    for of in reads.all():
        assert of.locator(".special").all_inner_texts()[:: len(fields)] == ["<bos>", "<extract>"]
        assert of.locator(".unknown", has_text="quokka → <unk>").count() == 1
    if len(fields) == 1:  # what a reader types is never a special token
        assert page.locator(".live-tokens .unknown", has_text="extract → <unk>").count() == 1
    assert_accessible(page)
    page.get_by_label(fields[0], exact=True).fill("key " * 191)
    said(page, "tokens long; the model reads at most 192. Shorten it.")
    page.get_by_label(fields[0], exact=True).fill(" ")
    said(page, "Write a text in each field.")
    assert page.locator(".live-bars").count() == 0


@pytest.mark.slow
def test_the_order_of_two_texts_moves_the_rows_of_similarity_and_not_its_scores(show, exported):
    folder = exported("gpt-similarity")
    (texts, shares), *_ = json.loads((folder / "wanted.json").read_text("utf-8"))
    begins = {"fields": "First text, Second text", "text": texts[0], "second": texts[1]}
    page = show(live.figure("classifying", "gpt-similarity", "Similarity.", **begins), models=folder.parent)
    start(page)

    def look():
        rows = page.locator(".live-tokens")
        reads = [" ".join(row.get_by_role("listitem").all_inner_texts()) for row in rows.all()]
        table = page.get_by_role("table", name="What each row adds to the score of each class")
        adds = {
            of.locator("th").inner_text(): of.locator("td").all_inner_texts() for of in table.locator("tbody tr").all()
        }
        return reads, {name: [float(number) for number in numbers] for name, numbers in adds.items()}

    said(page, "Most probable")
    (one, other), before = look()
    assert one.split("<delimiter>")[0].split() == ["<bos>", *"Anna gave the key to Ben .".split()]
    assert torch.tensor(before["score"]).softmax(0).tolist() == pytest.approx(shares, abs=0.005)
    assert sum(torch.tensor(before[name]) for name in ("row 1", "row 2", "bias")).tolist() == pytest.approx(
        before["score"], abs=0.021
    )
    page.get_by_role("button", name="Exchange the two texts").press("Enter")
    expect(page.get_by_label("First text")).to_have_value(texts[1])
    expect(page.locator(".live-tokens").first.get_by_role("listitem")).to_have_text(other.split())
    now, after = look()
    assert now == [other, one]
    assert after == {**before, "row 1": before["row 2"], "row 2": before["row 1"]}
    assert before["row 1"] != before["row 2"]


@pytest.mark.slow
def test_each_of_four_heads_is_loaded_when_it_is_chosen_and_answers_as_in_python(show, exported, tmp_path):
    names = [f"gpt-{task}" for task in ("sentiment", "entailment", "similarity", "multiple-choice")]
    for name in names:
        (tmp_path / name).symlink_to(exported(name))
    about = {name: json.loads((tmp_path / name / "about.json").read_text("utf-8")) for name in names}
    page = show(live.figure("tasks", names, "Four heads."), 390, "dark", tmp_path)
    start(page)
    loaded = lambda: {url.split("/")[-2] for url in page.asked if url.endswith("model.onnx")}  # noqa: E731
    assert loaded() == {"gpt-sentiment"}
    titles = ("Sentiment", "Entailment", "Similarity", "Multiple choice")
    for i, (name, title) in enumerate(zip(names, titles, strict=True), 1):
        page.get_by_role("button", name=title, exact=True).press("Enter")
        examples = about[name]["examples"]
        for example in (examples[0], examples[1]):
            if example is examples[1]:
                page.get_by_role("button", name="Another example").press("Enter")
            first, second = [*example["texts"], ""][:2]
            expect(page.locator("textarea").first).to_have_value(first)
            label = example["label"]
            if isinstance(second, list):
                label = f"“{second[label]}”"
                assert [
                    one.input_value() for one in page.get_by_role("textbox", name=re.compile("^Ending")).all()
                ] == second
            said(page, f"is: {label}")
        assert loaded() == set(names[:i])
        pressed = page.get_by_role("group", name="Task").locator("[aria-pressed=true]")
        assert pressed.all_inner_texts() == [title]
        assert "61.0 % of the answers" in page.locator(".live-panel").inner_text()
        page.get_by_role("button", name="Count them here").press("Enter")
        said(page, "Both agree.")
        printed, *_ = page.locator(".live-panel td.live-number").all_inner_texts()
        assert printed == "61.0 %"
        assert_accessible(page)
    page.locator("summary").press("Enter")
    for (story, endings), shares in json.loads((tmp_path / names[-1] / "wanted.json").read_text("utf-8")):
        fields = page.get_by_role("textbox", name=re.compile("^Ending"))
        page.get_by_label("Your story").fill(story)
        for i, field in enumerate(fields.all()):
            field.fill((endings + [""] * 4)[i])
        best = max(range(len(shares)), key=shares.__getitem__)
        told = said(page, f"Most probable: “{endings[best]}”, {100 * shares[best]:.1f} %.")
        assert "right ending" not in told
        bars = page.locator(".live-bars .live-number").all_inner_texts()
        assert [float(text.split()[0]) for text in bars] == pytest.approx([100 * share for share in shares], abs=0.06)
        assert page.locator(".live-tokens").count() == 1 + len(endings)
        if "quokka" in str(endings):
            assert told.count("“quokka”") == 1
    n = fields.count()
    page.get_by_role("button", name="Add an ending").press("Enter")
    assert page.get_by_label(f"Ending {n + 1}").evaluate("e => e === document.activeElement")
    page.keyboard.type("Ben left.")
    page.wait_for_function("n => document.querySelectorAll('.live-bars tr').length === n", arg=len(endings) + 1)
    page.get_by_label("Your story").fill("key " * 190)
    said(page, "tokens long; the model reads at most 192. Shorten it.")
    page.get_by_label("Your story").fill("")
    said(page, "Write a story and two endings or more.")
    assert page.locator(".live-bars").count() == page.locator(".live-tokens").count() == 0
    page.get_by_role("button", name="Sentiment", exact=True).press("Enter")
    said(page, f"is: {about[names[0]]['examples'][0]['label']}")
    assert len([url for url in page.asked if url.endswith("model.onnx")]) == 4, "each one once"
    assert page.faults == []


@pytest.mark.slow
def test_a_head_that_cannot_be_loaded_leaves_the_others(show, exported, tmp_path):
    (tmp_path / "gpt-sentiment").symlink_to(exported("gpt-sentiment"))
    (tmp_path / "gpt-entailment").mkdir()
    page = show(live.figure("tasks", ["gpt-sentiment", "gpt-entailment"], "Heads."), models=tmp_path)
    page.route("**/gpt-entailment/**", lambda route: route.fulfill(status=404))
    start(page)
    page.get_by_role("button", name="Entailment").press("Enter")
    said(page, "The model could not be loaded: models/gpt-entailment/about.json can't be had (404).")
    page.get_by_role("button", name="Sentiment").press("Enter")
    said(page, "Most probable:")


def test_answers_are_packed_in_the_page_as_in_the_library(show):
    page, draw, cases = show(""), random.Random(0), []
    for _ in range(200):
        common = [1, *draw.choices([5, 6], k=draw.randint(0, 4))]
        cases.append([[*common, *draw.choices([5, 6, 7], k=draw.randint(1, 4)), 9] for _ in range(draw.randint(1, 4))])
    found = page.evaluate(
        "async all => { const { pack } = await import('./figures/choosing.js'); return all.map(pack); }", cases
    )
    for rows, packed in zip(cases, found, strict=True):
        wanted = classification.pack(rows)
        of = {"branches": wanted.branches, "positions": wanted.position_ids, "extract": wanted.extract}
        assert packed == {"ids": wanted.ids, **of}, rows


def test_names_in_the_page_are_those_of_the_chapter(show):
    """Also among tags in which an I continues nothing."""
    page, letters = show(""), random.Random(0)
    drawn = [letters.choices(["O", "B-PER", "I-PER", "B-ORG", "I-ORG"], k=12) for _ in range(200)]
    found = page.evaluate(
        "async all => { const { entities } = await import('./figures/tagging.js'); return all.map(entities); }", drawn
    )
    for tags, names in zip(drawn, found, strict=True):
        assert [tuple(name) for name in names] == entities(tags)


@pytest.mark.slow
def test_names_are_marked_in_the_text_as_python_tags_it(show, exported):
    folder = exported("bert-ner")
    wanted = json.loads((folder / "wanted.json").read_text("utf-8"))
    page = show(live.figure("tagging", "bert-ner", "Names.", text=wanted[0][0]), 390, "dark", folder.parent)
    start(page)
    page.locator("summary").press("Enter")
    n_names = 0
    for text, (words, tags, shares) in wanted:
        page.get_by_label("Your text").fill(text)
        names = entities(tags)
        n_names += len(names)
        kinds = {"PER": "person", "LOC": "place", "ORG": "organisation"}
        told = ", ".join(f"{' '.join(words[i:j])} ({kinds[kind]})" for kind, i, j in names)
        said(page, f"Names: {told}." if told else "No names.")
        assert page.locator("tbody th").all_inner_texts() == words
        assert page.locator("tbody td:nth-child(2)").all_inner_texts() == tags
        shown = [float(cell.split()[0]) for cell in page.locator("tbody td:nth-child(3)").all_inner_texts()]
        assert shown == pytest.approx([100 * share for share in shares], abs=0.06)
        marks = page.locator(".live-marked mark")
        assert [mark.split()[-1] for mark in marks.all_inner_texts()] == [kinds[kind] for kind, _, _ in names]
        bare = "p => { p = p.cloneNode(true); p.querySelectorAll('.live-kind').forEach(e => e.remove()); return p.textContent; }"
        assert page.locator(".live-marked").evaluate(bare) == unicodedata.normalize("NFC", text)
    assert n_names > 0
    assert "Xanthippe" in page.locator(".live-unknown").all_inner_texts()
    assert_accessible(page)


def test_a_model_that_is_not_there_leaves_a_sentence_and_the_button(show, tmp_path):
    page = show(live.figure("tagging", "no-such-model", "Names."))
    page.locator("button.live-start").click()
    assert "The rest of the page does not need it." in said(page, "could not be loaded")
    assert page.locator("button.live-start").is_enabled()


EXPECTED = re.compile(r"(?:live|page)\.(expect|outcome)\((.*?)\n?\)$", re.DOTALL)
QUESTION = "What do you expect? A <b> makes", ["it better.", "it worse & slower."]


def test_what_a_reader_expected_stands_beside_the_outcome_and_in_this_browser_alone(show):
    body = live.expect("c0", *QUESTION) + live.outcome("c0", "it worse & slower.")
    page = show(body, 390, "dark")
    result = page.locator(".live-expected")
    page.get_by_role("group", name=QUESTION[0]).wait_for()
    assert result.inner_text() == "The result: it worse & slower."
    page.get_by_role("radio", name="it better.").focus()
    page.keyboard.press("ArrowDown")
    assert result.inner_text() == "You expected: it worse & slower. The result: it worse & slower."
    page.get_by_role("radio", name="it better.").press(" ")
    said(page, "kept in this browser alone")
    assert_accessible(page)
    asked = len(page.asked)
    page.reload()
    page.get_by_role("radio", name="it better.", checked=True).wait_for()
    assert result.inner_text() == "You expected: it better. The result: it worse & slower."
    names = {url.rpartition("/")[2] for url in page.asked} - {"favicon.ico"}
    assert names == {"chapter.html", "live.css", "live.js?v=1", "element.js", "expect.js"}, page.asked[asked:]


def test_a_browser_that_keeps_nothing_still_shows_the_choice(show):
    page = show(live.expect("c0", *QUESTION) + live.outcome("c0", "it better."))
    page.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('forbidden'); } })")
    page.reload()
    page.get_by_role("radio", name="it better.").press(" ")
    assert page.locator(".live-expected").inner_text() == "You expected: it better. The result: it better."
    assert page.faults == []


def test_a_question_without_javascript_is_text():
    html = live.expect("c0", *QUESTION)
    assert "<p>What do you expect? A &lt;b&gt; makes</p>" in html
    assert "<li>it worse &amp; slower.</li>" in html
    with pytest.raises(ValueError, match="give two or more, each one once"):
        live.expect("c0", "?", ["yes", "yes"])


@pytest.mark.parametrize("chapter", ["3_gpt/finetuning", "4_bert/finetuning", "6_prefix_decoders/prefix_lm"])
def test_every_outcome_is_one_of_the_answers(chapter):
    path = Path(__file__).parents[2] / "book" / f"{chapter}.ipynb"
    calls = [call for cell in nbformat.read(path, 4).cells for call in EXPECTED.findall(cell.source)]
    asked = {ast.literal_eval(f"[{of}]")[0]: ast.literal_eval(f"[{of}]")[2] for kind, of in calls if kind == "expect"}
    came = {ast.literal_eval(f"[{of}]")[0]: ast.literal_eval(f"[{of}]")[1] for kind, of in calls if kind == "outcome"}
    assert asked.keys() == came.keys() != set()
    assert all(came[name] in answers for name, answers in asked.items())


@pytest.mark.slow
def test_every_head_and_every_step_is_that_of_the_model(show, exported):
    folder = exported("transformer")
    wanted = json.loads((folder / "wanted.json").read_text("utf-8"))
    page = show(live.figure("heads", "transformer", "Heads.", text=wanted[0][0]), 390, "dark", folder.parent)
    start(page)
    rows = page.locator(".live-map tbody tr")
    field = page.get_by_label("An English sentence")
    for text, (words, read, tokens, shares, *_) in wanted:
        field.fill(text)
        field.press("Enter")
        said(page, f"Step 1 of {len(read)}: the decoder reads “<bos>”.")
        assert page.locator(".live-map thead th").all_inner_texts() == words
        for step in (1, 2, 3, len(read)):
            said(page, f"Step {step} of {len(read)}: the decoder reads “{read[step - 1]}”.")
            assert page.locator(".live-bars th").all_inner_texts() == tokens[step - 1]
            bars = [float(cell.split()[0]) for cell in page.locator(".live-bars .live-number").all_inner_texts()]
            assert bars == pytest.approx([100 * share for share in shares[step - 1]], abs=0.06)
            assert rows.locator("th").all_inner_texts() == read[:step], "what is not read yet has no row"
            assert page.locator(".live-map tr[aria-current] th").inner_text() == read[step - 1]
            if step < 3:
                page.get_by_role("button", name="Next token").press("Enter")
            else:
                page.get_by_role("slider", name="step").press("End")
    looks = wanted[-1][1][4:]
    for kind, layers, queries, keys in (
        ("Encoder self-attention", looks[0], words, words),
        ("Decoder self-attention", looks[1], read, read),
        ("Cross-attention", looks[2], read, words),
    ):
        page.get_by_role("button", name=kind).press("Enter")
        for layer, heads in enumerate(layers):
            block = page.get_by_role("group", name=f"block {layer + 1}")
            for head, weights in enumerate(heads):
                flat = [x for row in weights for x in row]
                press = block.get_by_role("button").nth(head)
                press.press("Enter")
                assert press.evaluate("e => e === document.activeElement && e.ariaPressed") == "true"
                page.get_by_role("region", name=f"{kind}, block {layer + 1}, head {head + 1}", exact=True).wait_for()
                assert rows.locator("th").all_inner_texts() == queries
                assert page.locator(".live-map thead th").all_inner_texts() == keys
                assert list(map(float, rows.locator("td").all_text_contents())) == pytest.approx(flat, abs=0.0051)
                assert press.locator("rect:not(.now)").count() == sum(x > 0.01 for x in flat)
    best = max(range(len(words)), key=weights[-1].__getitem__)
    told = f"head 4: “{read[-1]}” attends most to “{words[best]}”, {weights[-1][best]:.2f}"  # for a screen reader
    assert press.text_content() == told
    assert_accessible(page)
    field.fill("key " * 41)
    field.press("Enter")
    said(page, "This is 41 tokens long; this figure has room for at most 40. Shorten it.")
    field.fill(wanted[1][0])
    field.press("Enter")
    said(page, "The model has never seen “quokka”: it reads each as <unk>.")
    page.get_by_role("slider", name="step").press("ArrowRight")
    said(page, f"Step 2 of {len(read)}")


COUNT_SESSIONS = """async () => {
    const { InferenceSession } = await import("./ort/ort.wasm.min.mjs");
    const create = InferenceSession.create;
    window.sessions = { made: 0, released: 0 };
    InferenceSession.create = async (...given) => {
        const session = await create(...given);
        const release = session.release;
        session.release = () => { sessions.released++; return release.call(session); };
        sessions.made++;
        return session;
    };
}"""


@pytest.mark.slow
@pytest.mark.parametrize(("width", "theme"), [(390, "dark"), (1280, "light")])
def test_the_slider_shows_what_each_step_computes_in_python(show, exported, width, theme):
    folder = exported("attention-timelapse")
    wanted, about = (json.loads((folder / f).read_text("utf-8")) for f in ("wanted.json", "about.json"))
    body = live.figure("timelapse", folder.name, "Steps.", text=wanted["text"]) + '<div style="height: 9000px">'
    page = show(body, width, theme, folder.parent)
    assert not any("models" in url or "ort" in url for url in page.asked)
    page.evaluate(COUNT_SESSIONS)
    start(page)
    assert page.evaluate("sessions") == {"made": 2, "released": 0}, "of the chosen step and of the last one"
    slider = page.get_by_role("slider", name="step of training")
    assert slider.evaluate("e => e === document.activeElement")
    shown = []
    for of_step, python in zip(about["steps"], wanted["steps"], strict=True):
        step, last = of_step["step"], about["steps"][-1]["step"]
        told = said(page, f"After step {step} of {last}, the loss is {of_step['loss']:.2f} nats per token.")
        assert told.endswith(f"Translation: {python['translation'] or '(nothing)'}")
        assert slider.get_attribute("aria-valuetext") == f"step {step}"
        cells = [float(text) for text in page.locator(".live-map tbody .live-hidden").all_text_contents()]
        assert cells == pytest.approx(list(chain.from_iterable(python["weights"])), abs=0.0051)
        marks = page.locator(".live-map tbody th").all_inner_texts()
        assert [mark[-1] == "✓" for mark in marks] == python["right"]
        shown.append((cells, marks))
        slider.press("ArrowRight")
    assert shown[0] != shown[-1]
    assert_accessible(page)
    page.get_by_label("An English sentence").fill("Anna quokka a lamp.")
    page.get_by_label("An English sentence").press("Enter")
    assert "“quokka”" in said(page, "never seen")
    page.get_by_label("An English sentence").fill("")
    page.get_by_role("button", name="Translate").press("Enter")
    said(page, "Write a sentence.")
    assert page.evaluate("sessions") == {"made": len(shown), "released": 0}, "each step has one"
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.get_by_text("The model was released").wait_for()
    page.wait_for_function("sessions.released === sessions.made")
    assert page.evaluate("sessions.made") == len(shown)
    assert page.faults == []


@pytest.mark.slow
def test_the_answers_to_a_prompt_have_the_probabilities_of_the_library(show, exported):
    folder = exported("gpt-prompting")
    wanted = json.loads((folder / "wanted.json").read_text("utf-8"))
    begins = dict(zip(("examples", "text", "answers"), wanted[0][0].rsplit("\n", 2), strict=True))
    page = show(live.figure("prompting", "gpt-prompting", "Prompts.", **begins), 390, "dark", folder.parent)
    start(page)
    examples, question, answers = (
        page.get_by_label(label) for label in ("Examples", "The question", "Possible answers")
    )
    tables = page.locator(".live-bars")
    for text, (shares, written) in wanted:
        *given, asked, choices = text.split("\n")
        for field, value in ((examples, "\n".join(given)), (question, asked), (answers, choices)):
            field.fill(value)
        choices = choices.split(" / ")
        top = [max(range(len(of)), key=of.__getitem__) for of in shares]
        names = ["With the examples", "Without the examples"] if given else ["Without examples"]
        told = [
            f"{name}, the most probable answer is “{choices[i]}”, {100 * of[i]:.1f} %."
            for name, i, of in zip(names, top, shares, strict=False)
        ]
        said(page, " ".join(told))
        assert tables.count() == len(names)
        for i, of in enumerate(shares[: len(names)]):
            assert tables.nth(i).locator("th").all_inner_texts() == choices
            shown = [float(cell.split()[0]) for cell in tables.nth(i).locator(".live-number").all_inner_texts()]
            assert shown == pytest.approx([100 * share for share in of], abs=0.06)
            assert max(of) > 0.005, "or the numbers would say nothing"
        assert page.locator(".live-columns p").all_inner_texts() == [
            f"The network writes: “{w}”" for w in written[: len(names)]
        ]
    assert said(page, "never seen").count("“quokka”") == 1
    assert page.locator(".live-tokens .unknown").all_inner_texts() == ["quokka → <unk>"]
    assert page.locator(".live-tokens .special").all_inner_texts() == ["<bos>"]
    page.get_by_role("button", name="Start over").press("Enter")
    said(page, "With the examples")
    page.get_by_role("button", name="Exchange the answers").press("Enter")
    ends = [line.rsplit(": ", 1)[1] for line in examples.input_value().splitlines()]
    assert ends == ["bad.", "the"], "each answer is replaced by the next possible one"
    said(page, "With the examples")
    assert_accessible(page)
    page.get_by_role("button", name="Remove the examples").press("Enter")
    said(page, "Without examples, the most")
    question.fill("key " * 190)
    said(page, "This is 193 tokens long; the model reads at most 192. Shorten it.")
    assert tables.count() == 0
    question.fill(" ")
    said(page, "Write a question.")
    question.fill("Anna met")
    answers.fill(" / ")
    said(page, "Write 1 to 10 possible answers, with / between them.")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "width", "theme"),
    [
        ("attention", 390, "dark"),
        ("bert", 1280, "light"),
        ("gpt", 390, "light"),
        ("gpt-entailment", 1280, "dark"),
        ("bert-ner", 390, "dark"),
        ("t5", 1280, "light"),
        ("prefix-lm", 390, "dark"),
        ("gpt-prompting", 1280, "light"),
    ],
)
def test_the_page_counts_on_held_out_examples_what_python_counts(show, exported, name, width, theme):
    folder = exported(name)
    held = json.loads((folder / "heldout.json").read_text("utf-8"))
    score, of, unit = held["score"], held["of"], held["unit"]
    body = live.figure("recompute", name, "Again.", start="Recompute", printed="91.2 %")
    page = show(body, width, theme, folder.parent)
    assert page.get_by_role("button", name="Recompute").inner_text() == "Recompute"
    assert not any("models" in url or "ort" in url for url in page.asked)
    start(page)
    told = said(page, "This browser")
    if held["measure"] == "loss":
        shown, counts = f"{score / of:.4f}", f"{of} {unit}"
        browser = told.split()[2]
        assert float(browser) == pytest.approx(score / of, abs=1.5e-4)
        assert told == f"This browser: {browser} nats per token, {counts}. Python: {shown}. Both agree."
    else:
        assert 0 < score < of
        browser = shown = f"{100 * score / of:.1f} %"
        counts = f"{score} of {of} {unit}"
        assert told == f"This browser: {browser}, {counts} right. Python: {score} of {of}. Both agree."
    rows = [cells.split("\t") for cells in page.locator("table tr").all_inner_texts()]
    assert [row[1] for row in rows] == ["91.2 %", shown, browser]
    assert [row[2] for row in rows] == ["", counts, counts]
    assert [row[0].split(", ")[1:] for row in rows] == [
        [f"{n} {held['texts']}"] for n in (held["whole"], len(held["examples"]), len(held["examples"]))
    ]
    assert page.get_by_role("progressbar").get_attribute("value") == str(len(held["examples"]))
    assert_accessible(page)
    again = page.get_by_role("button", name="Compute again")
    label = again.evaluate("e => { e.focus(); e.click(); const during = e.textContent; e.click(); return during; }")
    assert label == "Cancel"
    said(page, "Cancelled.")
    assert again.evaluate("e => e === document.activeElement")
    page.wait_for_timeout(500)
    assert said(page, "Cancelled.") == "Cancelled."
    again.press("Enter")
    assert said(page, "This browser") == told
    assert page.faults == []


NETWORKS = {
    "Recurrent network with attention": "recurrent",
    "Encoder-decoder": "encoder-decoder",
    "One stack, causal mask": "causal",
    "One stack, prefix mask": "prefix",
}
PANELS = """panels => panels.map((panel) => ({
    title: panel.ariaLabel,
    output: panel.querySelector(".live-output").textContent,
    rows: [...panel.querySelectorAll("ul")].map((row) => [
        [...row.children].map((token) => token.firstChild.data),
        [...row.querySelectorAll(".live-share")].map((share) => share.textContent),
        [...row.querySelectorAll(".live-hidden")].map((told) => told.textContent.trim()),
    ]),
}))"""
OTHERS = {None: "masked or not yet written", "carried": "carried by the LSTM"}  # tokens without a weight


@pytest.mark.slow
def test_every_family_translates_and_attends_in_the_page_as_in_python(show, exported, tmp_path):
    names = [f"compare-{family}-translation" for family in NETWORKS.values()]
    for name in names:
        (tmp_path / name).symlink_to(exported(name))
    wanted = [json.loads((tmp_path / name / "wanted.json").read_text("utf-8")) for name in names]
    page = show(live.figure("families", names, "Families.", text=wanted[0][0][0]), 390, "dark", tmp_path)
    assert not any("models" in url or "ort" in url for url in page.asked)
    start(page)
    whole = [url for url in page.asked if url.endswith("model.onnx")]
    assert [url.split("/")[-2] for url in whole] == names, "one after the other, each once"
    field, slider = page.get_by_label("An English sentence"), page.get_by_role("slider", name="look from")
    for text, *rest in zip(*wanted, strict=True):
        text, of_networks = text[0], [text[1], *(of for _, of in rest)]
        field.fill(text)
        field.press("Enter")
        told = [f"{title}: “{of[0]}”" for title, of in zip(NETWORKS, of_networks, strict=True)]
        said(page, f"{'; '.join(told)}. Seen from written token 1.")
        n_words, longest = len(of_networks[0][1]), max(len(of[2]) for of in of_networks)
        assert int(slider.get_attribute("max")) == n_words + longest - 1
        slider.press("Home")
        for query in range(n_words + longest):
            told = []
            shown = page.get_by_role("group").evaluate_all(PANELS)
            for title, panel, of in zip(NETWORKS, shown, of_networks, strict=True):
                translation, words, steps, sees = of
                stack, now = "stack" in title, query - n_words
                (source, _, told_source), (target, shares, told_target) = panel["rows"]
                assert (panel["title"], panel["output"]) == (title, translation or "(nothing)")
                assert [word.split(" → ")[-1] for word in source] == (
                    ["<bos>", *words, "<delimiter>"] if stack else words
                )
                assert target == ([] if stack else ["<bos>"]) + [token for token, _ in steps]
                assert shares == [f"{100 * share:.0f} %" for _, share in steps]
                if now >= len(steps):
                    told.append(f"{title}: has ended")
                    assert not any(told_source + told_target)
                    continue
                for row, (texts, weights) in enumerate(zip((told_source, told_target), sees[query], strict=True)):
                    for i, text in enumerate(texts):
                        weight = weights[i] if i < len(weights) else None
                        if now >= 0 and row and i == now + (not stack):
                            weight = "written here"
                        if isinstance(weight, float):
                            assert float(text) == pytest.approx(weight, abs=0.0051), (title, query, row, i)
                        else:
                            assert text == OTHERS.get(weight, weight), (title, query, row, i)
                n_seen = sum(isinstance(weight, float) for row in sees[query] for weight in row)
                at = f"“{steps[now][0]}”, {100 * steps[now][1]:.1f} %" if now >= 0 else f"attends to {n_seen} tokens"
                told.append(f"{title}: {at if n_seen else 'has no attention here'}")
            place = f"written token {query - n_words + 1}" if query >= n_words else f"word {query + 1}, “"
            status = said(page, f"Seen from {place}")
            assert all(of in status for of in told)
            slider.press("ArrowRight")
    assert_accessible(page)
    page.get_by_role("group", name="One stack, causal mask").locator("li").nth(2).click()
    said(page, "Seen from word 2, “had”.")
    assert slider.input_value() == "1"
    field.fill("key " * 41)
    field.press("Enter")
    said(page, "This is 41 tokens long; this figure has room for at most 40. Shorten it.")
    field.fill(" ")
    page.get_by_role("button", name="Translate").press("Enter")
    said(page, "Write a sentence.")
    field.fill("The quokka met Ben.")
    field.press("Enter")
    said(page, "The model has never seen “quokka”: it reads each as <unk>. Recurrent network")
    assert page.get_by_text("quokka → <unk>").count() == 4
    assert page.faults == []


def test_texts_are_corrupted_in_the_page_as_in_the_library(show):
    page, draw = show(""), random.Random(0)
    settings = [(n, rate, mean) for n in range(2, 60) for rate in (0.15, 0.3, 0.5) for mean in (1.0, 2.0, 3.0)]
    counts, drawn = page.evaluate(
        """async all => {
            const { countNoise, drawNoise } = await import("./corruption.js");
            const { stream } = await import("./decoding.js");
            const random = stream(5);
            return [all.map((of) => countNoise(...of)), all.map((of) => drawNoise(...of, random))];
        }""",
        settings,
    )
    assert [tuple(count) for count in counts] == [spans.count_noise(*of) for of in settings]
    for (length, *_), (n_noise, n_spans), noise in zip(settings, counts, drawn, strict=True):
        assert (len(noise), sum(noise), noise[0], noise[-1]) == (length, n_noise, False, True)
        assert sum(lost and not noise[i - 1] for i, lost in enumerate(noise)) == n_spans
    ids, sentinels = list(range(9)), [99, 98, 97, 96, 95, 94]
    cases = [[False, *draw.choices([False, True], k=8)] for _ in range(200)]
    targets = [draw.choices([*range(9), *sentinels[:3]], k=8) for _ in cases]
    found = page.evaluate(
        """async ([ids, sentinels, cases, targets]) => {
            const { replaceRuns, restore } = await import("./corruption.js");
            return cases.map((noise, i) => {
                const [source, target] = [noise, noise.map((x) => !x)].map((of) => replaceRuns(ids, of, (n) => sentinels[n]));
                return [source, target, replaceRuns(ids, noise, () => -1), restore(source, targets[i], sentinels)];
            });
        }""",
        [ids, sentinels, cases, targets],
    )
    for noise, target, (*pair, masked, restored) in zip(cases, targets, found, strict=True):
        assert tuple(pair) == spans.corrupt(ids, torch.tensor(noise), sentinels)
        assert restored == spans.restore(pair[0], target, sentinels)
        firsts = [i for i in range(1, 9) if noise[i] and not noise[i - 1]]
        gaps = [(i, [*noise[i:], False].index(False)) for i in firsts]
        assert masked == noises.infill([[i] for i in ids], gaps, -1).ids


class Chain(torch.nn.Module):
    """The logits of the next token depend on the number of tokens and on the last one."""

    def __init__(self, logits: torch.Tensor):
        super().__init__()
        self.logits = list(logits)  # (steps, V, V)

    def prefill(self, ids):
        return self.logits.pop(0)[ids[:, -1]], self

    def decode(self, ids, state):
        return self.logits.pop(0)[ids], self

    def select(self, rows):
        return self


@pytest.mark.parametrize("room", [3, 12])
def test_beam_search_in_the_page_finds_what_the_library_finds(show, room):
    page = show("")
    for seed in range(20):
        logits = 2 * torch.randn(room, 9, 9, generator=torch.Generator().manual_seed(seed))
        (wanted,) = beam(Chain(logits), (torch.tensor([[0]]),), max_new=room, stop=[1, 2], beams=4, length_penalty=0.0)
        found = page.evaluate(
            """async ([table, room]) => {
                const { beam } = await import("./decoding.js");
                const run = async (rows) => rows.map((ids) => table[ids.length][ids.at(-1) ?? 0]);
                return beam(run, [1, 2], room, 4, () => true);
            }""",
            [logits.tolist(), room],
        )
        assert [one["ids"] for one in found] == [one.ids for one in wanted]
        assert [one["score"] for one in found] == pytest.approx([one.score for one in wanted], abs=1e-4)
        for one in found:  # the token that ends an answer is in its score, and not in its list
            steps = zip(logits, [0, *one["ids"]], one["ids"], strict=False)
            shares = [F.softmax(of[a], -1)[b].item() for of, a, b in steps]
            assert one["shares"] == pytest.approx(shares, abs=1e-5)


def test_the_best_answer_in_the_page_is_the_best_span_of_the_library(show):
    """Also where several are equally good."""
    page, wanted = show(""), []
    scores = [torch.randn(2, 100, 12), torch.randint(-2, 3, (2, 100, 12)).float()]
    pairs = torch.cat(scores, dim=1)
    wanted = answers.best_spans(SpanScores(*pairs), torch.ones(200, 12, dtype=torch.bool), 3).tolist()
    found = page.evaluate(
        """async ([starts, ends]) => {
            const { bestSpans } = await import("./figures/answering.js");
            return starts.map((start, i) => bestSpans(start, ends[i], 3)[0]);
        }""",
        pairs.tolist(),
    )
    assert found == wanted


@pytest.mark.slow
def test_t5_and_bart_restore_in_the_page_what_they_restore_in_python(show, exported, tmp_path):
    names = ("t5", "bart")
    for name in names:
        (tmp_path / name).symlink_to(exported(name))
    wanted = [json.loads((tmp_path / name / "wanted.json").read_text("utf-8")) for name in names]
    t5, bart = ({(text, *lost): of for (text, lost), of in pairs} for pairs in wanted)
    first, *places = next(iter(bart))
    body = live.figure("restoring", names, "Gaps.", text=first, hidden=" ".join(map(str, places)))
    assert 'data-model="t5 bart"' in body
    page = show(body, 390, "dark", tmp_path)
    start(page)
    field = page.get_by_label("Your text")
    words = page.get_by_role("group", name="Words: press one").get_by_role("button")

    def compare(name, source, target, losses, restored, contents):
        panel = page.get_by_role("group", name=name.upper(), exact=True)
        rows = panel.get_by_role("list")
        shown = source.replace("<unk>", "quokka~→~<unk>").split()
        expect(rows.nth(0).get_by_role("listitem")).to_have_text([token.replace("~", " ") for token in shown])
        boxes = [box.split() for box in rows.nth(1).get_by_role("listitem").all_inner_texts()]
        assert " ".join(box[-2] for box in boxes) == target
        assert [float(box[-1]) for box in boxes] == pytest.approx(losses, abs=0.051)
        assert f"({sum(losses) / len(losses):.2f} in the mean)" in panel.inner_text()
        if name == "t5" and "<unk>" in source:
            assert "<unk>" in panel.locator(".live-output").inner_text(), "unknown words are not dropped"
            return
        assert panel.locator(".live-output").inner_text() == " ".join(restored.split())
        tables = panel.locator("table").all()
        assert len(tables) == len(contents)
        for table, rows in zip(tables, contents, strict=True):
            shown = [share.split()[-2] for share in table.locator(".live-number").all_inner_texts()]
            wanted = [100 * share for _, share in rows]
            assert [float(share) for share in shown] == pytest.approx(wanted, abs=0.051)
            shown = [text.replace("<unk>", "").strip() for text in table.locator("th").all_inner_texts()]
            assert [text or "(nothing)" for text in shown] == [text or "(nothing)" for text, _ in rows]

    for key in bart:
        text, *lost = key
        field.fill(text)
        for i, word in enumerate(words.all()):
            if (word.get_attribute("aria-pressed") == "true") != (i in lost):
                word.press("Enter")
        compare("bart", *bart[key])
        said(page, f"BART writes: “{' '.join(bart[key][3].split())}”")
        if key in t5:
            compare("t5", *t5[key])
        else:
            told = "T5 never takes the first word away." if lost else "There is no gap"
            assert told in page.get_by_role("group", name="T5", exact=True).inner_text()
        if "quokka" in text:
            assert said(page, "never seen").count("“quokka”") == 1
            assert page.locator(".live-tokens .unknown", has_text="quokka → <unk>").count() == 3
    assert_accessible(page)
    page.get_by_role("button", name="Start over").press("Enter")
    said(page, "BART writes")
    assert field.input_value() == first
    page.get_by_role("button", name="Give all words back").press("Enter")
    said(page, "There is no gap")
    page.get_by_role("button", name="by chance").press("Enter")
    said(page, "T5 writes")
    pressed = [word.get_attribute("aria-pressed") == "true" for word in words.all()]
    assert (sum(pressed), pressed[0], pressed[-1]) == (spans.count_noise(len(pressed), 0.3, 2.0)[0], False, True)
    field.fill("key " * 130)
    told = said(page, "BART reads at most 128. Shorten it.")
    assert "tokens long; T5 reads at most 48. Shorten it." in told
    field.fill(" ")
    said(page, "Write a text.")
    assert page.locator(".live-tokens").count() == 0
    assert page.faults == []


def show_gaps(show, exported, folder):
    """A figure with two models, which lie in `folder`."""
    for name in ("t5", "bart"):
        (folder / name).symlink_to(exported(name))
    return show(live.figure("restoring", ("t5", "bart"), "Gaps.", text="The film was bad.", hidden="1"), models=folder)


@pytest.mark.slow
def test_the_first_of_several_models_answers_while_the_next_is_on_its_way(show, exported, tmp_path):
    page = show_gaps(show, exported, tmp_path)
    held = []
    page.route("**/bart/model.onnx", lambda route: held.append(route))
    page.locator("button.live-start").press("Enter")
    t5, bart = (page.get_by_role("group", name=name, exact=True) for name in ("T5", "BART"))
    t5.get_by_role("list").first.wait_for(timeout=60_000)
    assert page.get_by_label("Your text").evaluate("e => e === document.activeElement")
    page.get_by_role("button", name="Start over").focus()
    assert bart.get_by_role("list").count() == page.locator("figure[data-ready]").count() == 0
    held[0].fulfill(path=tmp_path / "bart" / "model.onnx")
    page.locator("figure[data-ready]").wait_for()
    assert bart.get_by_role("list").count() > 0
    assert page.get_by_role("button", name="Start over").evaluate("e => e === document.activeElement"), "no jump"
    assert page.faults == []


@pytest.mark.slow
def test_a_second_model_that_is_not_there_is_told(show, exported, tmp_path):
    page = show_gaps(show, exported, tmp_path)
    page.route("**/bart/model.onnx", lambda route: route.fulfill(status=404))
    page.locator("button.live-start").press("Enter")
    said(page, "could not be loaded: models/bart/model.onnx can't be had (404)")
    assert page.locator("button.live-start").is_enabled()


@pytest.mark.slow
@pytest.mark.parametrize(("width", "theme"), [(390, "dark"), (1280, "light")])
def test_the_answer_in_the_page_is_the_one_in_python(show, exported, width, theme):
    folder = exported("bert-qa")
    wanted = json.loads((folder / "wanted.json").read_text("utf-8"))
    question, story = wanted[0][0]
    body = live.figure("answering", "bert-qa", "Answers.", text=story, question=question)
    page = show(body, width, theme, folder.parent)
    start(page)
    page.locator("summary").press("Enter")
    rows = page.locator("tbody tr")
    for (question, story), (answer, first, last, best) in wanted:
        page.get_by_label("Your question").fill(question)
        page.get_by_label("Your story").fill(story)
        answer = unicodedata.normalize("NFC", answer)
        told = said(page, f"Answer: “{answer}”, {100 * best[0]:.1f} %.")
        assert page.locator(".live-marked").evaluate("p => p.textContent") == unicodedata.normalize("NFC", story)
        assert page.locator("mark").evaluate("p => p.textContent") == answer
        for column, shares in ((2, first), (3, last)):
            cells = rows.locator(f"td:nth-child({column})").all_inner_texts()
            assert [float(cell.split()[-2]) for cell in cells] == pytest.approx([100 * x for x in shares], abs=0.051)
        bars = page.locator(".live-bars .live-number").all_inner_texts()
        assert [float(cell.split()[-2]) for cell in bars] == pytest.approx([100 * x for x in best], abs=0.051)
        words = rows.locator("th").all_inner_texts()
        alone = [words[max(range(len(of)), key=of.__getitem__)] for of in (first, last)]
        line = page.locator("p", has_text="Each on its own").inner_text()
        assert [word in line for word in alone] == [True, True]
        assert ("before it" in line) == (last.index(max(last)) < first.index(max(first)))
    assert told.count("“quokka”") == told.count("“Xanthippe”") == 1
    assert "Xanthippe" in page.locator(".live-unknown").all_inner_texts()
    assert_accessible(page)
    page.get_by_label("Your story").fill("key " * 190)
    said(page, "tokens long; the model reads at most 192. Shorten it.")
    assert page.locator("mark").count() == rows.count() == 0
    page.get_by_label("Your story").fill("")
    said(page, "Write a story and a question.")
