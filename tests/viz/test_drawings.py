"""The drawings: they show the numbers that they were given, refuse those that don't fit, and can be read on a phone."""

import warnings
from math import exp, log, tanh

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba

from seqbook.nn import masks
from seqbook.viz import drawings
from seqbook.viz.drawings.beam_tree import search

GATES = {"c_before": 0.9, "i": 0.6, "f": 0.7, "g": -0.4, "o": 0.5}
CELL = GATES | {"c": 0.7 * 0.9 - 0.6 * 0.4, "h": 0.5 * tanh(0.7 * 0.9 - 0.6 * 0.4)}
# Greedy takes the likelier "the" (0.5), whose best end has 0.5 · 0.4 · 0.5 = 0.1; "a dog" has 0.4 · 0.9 · 0.9 = 0.324.
BLANKS = (  # tokens, positions, block positions, predictions
    ["a", "[MASK]", "b", "[sop]", "c"], [0, 1, 2, 1, 1], [0, 0, 0, 1, 2], [None, None, None, "c", "[eop]"]
)  # fmt: skip
TREE = {
    ("the",): log(0.5),
    ("a",): log(0.4),
    ("one",): log(0.1),
    ("the", "dog"): log(0.4),
    ("the", "man"): log(0.35),
    ("a", "dog"): log(0.9),
    ("a", "cat"): log(0.05),
    ("the", "dog", "<eos>"): log(0.5),
    ("the", "dog", "runs"): log(0.4),
    ("a", "dog", "<eos>"): log(0.9),
    ("a", "dog", "runs"): log(0.1),
}
WORDS, CHARACTERS = "Anna visited Ben .".split(), [*"安娜看了本", "<eos>"]


def shown(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts if text.get_text()]


@pytest.fixture(autouse=True)
def no_open_figures():
    yield
    plt.close("all")


@pytest.fixture
def qkv():
    torch.manual_seed(0)
    return torch.randn(3, 4, 3)


def all_drawings():
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 4, 3)
    part = drawings.Part("cross-attention", 0.5, 1.1)
    row = drawings.Row(["<bos>", *"安娜"], [*"安娜", "<eos>"], counted=[True, False, True], shaded=[2])
    return {
        "unrolled": lambda: drawings.unrolled(WORDS, CHARACTERS, bidirectional=True),
        "attention": lambda: drawings.unrolled(WORDS, CHARACTERS, weights=torch.rand(6, 4).softmax(-1), step=3),
        "lstm_cell": lambda: drawings.lstm_cell(CELL),
        "blank_row": lambda: drawings.blank_row(*BLANKS, n_prefix=3),
        "beam_tree": lambda: drawings.beam_tree(TREE, 2),
        "attention_numbers": lambda: drawings.attention_numbers(WORDS, q, k, v, query=1),
        "attention_step": lambda: drawings.attention_step(WORDS, torch.randn(4, 2), torch.randn(2)),
        "heads_split": lambda: drawings.heads_split(torch.rand(4, 6, 4).softmax(-1), CHARACTERS, 32, keys=WORDS),
        "residual_stream": lambda: drawings.residual_stream(["attention", part], norm="post", final_norm=True),
        "shaded_tokens": lambda: drawings.shaded_tokens(CHARACTERS, [0.1, 0.9, 0.3, 0.2, 0.0, 1.0], name="nats"),
        "source_and_target": lambda: drawings.source_and_target(
            {"T5": (WORDS, CHARACTERS), "BART": (WORDS, 3 * WORDS)}
        ),
        "token_rows": lambda: drawings.token_rows({"reads": WORDS, "decoder": row}),
    }


@pytest.mark.parametrize("name", all_drawings())
def test_every_drawing_fits_a_phone_and_prints_all_its_characters(name, tmp_path):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*[Gg]lyph")
        ax = all_drawings()[name]()
        ax.figure.savefig(tmp_path / "drawing.png")
    width, height = ax.figure.get_size_inches()
    assert width <= 5.2
    assert height <= 7
    assert min(text.get_fontsize() for text in ax.texts if text.get_text()) >= 7
    renderer = ax.figure.canvas.get_renderer()
    for text in ax.texts:  # what reaches past the sheet would be cut off, or make the picture wider
        if text.get_text():
            box = text.get_window_extent(renderer).transformed(ax.figure.dpi_scale_trans.inverted())
            assert -0.15 < box.x0 < box.x1 < width + 0.15, text.get_text()
            assert -0.1 < box.y0 < box.y1 < height + 0.1, text.get_text()


