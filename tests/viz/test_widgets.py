"""The widgets, and whether they move where there is no kernel."""

import base64
import json
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import ipywidgets
import matplotlib.pyplot as plt
import pytest
import torch
from ipywidgets.embed import dependency_state, embed_data
from PIL import Image

from seqbook import viz
from seqbook.data.tokenizer import Tokenizer
from seqbook.generation.decoding import greedy
from seqbook.generation.sampling import filter_logits
from seqbook.models.gpt import GPT, GPTConfig
from seqbook.models.transformer import Transformer, TransformerConfig
from seqbook.objectives.causal import Causal, CausalConfig
from seqbook.runs import System

SCRIPTS = Path(__file__).parents[2] / "book" / "_static" / "widgets"


class Picture(HTMLParser):
    """What one state shows: its caption, its alternative text, its image."""

    def __init__(self, widget: ipywidgets.HTML):
        super().__init__()
        self.caption = ""
        self.feed(widget.value)

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            attributes = dict(attrs)
            self.alt = attributes["alt"]
            head, data = attributes["src"].split(",")
            assert head == "data:image/png;base64"
            self.image = Image.open(BytesIO(base64.b64decode(data))).convert("RGB")

    def handle_data(self, data):
        self.caption += data


@pytest.fixture
def links(monkeypatch):
    """{the tied stack: (control, trait)} of every jslink that was made."""
    made = {}

    def jslink(source, target):
        assert target[1] == "selected_index"
        made[target[0]] = source
        return real(source, target)

    real = ipywidgets.jslink
    monkeypatch.setattr(ipywidgets, "jslink", jslink)
    return made


@pytest.fixture
def systems(toy):
    toy.objective.max_len = 6  # few steps: each is drawn
    sizes = {"source_vocab_size": 12, "target_vocab_size": 12, "d_model": 16, "max_len": 6}
    heads = {"n_layers": 2, "n_heads": 4, "d_ff": 32}
    models = {"transformer": Transformer(TransformerConfig(**sizes, **heads)), "rnn": toy.model(context="dot")}
    return {name: System(model, toy.objective) for name, model in models.items()}


def test_heads_of_a_recorded_model(links, systems):
    sources, targets = "a dog runs fast".split(), list("跑得快")
    with viz.record(systems["transformer"].model.eval()) as maps:
        systems["transformer"].model(torch.tensor([[5, 6, 7, 8]]), torch.tensor([[1, 5, 6]]))
    attention, head, by_attention = viz.head_explorer(maps, sources, targets).children
    assert attention.options == tuple(maps)
    assert (attention.description, head.description, head.max) == ("attention", "head", 3)
    assert links[by_attention] == (attention, "index")
    sides = {"encoder": (sources, sources), "decoder": (targets, targets), "cross": (targets, sources)}
    for (name, (weights,)), row in zip(maps.items(), by_attention.children, strict=True):
        assert links[row] == (head, "value")
        queries, keys = sides["cross" if "cross" in name else name[:7]]
        for i, child in enumerate(row.children):
            picture = Picture(child)
            assert picture.caption == f"{name}, head {i}"
            first = keys[int(weights[0, i, 0].argmax())]
            assert picture.alt.startswith(f"Where each token looks most: {queries[0]} at {first}, ")
    (alone,) = (
        viz.head_explorer({"cross": maps["decoder.blocks.0.cross_attention"][0][0]}, sources, targets)
        .children[2]
        .children
    )
    assert [Picture(child).caption for child in alone.children] == [f"cross, head {i}" for i in range(4)]


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        ({}, "holds no weights"),
        ({"encoder.0.attention": []}, "holds no weights"),
        ({"a": torch.ones(2, 3, 4), "b": torch.ones(1, 3, 4)}, r"attentions of \[1, 2\] heads"),
        ({"a": torch.ones(2, 4, 3)}, r"a has weights \(2, 4, 3\): give \(heads, 3, 4\)"),
        ({"a": [torch.ones(1, 3, 4)]}, r"a has weights \(3, 4\): give \(heads, 3, 4\)"),
    ],
)
def test_weights_that_cannot_be_explored_are_refused(maps, message):
    with pytest.raises(ValueError, match=message):
        viz.head_explorer(maps, list("abcd"), list("xyz"))


