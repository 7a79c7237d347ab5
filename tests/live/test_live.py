"""The live figures: exported graphs give the model's numbers, and the page's own code gives Python's tokens."""

import ast
import json
import random
import re
import unicodedata
from pathlib import Path

import nbformat
import pytest

from microworld import load
from seqbook import live
from seqbook.data.tokenizer import Tokenizer
from seqbook.live.export import GRAPHS, export
from seqbook.runs import published

FOLDER = Path(__file__).parents[2] / "book" / "_static" / "live"
HOSTILE = [
    "",
    " ",
    "<eos> <pad>",
    "Anna's key didn't fit.",
    "a\u00a0b\u2003c\u0085d\ufeffe",
    "cafe\u0301 caf\u00e9",
    "我有一把key。",
    "3,14 % (x_y) —“…”",
    "🙂👩\u200d👩\u200d👧 ok",
    "\x00\x1f\t\n",
    "__init__ don't o'clock",
    "ǅ ß ﬁ Ⅷ ½ ٣",
    "constructor toString __proto__",
]


@pytest.fixture(scope="module")
def page(browser, address):
    page = browser.new_page()
    page.goto(f"{address}/live.css")
    yield page
    page.close()


def in_page(page, tokenizer: Tokenizer, texts: list[str]) -> list[dict]:
    return page.evaluate(
        """async ([json, texts]) => {
            const { Tokenizer } = await import("./tokenizer.js");
            const tokenizer = new Tokenizer(JSON.parse(json));
            return texts.map((text) => {
                const ids = tokenizer.encode(text);
                return { ids, unknown: tokenizer.unknown(text), text: tokenizer.decode(ids) };
            });
        }""",
        [tokenizer.backend.to_str(), texts],
    )


@pytest.mark.parametrize("kind", ["word", "character"])
@pytest.mark.parametrize("column", ["en", "zh"])
def test_the_page_reads_texts_as_python_does(page, kind, column):
    texts = load("translation")["train"][column][:3000]
    tokenizer = Tokenizer.train(texts[:1500], kind).with_special("[MASK]")
    letters = random.Random(0)
    # Characters that Unicode had for years: the browser and Python's library may know different numbers of new ones.
    known = [c for c in map(chr, range(32, 0x3000)) if unicodedata.category(c) != "Cn"]
    noise = ["".join(letters.choices(known, k=12)) for _ in range(200)]
    texts = [*texts, *HOSTILE, *noise, "[MASK] and " + texts[0]]
    for text, found in zip(texts, in_page(page, tokenizer, texts), strict=True):
        ids = tokenizer.encode(text)
        assert found == {"ids": ids, "unknown": tokenizer.unknown([text]), "text": tokenizer.decode(ids)}, repr(text)