def test_all_drawings_are_tried_above():
    assert {name for name in drawings.__all__ if name.islower()} <= all_drawings().keys()


def test_a_row_with_blanks_prints_both_positions():
    printed = shown(drawings.blank_row(*BLANKS, n_prefix=3))
    assert {"part A", "part B", "position", "block pos.", "[MASK]", "[eop]"} <= set(printed)
    assert [text for text in printed if text.isdigit()] == ["0", "0", "1", "0", "2", "0", "1", "1", "1", "2"]
    with pytest.raises(ValueError, match="3 positions for 5 tokens: give one for each"):
        drawings.blank_row(BLANKS[0], [0, 1, 2], *BLANKS[2:], n_prefix=3)


@pytest.mark.parametrize(("context", "readers"), [("start", 1), ("state", 7), ("output", 7)])
def test_the_context_goes_where_it_is_said_to(context, readers):
    ax = drawings.unrolled(WORDS, CHARACTERS, context=context)
    assert shown(ax)[0] == "encoder"
    for name in ("$h_{4}$", "$s_{6}$", "$c$", "<bos>", *WORDS, *CHARACTERS):
        assert name in shown(ax)
    pink = to_rgba("C3")
    arrows = [text.arrow_patch for text in ax.texts if getattr(text, "arrow_patch", None)]
    into_decoder = [arrow for arrow in arrows if arrow.get_edgecolor() == pink]
    assert len(into_decoder) == readers + 1  # and the one from the last state to c


def test_the_weights_of_one_step_are_printed():
    weights = torch.tensor([[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.15, 0.05]])
    ax = drawings.unrolled(WORDS, ["安", "娜"], weights=weights, step=1)
    assert [text for text in shown(ax) if text.startswith("0.")] == ["0.70", "0.10", "0.15", "0.05"]
    assert "$c_{2}$" in shown(ax)
    assert "$c$" not in shown(ax)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"targets": []}, "4 source and 0 target tokens"),
        ({"weights": torch.ones(4, 6)}, r"weights \(4, 6\) don't fit the tokens: give \(target, source\), \(6, 4\)"),
        ({"weights": torch.ones(6, 4), "step": 6}, "step=6 is not a target: choose 0 to 5"),
        ({"weights": torch.ones(6, 4), "context": "start"}, "a context for every step"),
    ],
)
def test_what_cannot_be_unrolled_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        drawings.unrolled(**{"sources": WORDS, "targets": CHARACTERS} | settings)


def test_an_lstm_cell_prints_its_numbers_and_checks_them():
    assert {"0.90", "0.60", "0.70", "−0.40", "0.50", "0.39", "0.19"} <= set(shown(drawings.lstm_cell(CELL)))
    assert not any(text[0].isdigit() for text in shown(drawings.lstm_cell()))
    with pytest.raises(ValueError, match=r"c=0\.5000 does not follow from the gates: they give 0\.3900"):
        drawings.lstm_cell(CELL | {"c": 0.5})
    with pytest.raises(ValueError, match=r"h=0\.3900 does not follow"):
        drawings.lstm_cell(CELL | {"h": 0.39})
    with pytest.raises(ValueError, match=r"values lacks \['c', 'h'\]"):
        drawings.lstm_cell(GATES)
    with pytest.raises(ValueError, match=r"\['forget'\] are no names"):
        drawings.lstm_cell(CELL | {"forget": 0.7})


def test_a_beam_keeps_what_greedy_drops():
    kept, best = search(TREE, beams=2)
    assert best == ("a", "dog", "<eos>")
    assert kept == {t for t in TREE if t[-1] in ("the", "a", "dog", "<eos>")}
    greedy, end = search(TREE, beams=1)
    assert greedy == {("the",), ("the", "dog"), ("the", "dog", "<eos>")}
    assert end == ("the", "dog", "<eos>")
    ax = drawings.beam_tree(TREE, 2)
    (total,) = [text for text in ax.texts if text.get_weight() == "bold"]
    assert exp(float(total.get_text().replace("−", "-"))) == pytest.approx(0.324, abs=0.003)
    assert {"kept by 2 beams", "dropped", "greedy"} <= set(shown(ax))