@pytest.mark.parametrize("name", ["transformer", "rnn"])
@pytest.mark.parametrize("reverse", [True, False])
def test_the_stepper_follows_greedy_decoding(links, systems, name, reverse):
    system = systems[name]
    model, objective = system.model.train(), system.objective
    objective.config = replace(objective.config, reverse_source=reverse)
    text = "ein hund rennt"
    step, stack = viz.decoder_stepper(system, text).children
    assert model.training
    given, stop = objective.prompt(objective.encode_sources([text])), [objective.target_tokenizer.eos_id]
    (written,) = greedy(model, given, max_new=5, stop=stop)
    tokens = objective.target_tokenizer.tokens(written) + ["<eos>"] * (len(written) < 5)
    pictures = [Picture(child) for child in stack.children]
    assert links == {stack: (step, "value")}
    assert (step.description, step.max) == ("step", len(pictures) - 1)
    assert len(pictures) == len(written) + 1
    model.eval()
    with viz.record(model) as maps, torch.no_grad():
        greedy(model, given, max_new=len(pictures), stop=stop)
    *_, rows = maps.values()
    sources = objective.source_tokenizer.tokens(given[0][0].tolist())
    assert sources == text.split()[:: -1 if reverse else 1]
    for i, (picture, token, row) in enumerate(zip(pictures, tokens, rows, strict=False)):
        beginning = objective.target_tokenizer.decode(written[:i]) or "nothing"
        assert picture.caption == f"Step {i}\nSource: {text}\nWritten so far: {beginning}"
        most = sources[int(row[0].reshape(-1, 3).mean(0).argmax())]
        assert picture.alt.startswith(f"Most attention on: {most}. Likeliest next: {token} ")
        assert picture.alt.count("%") == 5


def test_a_text_or_a_model_that_cannot_be_stepped_through_is_refused(toy, systems):
    with pytest.raises(ValueError, match="0 tokens long"):
        viz.decoder_stepper(systems["rnn"], "")
    with pytest.raises(ValueError, match="7 tokens long"):
        viz.decoder_stepper(systems["transformer"], "hund " * 7)
    with pytest.raises(ValueError, match="RNNSeq2Seq has no attention"):
        viz.decoder_stepper(System(toy.model(context="last"), toy.objective), "ein hund")


@pytest.fixture
def story():
    """A small causal system whose tokens are words, and a text that it can read."""
    text = "anna had a key . she put the key on the table"
    tokenizer = Tokenizer.train([text], "word")
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocab_size=len(tokenizer), d_model=16, n_layers=1, n_heads=2, max_len=32)).eval()
    for parameter in model.parameters():
        parameter.data *= 4  # decided, untrained as it is
    return System(model, Causal(tokenizer, CausalConfig(), max_len=32)), text


def test_sampling_draws_what_the_sampler_would(links, story):
    system, _ = story
    logits = torch.randn(len(system.objective.tokenizer)) * 2
    temperature, top_p, by_top_p = viz.sampling_explorer(logits, system.objective.tokenizer, top_ps=(0.6, 1.0)).children
    assert (temperature.value, top_p.value) == (3, 1)
    assert [label for label, _ in temperature.options] == ["0.25", "0.5", "0.75", "1", "1.5", "2"]
    assert links[by_top_p] == (top_p, "index")
    assert by_top_p.selected_index == 1
    for p, row in zip((0.6, 1.0), by_top_p.children, strict=True):
        assert links[row] == (temperature, "index")
        assert row.selected_index == 3
        for t, child in zip((0.25, 0.5, 0.75, 1.0, 1.5, 2.0), row.children, strict=True):
            probs = filter_logits(logits[None] / t, top_p=p)[0].softmax(-1)
            left, entropy = int((probs > 0).sum()), abs((probs * probs.clamp(min=1e-30).log()).sum())
            caption = f"Temperature {t:g}, top-p {p:g}: {left:,} tokens can be drawn; entropy {entropy:.2f} nats."
            assert Picture(child).caption == caption
            best = system.objective.tokenizer.tokens([int(logits.argmax())])[0]
            assert Picture(child).alt.startswith(f"Probabilities: {best} {probs.max():.0%}")
    ax = viz.sampling(logits, system.objective.tokenizer, {"as it is": {}, "top-k, k = 2": {"top_k": 2}}, shown=4)
    assert [round(bar.get_width(), 4) for bar in ax.patches[:4]] == [
        round(value, 4) for value in logits.softmax(-1).topk(4).values.tolist()
    ]
    assert [bar.get_width() > 0 for bar in ax.patches[4:]] == [True, True, False, False]
    plt.close("all")


