import sys
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib import font_manager
from torch import nn

from seqbook import viz
from seqbook.generation.decoding import greedy

SOURCE = torch.tensor([[5, 6, 7, 8], [9, 4, 0, 0]])
TARGET = torch.tensor([[1, 5, 6], [1, 9, 4]])
ALONE = (SOURCE[:1], TARGET[:1, :1])  # one source, and `<bos>`


@pytest.fixture(autouse=True)
def no_open_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize("context", ["additive", "dot"])
def test_recorded_weights_are_the_ones_that_were_used(toy, context):
    model = toy.model(context=context).eval()
    before = model(SOURCE, TARGET)
    with viz.record(model) as maps:
        during = model(SOURCE, TARGET)
    assert torch.equal(before, during)
    (weights,) = maps["attention"]
    assert weights.shape == (2, 3, 4)
    assert not weights.requires_grad
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3))
    assert (weights[1, :, 2:] == 0).all()
    state = model.encode(SOURCE)
    layers_first = tuple(t.transpose(0, 1).contiguous() for t in (state.hidden, state.cell))
    s, _ = model.decoder(model.embedding(TARGET), layers_first)
    if context == "dot":
        scores = torch.einsum("btd,bsd->bts", s, state.memory)
    else:
        inner = model.attention.query(s).unsqueeze(2) + model.attention.key(state.memory).unsqueeze(1)
        scores = torch.einsum("btsd,d->bts", inner.tanh(), model.attention.score.weight[0])
    expected = scores.masked_fill((SOURCE == 0)[:, None], -1e9).softmax(-1)
    torch.testing.assert_close(weights, expected, atol=1e-6, rtol=1e-4)


def test_recording_appends_a_map_a_forward_and_stops_with_the_block(toy):
    model = toy.model(context="dot").eval()
    with viz.record(model) as maps:
        written = greedy(model, ALONE, max_new=5, stop=[2])
    assert len(maps["attention"]) == min(5, len(written[0]) + 1)
    n = len(maps["attention"])
    model(SOURCE, TARGET)
    assert len(maps["attention"]) == n
    with pytest.raises(KeyError, match="broken"), viz.record(model):
        raise KeyError("broken")
    assert not any(module._forward_hooks for module in model.modules())


@pytest.fixture
def transformer():
    from seqbook.models.transformer import Transformer, TransformerConfig

    sizes = {"source_vocab_size": 12, "target_vocab_size": 12, "d_model": 16, "n_layers": 2, "n_heads": 4, "d_ff": 32}
    return Transformer(TransformerConfig(**sizes, dropout=0.2, max_len=12))


@pytest.mark.parametrize("n_kv_heads", [1, 2, 4])
@pytest.mark.parametrize(("cross", "named"), [(True, False), (False, False), (False, True)])
def test_recorded_heads_equal_weights_by_hand(n_kv_heads, cross, named):
    from seqbook.nn import masks
    from seqbook.nn.attention import Attention

    attention = nn.ModuleDict({"one": Attention(16, 4, n_kv_heads=n_kv_heads)})["one"]
    x, memory = torch.randn(2, 5, 16), torch.randn(2, 7, 16) if cross else None
    mask = torch.rand(2, 1, 5, 7) < 0.5 if cross else masks.causal(5)
    mask[..., 0] = True
    given = "causal" if named else mask
    with viz.record(nn.ModuleDict({"one": attention})) as maps:
        during = attention(x, memory, given)
    assert torch.equal(during, attention(x, memory, given))
    q = attention.query(x)
    k, v = attention.key_value(x if memory is None else memory).chunk(2, dim=-1)
    expected, outputs = [], []
    for head in range(4):
        own, shared = slice(4 * head, 4 * head + 4), head * n_kv_heads // 4
        keys, values = k[..., 4 * shared : 4 * shared + 4], v[..., 4 * shared : 4 * shared + 4]
        scores = torch.einsum("btd,bsd->bts", q[..., own], keys) / 2 - 1e9 * ~mask[:, 0]
        expected.append(scores.exp() / scores.exp().sum(-1, keepdim=True))
        outputs.append(expected[-1] @ values)
    (weights,) = maps["one"]
    assert not weights.requires_grad
    torch.testing.assert_close(weights, torch.stack(expected, 1).detach())
    torch.testing.assert_close(attention.out(torch.cat(outputs, -1)), during)