def test_the_legend_of_a_tree_names_only_what_is_drawn():
    assert "dropped" in shown(drawings.beam_tree(TREE, 2))
    assert "dropped" not in shown(drawings.beam_tree({("the",): log(0.5), ("a",): log(0.4)}, 2))


def test_a_beginning_that_ends_early_competes_with_longer_ones():
    steps = {("a",): log(0.6), ("b",): log(0.4), ("a", "<eos>"): log(0.5), ("b", "c"): log(0.9), ("b", "c", "d"): 0.0}
    kept, best = search(steps, beams=2)
    assert kept == set(steps)
    assert best == ("b", "c", "d")  # 0.36 against 0.3


@pytest.mark.parametrize(
    ("steps", "beams", "message"),
    [({}, 2, "0 beginnings"), (TREE, 0, "0 beams"), ({("a", "dog"): -1.0}, 1, "has 'a dog', but not 'a'")],
)
def test_a_tree_that_is_none_is_refused(steps, beams, message):
    with pytest.raises(ValueError, match=message):
        drawings.beam_tree(steps, beams)


def test_attention_prints_scores_weights_and_output(qkv):
    q, k, v = qkv
    mask = masks.causal(4)[0, 0]
    printed = shown(drawings.attention_numbers(WORDS, q, k, v, mask=mask, query=1))
    expected = torch.nn.functional.scaled_dot_product_attention(q[None], k[None], v[None], attn_mask=mask)[0]
    for values in (q, k, v, expected):
        for value in values.flatten().tolist():
            assert f"{value:.2f}".replace("-", "−").replace("−0.00", "0.00") in printed
    assert printed.count("−∞") == 6
    weight = (q[1] @ k[:2].T / 3**0.5).softmax(-1)
    assert [text for text in printed if "v(" in text] == [
        f"   {weight[0]:.2f} · v(Anna)",
        f"+ {weight[1]:.2f} · v(visited)",
    ]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"k": torch.zeros(3, 3)}, r"k is \(3, 3\), q is \(4, 3\)"),
        ({"tokens": ["a"]}, "1 tokens for the 4 rows"),
        ({"mask": torch.ones(4, 3) > 0}, r"mask is \(4, 3\): give \(query, key\), \(4, 4\)"),
        ({"query": 4}, "query=4 is no row of q: choose 0 to 3"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(qkv, changed, message):
    q, k, v = qkv
    with pytest.raises(ValueError, match=message):
        drawings.attention_numbers(**{"tokens": WORDS, "q": q, "k": k, "v": v} | changed)
    with pytest.raises(ValueError, match="7 tokens with 2 features are too many"):
        drawings.attention_numbers(list("abcdefg"), *torch.zeros(3, 7, 2))


def test_one_step_of_attention_prints_scores_weights_and_context():
    h, s = torch.randn(2, 4, 2).unbind()
    printed = shown(drawings.attention_step(WORDS, h, s[0]))
    weights = (h @ s[0]).softmax(-1)
    for value in [*h.flatten(), *s[0], *(h @ s[0]), *weights, *(weights[:, None] * h).flatten(), *(weights @ h)]:
        assert f"{value:.2f}".replace("-", "−").replace("−0.00", "0.00") in printed
    with pytest.raises(ValueError, match=r"4 tokens, h \(4, 2\), s \(3,\): give"):
        drawings.attention_step(WORDS, h, torch.zeros(3))
    with pytest.raises(ValueError, match="4 tokens with 3 features are too many"):
        drawings.attention_step(WORDS, torch.zeros(4, 3), torch.zeros(3))


def test_heads_share_the_features():
    ax = drawings.heads_split(torch.rand(4, 4, 4).softmax(-1), WORDS, 32)
    assert "q, k, v: d_head = 32 / 4 = 8 features each; weights:" in shown(ax)
    assert [text for text in shown(ax) if text.startswith("head ")] == [f"head {h}" for h in range(4)]
    for weights, d_model, message in (
        (torch.ones(7, 4, 4), 28, "7 heads"),
        (torch.ones(3, 4, 4), 32, "d_model=32 is not a multiple of 3 heads"),
        (torch.ones(4, 3, 4), 32, r"weights \(4, 3, 4\) for 4 queries and 4 keys"),
    ):
        with pytest.raises(ValueError, match=message):
            drawings.heads_split(weights, WORDS, d_model)


def test_the_residual_stream_shows_what_each_part_adds():
    parts = [drawings.Part("self-attention", 0.4, 1.1), drawings.Part("feed-forward", 0.8, 1.6)]
    printed = shown(drawings.residual_stream(parts, start=1.0, measure="root mean square"))
    for text in ("1.00", "1.10", "1.60", "adds 0.40", "adds 0.80", "root mean square"):
        assert text in printed
    assert shown(drawings.residual_stream(["attention"], final_norm=True)).count("norm") == 2
    with pytest.raises(ValueError, match="no part"):
        drawings.residual_stream([])


def test_token_rows_mark_the_loss():
    row = drawings.Row(["<bos>", "a", "b"], ["a", None, "<eos>"], counted=[False, False, True])
    ax = drawings.token_rows({"GPT": row})
    grounds = {patch.get_facecolor() for patch in ax.patches}
    green = to_rgba("#d9f0e7")
    assert green in grounds
    assert sum(patch.get_facecolor() == green for patch in ax.patches) == 2  # <eos>, and the legend
    assert "predicts, not in the loss" in shown(ax)
    assert "predicts, not in the loss" not in shown(drawings.token_rows({"": drawings.Row(["a"], ["b"])}))
    assert "reads" not in shown(drawings.token_rows({"": ["a"]}))
    untrained = shown(drawings.token_rows({"": drawings.Row(["a"], ["b"])}, predicts="the answer"))
    assert "the answer" in untrained
    assert "predicts, in the loss" not in untrained


def test_a_long_row_goes_on_in_the_next_line():
    rows = {n: drawings.token_rows({"": ["token"] * n}) for n in (3, 30)}
    assert rows[30].figure.get_size_inches()[0] == rows[3].figure.get_size_inches()[0]
    assert rows[30].figure.get_size_inches()[1] > 2.5 * rows[3].figure.get_size_inches()[1]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({}, "no rows"),
        ({"GPT": drawings.Row(["a", "b"], ["b"])}, "row 'GPT': 1 entries in predicts for 2 tokens"),
        ({"GPT": drawings.Row(["a"], ["b"], counted=[])}, "row 'GPT': 0 entries in counted for 1 tokens"),
    ],
)
def test_rows_that_do_not_fit_are_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        drawings.token_rows(rows)


