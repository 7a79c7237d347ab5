import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib import font_manager
from torch import nn

from seqbook import viz
from seqbook.generate import greedy

SOURCE = torch.tensor([[5, 6, 7, 8], [9, 4, 0, 0]])
TARGET = torch.tensor([[1, 5, 6], [1, 9, 4]])


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
    state = model.start(SOURCE)
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
        written = greedy(model, SOURCE[:1], 5)
    assert len(maps["attention"]) == min(5, len(written[0]) + 1)
    n = len(maps["attention"])
    model(SOURCE, TARGET)
    assert len(maps["attention"]) == n
    with pytest.raises(KeyError, match="broken"), viz.record(model):
        raise KeyError("broken")
    assert not any(module._forward_hooks for module in model.modules())


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


@pytest.mark.slow
def test_the_font_has_every_character_of_the_micro_world():
    from seqbook.data import world

    (file,) = (Path(viz.__file__).parent / "fonts").glob("*.otf")
    has = font_manager.get_font(str(file)).get_charmap().keys()
    texts = {text for rows in world.load("translation").values() for text in rows["zh"]}
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


def test_scatter_tells_groups_apart():
    ax = viz.scatter(
        torch.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]), ["job", "place", "job"], ["doctor", "park", "cook"]
    )
    assert [group.get_label() for group in ax.collections] == ["job", "place"]
    assert ax.collections[0].get_offsets().tolist() == [[0.0, 1.0], [4.0, 5.0]]
    assert [text.get_text() for text in ax.texts] == ["doctor", "park", "cook"]
