import re
from collections import Counter
from dataclasses import replace

import matplotlib.pyplot as plt
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from seqbook import viz
from seqbook.models.transformer import Transformer, TransformerConfig

SIZES = TransformerConfig(source_vocab_size=90, target_vocab_size=70, d_model=32, n_layers=2, n_heads=4, d_ff=48)


@pytest.fixture(autouse=True)
def no_open_figures():
    yield
    plt.close("all")


def texts(ax):
    """Every text with its middle: (text, x, y), top first."""
    found = [(text.get_text(), *text.get_position()) for text in ax.texts if text.get_text()]
    return sorted(found, key=lambda row: -row[2])


def boxes(ax, left):
    """The titles of one stack, from the top."""
    kinds = ("embedding", "+ positions", "LayerNorm", "self-attention", "cross-attention", "feed-forward", "output")
    middle = sum(ax.get_xlim()) / 2
    return [t.split(",")[0] for t, x, _ in texts(ax) if t.startswith(kinds) and (x < middle) == left]


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_parts_stand_in_the_order_in_which_they_run(norm):
    ax = viz.architecture(Transformer(replace(SIZES, norm=norm)))
    ends = ["LayerNorm"] if norm == "pre" else []

    def parts(*names):
        order = 1 if norm == "pre" else -1
        return [title for name in names for title in ["LayerNorm", name][::order]]

    begin = ["embedding", "+ positions"]
    assert boxes(ax, left=True) == [*begin, *parts("self-attention", "feed-forward"), *ends]
    decoder = parts("self-attention", "cross-attention", "feed-forward")
    assert boxes(ax, left=False) == [*begin, *decoder, *ends, "output"]
    assert f"{norm}-norm blocks" in "".join(text for text, *_ in texts(ax))


@pytest.mark.parametrize(
    "config",
    [SIZES, replace(SIZES, norm="post", n_layers=5), replace(SIZES, positions="learned", n_heads=8, dropout=0.25)],
)
def test_the_numbers_are_the_models(config):
    model = Transformer(config)
    ax = viz.architecture(model)
    found = Counter(text for text, *_ in texts(ax))
    total = sum(p.numel() for p in model.parameters())
    assert found[f"block × {config.n_layers}"] == 2
    (facts,) = (text for text in found if "parameters" in text)
    assert f"{total:,} parameters\n{config.n_heads} heads of {32 // config.n_heads}\n" in facts
    assert f"dropout {config.dropout:g}" in facts
    assert found[f"32 → {config.n_heads}×{32 // config.n_heads} → 32"] == 3
    assert found["32 → 48 → 32"] == 2
    assert {"90 → 32", "70 → 32", "32 → 70", "(B, S, 32)", "memory (B, S, 32)", "logits (B, T, 70)"} <= set(found)
    # Numbers outside the frames, and those of a block for each block, make the whole.
    frames = [patch.get_bbox() for patch in ax.patches if patch.get_zorder() == 0]
    counts = [(int(t.replace(",", "")), x, y) for t, x, y in texts(ax) if re.fullmatch(r"[\d,]+", t)]
    inside = [n for n, x, y in counts if any(frame.contains(x, y) for frame in frames)]
    outside = [n for n, x, y in counts if not any(frame.contains(x, y) for frame in frames)]
    blocks = [sum(p.numel() for p in stack.blocks[0].parameters()) for stack in (model.encoder, model.decoder)]
    assert sum(inside) == 2 * sum(blocks)  # each part, and their sum at the top
    assert sum(outside) + config.n_layers * sum(blocks) == total


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_no_text_touches_another_or_leaves_the_picture(norm):
    big = replace(SIZES, source_vocab_size=31_000, d_model=512, n_heads=8, d_ff=2048, norm=norm, positions="learned")
    ax = viz.architecture(Transformer(big))
    renderer = FigureCanvasAgg(ax.figure).get_renderer()
    ax.figure.draw(renderer)
    drawn = [(t.get_text(), t.get_window_extent(renderer)) for t in ax.texts if t.get_text()]
    for i, (text, box) in enumerate(drawn):
        assert box.x0 >= 0, text
        assert box.x1 <= ax.figure.bbox.x1, text
        for other, its in drawn[:i]:
            assert not (box.shrunk(0.99, 0.8).overlaps(its.shrunk(0.99, 0.8))), (text, other)


def test_another_model_is_refused(toy):
    with pytest.raises(ValueError, match="RNNSeq2Seq can't be drawn"):
        viz.architecture(toy.model())