def test_shades_follow_the_numbers():
    ax = drawings.shaded_tokens(["a", "b", "c"], [0.0, 1.0, 3.0], digits=2)
    assert shown(ax) == ["a", "0.00", "b", "1.00", "c", "3.00"]
    darkness = [sum(patch.get_facecolor()[:3]) for patch in ax.patches]
    assert darkness == sorted(darkness, reverse=True)
    with pytest.raises(ValueError, match="2 values for 1 tokens"):
        drawings.shaded_tokens(["a"], [1.0, 2.0])
    with pytest.raises(ValueError, match=r"-0\.10 is below 0"):
        drawings.shaded_tokens(["a"], [-0.1])


def test_source_and_target_stand_side_by_side_and_wrap():
    rows = {"T5": (["a", "<0>", "c"], ["<0>", "b"]), "BART": (["word"] * 12, ["word"] * 3)}
    ax = drawings.source_and_target(rows)
    texts = [(text.get_text(), *text.get_position()) for text in ax.texts]
    middle = ax.get_xlim()[1] / 2
    assert all(x < middle for text, x, _ in texts if text in ("a", "c"))
    assert all(x > middle for text, x, _ in texts if text == "b")
    assert len({y for text, x, y in texts if text == "word" and x < middle}) > 1
    assert len({y for text, x, y in texts if text == "word" and x > middle}) == 1
    with pytest.raises(ValueError, match=r"with tokens for its source and its target"):
        drawings.source_and_target({"T5": (["a"], [])})