def test_settings_of_sampling_that_cannot_be_shown_are_refused(story):
    tokenizer, logits = story[0].objective.tokenizer, torch.zeros(len(story[0].objective.tokenizer))
    with pytest.raises(ValueError, match="11 × 6 pictures are too many"):
        viz.sampling_explorer(logits, tokenizer, temperatures=[0.1] * 11, top_ps=[1.0] * 6)
    with pytest.raises(ValueError, match="need a 1"):
        viz.sampling_explorer(logits, tokenizer, temperatures=[0.5])


def test_a_window_hides_what_stands_before_it(links, story):
    system, text = story
    tokenizer = system.objective.tokenizer
    ids = [tokenizer.bos_id, *tokenizer.encode(text)]
    window, stack = viz.window_explorer(system, text).children
    assert links == {stack: (window, "index")}
    assert len(stack.children) == len(ids)
    for k, child in enumerate(stack.children, start=1):
        picture = Picture(child)
        assert picture.caption == f"Window {k}: the model reads the last {k} of {len(ids)} tokens."
        with torch.no_grad():
            probs = system.model(torch.tensor([ids[-k:]]))[0, -1].softmax(-1)
        best = tokenizer.tokens([int(probs.argmax())])[0]
        assert picture.alt.startswith(f"Likeliest next: {best} {probs.max():.0%}, ")
    ax = viz.window_curves(system, text, [1, 4, 8], also=["anna"])
    lines = {line.get_label(): line.get_ydata() for line in ax.lines}
    assert "anna" in lines
    assert best in viz.window_curves(system, text, [1, len(ids)]).get_legend_handles_labels()[1]
    (anna,) = tokenizer.encode("anna")
    with torch.no_grad():
        wanted = [system.model(torch.tensor([ids[-k:]]))[0, -1].softmax(-1)[anna].item() for k in (1, 4, 8)]
    assert lines["anna"] == pytest.approx(wanted)
    plt.close("all")
    window, stack = viz.window_explorer(system, text, [1, 4, 8], first=4).children
    assert (window.index, stack.selected_index) == (1, 1)
    with pytest.raises(ValueError, match=r"first=5 is not among the windows \[1, 4, 8\]"):
        viz.window_explorer(system, text, [1, 4, 8], first=5)
    with pytest.raises(ValueError, match=f"a window of {len(ids) + 1}: the text has {len(ids)} tokens"):
        viz.window_explorer(system, text, [len(ids) + 1])


def test_each_source_word_changes_its_own_targets(links):
    sources, targets, changes = ["a", "dog"], list("一只狗"), torch.tensor([[0.9, 0.1], [0.4, 0.2], [0.0, 0.8]])
    word, stack = viz.perturbation_explorer(changes, sources, targets, ["the", "cat"]).children
    assert links == {stack: (word, "index")}
    first, second = map(Picture, stack.children)
    assert (first.caption, second.caption) == ("Word 1: 'a' becomes 'the'.", "Word 2: 'dog' becomes 'cat'.")
    assert first.alt == "The token that changes most is 一, by 0.90."
    assert second.alt == "The token that changes most is 狗, by 0.80."
    with pytest.raises(ValueError, match=r"changes \(2, 3\) don't fit the tokens: give \(target, source\), \(3, 2\)"):
        viz.perturbation_explorer(changes.T, sources, targets)
    with pytest.raises(ValueError, match="1 replacements for 2 source words"):
        viz.perturbation_explorer(changes, sources, targets, ["the"])