@pytest.mark.parametrize("training", [True, False])
def test_recording_changes_no_bit_of_a_transformer(transformer, training):
    model = transformer.train(training)

    def run():
        torch.manual_seed(2)  # the same dropout
        model.zero_grad()
        logits = model(SOURCE, TARGET)
        logits.sum().backward()
        return [logits.detach(), *(p.grad.clone() for p in model.parameters() if p.grad is not None)]

    before = run()
    with viz.record(model) as maps:
        during = run()
    assert all(torch.equal(a, b) for a, b in zip(before, during, strict=True))
    names = [f"encoder.blocks.{i}.attention" for i in range(2)]
    names += [f"decoder.blocks.{i}.{part}" for i in range(2) for part in ("attention", "cross_attention")]
    assert set(maps) == set(names)
    assert list(maps)[-1] == "decoder.blocks.1.cross_attention"
    for name, (weights,) in maps.items():
        queries, keys = 4 if "encoder" in name else 3, 3 if "decoder" in name and "cross" not in name else 4
        assert weights.shape == (2, 4, queries, keys)
        torch.testing.assert_close(weights.sum(-1), torch.ones(2, 4, queries))
        if keys == 4:
            assert (weights[1, ..., 2:] == 0).all()  # padding
        else:
            assert (weights.triu(1) == 0).all()  # the future


def test_heads_are_recorded_through_the_cache_and_no_longer_than_the_block(transformer):
    model = transformer.eval()
    with viz.record(model) as stepwise:
        (written,) = greedy(model, ALONE, max_new=5, stop=[2])
    assert [written] == greedy(model, ALONE, max_new=5, stop=[2])
    steps = len(stepwise["decoder.blocks.0.attention"])
    assert steps == min(5, len(written) + 1)
    assert len(stepwise["encoder.blocks.0.attention"]) == 1
    with viz.record(model) as at_once, torch.no_grad():
        model(SOURCE[:1], torch.tensor([[1, *written][:steps]]))
    for name in ("decoder.blocks.1.attention", "decoder.blocks.1.cross_attention"):
        for i, row in enumerate(stepwise[name]):
            torch.testing.assert_close(row[:, :, 0], at_once[name][0][:, :, i, : row.shape[-1]])
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert len(stepwise["decoder.blocks.0.attention"]) == steps


def test_attention_by_hand_inside_the_block_is_not_the_models(transformer):
    x = torch.randn(1, 2, 3, 4)
    with viz.record(transformer) as maps:
        before = nn.functional.scaled_dot_product_attention(x, x, x)
        transformer(SOURCE, TARGET)
        after = nn.functional.scaled_dot_product_attention(x, x, x)
    assert torch.equal(before, after)
    assert {len(found) for found in maps.values()} == {1}


def test_a_failed_forward_leaves_nothing_behind(transformer):
    maps = viz.record(transformer)
    with pytest.raises(ValueError, match="max_len"), maps:
        transformer(SOURCE, torch.ones(2, 13, dtype=torch.long))
    assert not any(module._forward_pre_hooks for module in transformer.modules())
    assert torch.overrides._get_current_function_mode() is None


def test_two_attentions_have_two_names():
    from seqbook.nn.attention import DotProductAttention

    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = DotProductAttention(), DotProductAttention()

        def forward(self, x, mask):
            return self.two(self.one(x, x, mask), x, mask)

    model = Two()
    with viz.record(model) as maps:
        model(torch.randn(1, 3, 4), torch.ones(1, 1, 3, dtype=torch.bool))
    assert maps.keys() == {"one", "two"}
    assert not torch.equal(maps["one"][0], maps["two"][0])


@pytest.mark.parametrize("context", ["last", "mean"])
def test_a_model_without_attention_is_refused(toy, context):
    with pytest.raises(ValueError, match="RNNSeq2Seq has no attention"), viz.record(toy.model(context=context)):
        pass


def test_an_alignment_shows_chinese(tmp_path):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*[Gg]lyph")
        weights = torch.eye(8)[:, :6]
        sources, targets = "Anna put the key there .".split(), list("安娜把钥匙放在")
        ax = viz.alignment(weights, sources, targets, {(0, 0), (0, 1), (3, 3)})
        ax.figure.savefig(tmp_path / "figure.png")
    assert [label.get_text() for label in ax.get_xticklabels()] == sources
    assert [label.get_text() for label in ax.get_yticklabels()] == targets
    assert len(ax.patches) == 3
    assert ax.patches[0].get_xy() in {(-0.5, -0.5), (-0.5, 0.5), (2.5, 2.5)}
    assert (tmp_path / "figure.png").stat().st_size > 1000