def test_draws_follow_the_distribution_that_the_sliders_set(page):
    found = page.evaluate(
        """async () => {
            const { distribution, draw, stream, nll } = await import("./decoding.js");
            const logits = [2, 1, 0, -1], random = stream(3), counts = [0, 0, 0, 0];
            const shares = distribution(logits, { temperature: 2, k: 3, p: 0.9 });
            for (let i = 0; i < 20000; i++) counts[draw(shares, random)]++;
            const all = [{}, { k: 1 }, { p: 0.05 }].map((how) => [...distribution(logits, how)]);
            return { shares: [...shares], counts, all, nll: nll(logits, 0) };
        }"""
    )
    powers = [2.718281828459045**x for x in (1, 0.5, 0, -0.5)]
    shares = [x / sum(powers[:3]) for x in powers[:3]]  # the three together have 90 %: 0.39, 0.24, 0.14 are not enough
    assert found["shares"] == pytest.approx([*shares, 0])
    assert [count / 20000 for count in found["counts"]] == pytest.approx(found["shares"], abs=0.015)
    assert found["all"][1] == found["all"][2] == [1, 0, 0, 0]
    assert found["nll"] == pytest.approx(0.4402, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", GRAPHS)
def test_the_exported_graph_gives_the_numbers_of_the_model(name, exported):
    folder = exported(name)
    about = json.loads((folder / "about.json").read_text("utf-8"))
    assert about["identity"] == "now"
    files = ["model.onnx", *(step["file"] for step in about.get("steps", []))]
    assert about["bytes"] == sum((folder / file).stat().st_size for file in files) < 6e6
    assert all((folder / f"{key}.json").is_file() for key in about["tokenizers"])


def test_what_no_figure_uses_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no figure uses the model of 'gpt-ner': choose one of rnn"):
        export("gpt-ner", tmp_path)
    with pytest.raises(ValueError, match="kind='dancing'"):
        live.figure("dancing", "gpt", "No.")


def test_a_figure_says_in_its_place_what_it_needs_and_holds_its_settings():
    html = live.figure("sampling", "gpt", "A <caption>.", text='"Anna" & co')._repr_html_()
    assert "needs JavaScript" in html
    assert "A &lt;caption&gt;." in html
    assert "&quot;text&quot;: &quot;\\&quot;Anna\\&quot; &amp; co&quot;" in html
    assert "<script" not in html


@pytest.mark.parametrize(
    ("name", "chapter", "cell"),
    [
        ("gpt-sentiment", "3_gpt/finetuning", ["short_run", '("gpt-sentiment", short_run | {"lm_weight": 0.0})']),
        ("gpt-entailment", "3_gpt/finetuning", ["settings", '"gpt-entailment", learning_rate=1e-3, **settings)']),
        ("bert-ner", "4_bert/finetuning", ["settings", '("bert-ner", settings)']),
    ],
)
def test_the_live_model_is_the_one_that_its_chapter_trains(name, chapter, cell):
    """Or the page would train a second one when it is built."""
    notebook = nbformat.read(FOLDER.parents[1] / f"{chapter}.ipynb", 4)
    variable, call = cell
    (source,) = (c.source for c in notebook.cells if call in c.source)
    line = next(line for line in source.splitlines() if line.startswith(f"{variable} = "))
    trained = ast.literal_eval(line.removeprefix(f"{variable} = "))
    rest = {"gpt-sentiment": {"lm_weight": 0.0}, "gpt-entailment": {"learning_rate": 1e-3}}
    assert GRAPHS[name].settings == trained | rest.get(name, {})


@pytest.mark.parametrize(("name", "rows"), [("bert-qa", "understanding"), ("bart", "bart-rewriting")])
def test_the_live_model_is_trained_like_the_one_of_the_published_row(name, rows):
    rows = json.loads((FOLDER.parents[2] / "benchmarks" / "results" / f"{rows}.json").read_text("utf-8"))["rows"]
    (row,) = (row for row in rows if (row["recipe"], row["seed"]) == (name, 0))
    published = {"size": row["labels"], "patience": row["patience"]} if "labels" in row else row["settings"]
    assert GRAPHS[name].settings == published


def test_live_similarity_reads_both_orders_and_is_trained_like_the_published_networks_of_one_order():
    rows = published.rows("similarity-orders", orders=["one"], seed=[0])
    assert [GRAPHS["gpt-similarity"].settings | {"transformation": "entailment"}] == [row["settings"] for row in rows]


def test_the_chapter_tells_how_small_the_training_of_multiple_choice_is():
    chapter = nbformat.read(FOLDER.parents[1] / "3_gpt" / "finetuning.ipynb", 4)
    (source,) = (cell.source for cell in chapter.cells if cell.id == "live-tasks-text")
    of = GRAPHS["gpt-multiple-choice"].settings
    assert of["steps"] * of["batch_size"] == of["size"], "each story once"
    (row,) = published.rows("multiple-choice", start=["pretrained"])
    stories = row["settings"]["steps"] * row["settings"]["batch_size"]
    assert f"{of['size']:,} stories" in source
    assert f"{stories:,}" in source
    at = [loss for step, loss in zip(row["evaluated_at"], row["val_losses"], strict=True) if step * 64 <= of["size"]]
    assert min(at) > 0.97, "the published network had not left its plateau"


@pytest.mark.parametrize(
    ("name", "chapter", "call"),
    [
        ("t5", "5_seq2seq_pretraining/t5_bart", 'run = runs.run("t5")'),
        ("transformer", "2_transformer/transformer", '"Transformer": ("transformer", {}),'),
        ("gpt-prompting", "3_gpt/prompting", 'run = runs.run("gpt-prompting")'),
    ],
)
def test_the_live_model_is_the_one_that_its_chapter_trains_without_settings(name, chapter, call):
    notebook = nbformat.read(FOLDER.parents[1] / f"{chapter}.ipynb", 4)
    assert any(call in cell.source for cell in notebook.cells)
    assert GRAPHS[name].settings == {}


def test_the_live_prefix_decoder_is_the_one_that_its_chapter_trains():
    """Or the page would train a second one when it is built."""
    chapter = (FOLDER.parents[1] / "6_prefix_decoders" / "prefix_lm.ipynb").read_text("utf-8")
    wanted = GRAPHS["prefix-lm"].settings
    assert f'"prefix-lm\\", **sizes, steps={wanted["steps"]}, warmup={wanted["warmup"]})' in chapter
    assert f'{{\\"d_model\\": {wanted["d_model"]}, \\"n_layers\\": {wanted["n_layers"]}}}' in chapter


def test_the_families_are_those_of_the_comparison_and_the_chapter_says_how_large_they_are():
    chapter = nbformat.read(FOLDER.parents[1] / "7_choosing" / "which_architecture.ipynb", 4)
    (source,) = (cell.source for cell in chapter.cells if cell.id == "live-families")
    names = [name for name in GRAPHS if name.startswith("compare-")]
    searched = published.rows("which-architecture-rates", task=["translation"])
    sizes = []
    for name in names:
        rows = [row for row in searched if row["recipe"] == name]
        assert GRAPHS[name].settings == min(rows, key=lambda row: row["val_loss"])["settings"]
        sizes.append(2 * rows[0]["params"])  # 16 bits each
        assert name.removeprefix("compare-").removesuffix("-translation") in source
    assert max(sizes) < 5.5e6
    said = re.search(r"\(([0-9]+) MB", source)[1]
    assert sum(sizes) / 1e6 == pytest.approx(int(said), abs=0.5)