def test_what_is_written_in_a_text_stays_text(systems):
    _, stack = viz.decoder_stepper(systems["rnn"], "ein <b x>").children
    assert "Source: ein <b x>\n" in Picture(stack.children[0]).caption
    assert "<b" not in stack.children[0].value


def test_pictures_of_a_widget_have_one_size(systems):
    _, stack = viz.decoder_stepper(systems["rnn"], "ein hund").children
    assert len({Picture(child).image.size for child in stack.children}) == 1


@pytest.mark.slow
def test_widgets_are_small():
    sizes = {"source_vocab_size": 12, "target_vocab_size": 12, "d_model": 16, "n_layers": 2, "n_heads": 4, "d_ff": 32}
    model = Transformer(TransformerConfig(**sizes)).eval()
    with viz.record(model) as maps:
        model(torch.randint(4, 12, (1, 14)), torch.randint(4, 12, (1, 20)))
    widget = viz.head_explorer(maps, ["word"] * 14, ["字"] * 20)
    assert len(json.dumps(dependency_state([widget]))) < 600_000


@pytest.fixture
def show(browser, tmp_path):
    """Open a page that holds the widget as the site does: its state, the site's own scripts, no kernel."""
    pages = []

    def show(widget):
        data = embed_data([widget], state=dependency_state([widget]))
        parts = [f'<script src="{(SCRIPTS / f"{name}.js").as_uri()}"></script>' for name in ("require", "site")]
        embed = (SCRIPTS / "embed-amd.js").as_uri()
        parts.append(f'<script src="{embed}" data-jupyter-widgets-cdn-only="false"></script>')
        kinds = {"state": data["manager_state"], "view": data["view_specs"][0]}
        for kind, content in kinds.items():
            parts.append(f'<script type="application/vnd.jupyter.widget-{kind}+json">{json.dumps(content)}</script>')
        file = tmp_path / f"{len(pages)}.html"
        file.write_text("<!doctype html><meta charset=utf-8><body>" + "\n".join(parts), encoding="utf-8")
        page = browser.new_page(viewport={"width": 390, "height": 800})
        pages.append(page)
        page.faults = []
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.on("request", lambda r: r.url.startswith(("file:", "data:")) or page.faults.append(r.url))
        page.goto(file.as_uri())
        page.wait_for_selector("img:visible")
        return page

    yield show
    for page in pages:
        page.close()


def visible(page):
    """The caption of the one picture that is seen."""
    (caption,) = page.locator("figcaption:visible").all_inner_texts()
    assert page.locator("img:visible").count() == 1
    return caption


@pytest.mark.slow
def test_sliders_move_without_a_kernel(show, systems):
    maps = {name: torch.rand(4, 3, 3).softmax(-1) for name in ("encoder.0.attention", "decoder.0.cross_attention")}
    page = show(viz.head_explorer(maps, list("abc"), list("甲乙丙")))
    page.get_by_role("slider").press("End")
    page.get_by_role("combobox", name="attention").select_option("decoder.0.cross_attention")
    assert visible(page) == "decoder.0.cross_attention, head 3"
    assert page.faults == []

    tokenizer = systems["rnn"].objective.target_tokenizer
    page = show(viz.sampling_explorer(torch.randn(len(tokenizer)), tokenizer))
    temperature, top_p = page.get_by_role("slider").all()
    assert visible(page).startswith("Temperature 1, top-p 1: ")
    temperature.press("ArrowLeft")
    top_p.press("ArrowLeft")
    assert visible(page).startswith("Temperature 0.75, top-p 0.95: ")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.faults == []

    page = show(viz.decoder_stepper(systems["transformer"], "ein hund rennt"))
    page.get_by_role("slider").press("ArrowRight")
    assert visible(page).startswith("Step 1\n")
    assert page.faults == []