def test_masks_are_drawn_where_the_query_sees():
    from seqbook.nn import masks

    prefix = masks.prefix(torch.tensor([2]), 4)[0, 0]
    drawn = viz.masks({"causal": masks.causal(4)[0, 0], "prefix": prefix, "step": masks.causal(4, offset=3)[0, 0]})
    assert [ax.get_title() for ax in drawn] == ["causal", "prefix", "step"]
    assert drawn[1].images[0].get_array().tolist() == prefix.tolist()
    assert drawn[0].get_xlabel() == "key"
    assert drawn[0].get_ylabel() == "query"
    step = viz.masks({"step": masks.causal(4, offset=3)[0, 0]}, "a b c d".split())[0]
    assert [label.get_text() for label in step.get_xticklabels()] == "a b c d".split()
    assert [label.get_text() for label in step.get_yticklabels()] == ["d"]
    eight = viz.masks({str(i): prefix for i in range(8)})
    assert {(ax.get_subplotspec().rowspan.start, ax.get_subplotspec().colspan.start) for ax in eight} == {
        (row, column) for row in range(4) for column in range(2)
    }
    mine = plt.subplots()[1]
    assert viz.masks({"one": prefix}, axes=[mine]) == [mine]


@pytest.mark.parametrize(
    ("masks", "tokens", "message"),
    [
        ({}, None, "0 masks"),
        ({str(i): torch.ones(2, 2) > 0 for i in range(9)}, None, "9 masks"),
        ({"whole": torch.ones(1, 1, 2, 2) > 0}, None, r"'whole' has shape \(1, 1, 2, 2\)"),
        ({"one": torch.ones(2, 3) > 0}, ["a", "b"], "2 tokens for the 3 keys of mask 'one'"),
    ],
)
def test_masks_that_cannot_be_drawn_are_refused(masks, tokens, message):
    with pytest.raises(ValueError, match=message):
        viz.masks(masks, tokens)


def test_heads_are_panels_with_chinese(tmp_path):
    weights = torch.rand(3, 4, 5).softmax(-1)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*[Gg]lyph")
        panels = viz.heads(weights, "Anna put it there .".split(), list("安娜放在"))
        panels[0].figure.savefig(tmp_path / "figure.png")
    assert [ax.get_title() for ax in panels] == ["head 0", "head 1", "head 2"]
    assert torch.equal(torch.tensor(panels[2].images[0].get_array()), weights[2])
    assert [label.get_text() for label in panels[0].get_yticklabels()] == list("安娜放在")


@pytest.mark.slow
def test_the_font_has_every_character_of_the_micro_world():
    import microworld

    (file,) = (Path(viz.__file__).parent / "fonts").glob("*.otf")
    has = font_manager.get_font(str(file)).get_charmap().keys()
    texts = {text for rows in microworld.load("translation").values() for text in rows["zh"]}
    characters = {c for text in texts for c in text}
    assert len(characters) > 100
    assert sorted(c for c in characters if ord(c) not in has) == []


def test_curves_bands_and_names():
    lines = {"with": ([1, 2, 3], [0.1, 0.5, 0.9]), "without": ([1, 2, 3], [0.1, 0.2, 0.3])}
    ax = viz.curves(lines, "length", "exact match", spreads={"with": ([0, 0.4, 0.8], [0.2, 0.6, 1.0])})
    assert [line.get_label() for line in ax.lines] == list(lines)
    assert ax.lines[0].get_marker() != ax.lines[1].get_marker()
    assert len(ax.collections) == 1
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("length", "exact match")
    assert viz.curves({"one": ([1], [1])}, "x", "y").get_legend() is None


def test_training_marks_the_validation():
    history = [{"step": i, "loss": 1 / i} | ({"val_loss": 2 / i} if i % 2 == 0 else {}) for i in range(1, 5)]
    ax = viz.training({"rnn": history})
    thin, marked = ax.lines
    assert list(thin.get_xdata()) == [1, 2, 3, 4]
    assert list(marked.get_xdata()) == [2, 4]
    assert list(marked.get_ydata()) == [1.0, 0.5]


def test_panels_stand_side_by_side_and_name_their_lines_once():
    lines = {"with": ([1, 2], [0.1, 0.9]), "without": ([1, 2], [0.1, 0.2])}
    spread = {"exact match": {"with": ([0, 0.8], [0.2, 1.0])}}
    left, right = viz.panels({"exact match": lines, "nats": lines}, "length", spreads=spread)
    assert (left.get_title(), right.get_title()) == ("exact match", "nats")
    assert (len(left.collections), len(right.collections)) == (1, 0)
    assert left.figure is right.figure
    assert [ax.get_legend() for ax in (left, right)] == [None, None]
    (legend,) = left.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(lines)
    one, other = viz.panels({"a": lines, "b": {"third": ([1], [1]), "with": ([1], [2])}}, "length")
    assert one.get_legend()
    assert other.get_legend()
    assert one.figure.legends == []
    with pytest.raises(ValueError, match="4 panels"):
        viz.panels(dict.fromkeys("abcd", lines), "length")


def test_bars_their_spread_and_a_baseline():
    scores = {"kind": {"qa": 0.9, "ner": 0.7}, "answer": {"qa": 0.5, "ner": 0.2}}
    spreads = {"answer": {"qa": (0.4, 0.6)}}
    ax = viz.bars(scores, "share", spreads=spreads, baseline={"qa": 0.3}, baseline_name="majority")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["qa", "ner"]
    assert [round(bar.get_width(), 2) for bar in ax.patches] == [0.9, 0.7, 0.5, 0.2]
    spread, baseline = ax.lines
    assert list(spread.get_xdata()) == [0.4, 0.6]
    bar = ax.patches[2]
    assert bar.get_y() < spread.get_ydata()[0] < bar.get_y() + bar.get_height()
    assert list(baseline.get_xdata()) == [0.3, 0.3]
    assert {text.get_text() for text in ax.get_legend().get_texts()} == {"kind", "answer", "majority"}
    assert len(viz.bars({"one": {"a": 1, "b": 2}}, "x", baseline=0.5).lines) == 2
    assert viz.bars({"one": {"a": 1}}, "x").get_legend() is None


def test_a_grid_prints_its_numbers():
    ax = viz.grid(torch.tensor([[0.25, 1.0]]), ["head 0"], ["-1", "+1"])
    assert [text.get_text() for text in ax.texts] == ["0.25", "1.00"]
    assert ax.texts[0].get_color() != ax.texts[1].get_color()


def test_a_table_formats_its_columns_and_leaves_gaps_empty():
    formats = {"parameters": "{:,}", "right": "{:.1%}"}
    html = viz.table({"RNN": [1200, 0.5], "copy": {"right": 0.25}}, formats, index="model").to_html()
    for text in ("1,200", "50.0%", "25.0%", "model"):
        assert text in html
    assert "nan" not in html.lower()
    with pytest.raises(ValueError, match="row 'RNN' has 1 values for 2 columns: parameters, right"):
        viz.table({"RNN": [1]}, formats)


def test_texts_are_whole_and_on_the_left():
    long = "Anna visited the doctor who lived beside the market that Ben had seen on Monday."
    html = viz.texts([{"source": long, "by the RNN": "安娜看了医生。"}]).to_html()
    assert long in html
    assert "安娜看了医生。" in html
    assert html.count("text-align: left") == 2
    assert "level0 row0" not in html


def test_many_values_are_glued_under_one_prefix(monkeypatch):
    kept = {}
    monkeypatch.setattr(sys.modules["seqbook.viz.glue"], "glue", kept.__setitem__)
    viz.glue_all({"short": 1.0, "long": 2.0}, "c1")
    viz.glue_all({"n": 3})
    assert kept == {"c1-short": 1.0, "c1-long": 2.0, "n": 3}


def test_scatter_tells_groups_apart():
    ax = viz.scatter(
        torch.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]), ["job", "place", "job"], ["doctor", "park", "cook"]
    )
    assert [group.get_label() for group in ax.collections] == ["job", "place"]
    assert ax.collections[0].get_offsets().tolist() == [[0.0, 1.0], [4.0, 5.0]]
    assert [text.get_text() for text in ax.texts] == ["doctor", "park", "cook"]
    ax = viz.scatter(torch.tensor([[0.0, 1.0], [2.0, 3.0]]), ["job", "place"], ["town", "town"])
    assert [(text.get_text(), text.xy) for text in ax.texts] == [("town", (1.0, 2.0))]
