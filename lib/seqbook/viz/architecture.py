"""A drawing of a Transformer, made from the model object, so that it shows the layers and sizes of this model."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Circle
from torch import nn

from seqbook.models.transformer import Transformer
from seqbook.nn.attention import Attention
from seqbook.nn.block import Block
from seqbook.nn.layers import Embedding
from seqbook.nn.stack import Stack
from seqbook.viz.drawings.canvas import BOLD, arrow, rounded

_WIDTH, _LANE, _GUTTER = 2.1, 0.3, 0.5  # of a box, of the residual connection beside it, between the stacks; inches
_COLOURS = {  # of a box and its edge
    "embedding": ("#d9f0e7", "C2"),
    "self": ("#d9e9f5", "C0"),
    "cross": ("#f7e4ef", "C3"),
    "feed forward": ("#fbe5d6", "C1"),
    "norm": ("#e9e9e9", "#777777"),
}


def architecture(model: Transformer) -> Axes:
    """The encoder is on the left, the decoder on the right, both from top to bottom. The number on the right of a box
    is its number of parameters.

    There are B sentences, S source tokens and T target tokens; (B, S, …) is the shape of the tensor at that point.

    Raises:
        ValueError: the model is not a Transformer.
    """
    if not isinstance(model, Transformer):
        raise ValueError(f"{type(model).__name__} can't be drawn here: give a Transformer")
    width = 2 * (_LANE + _WIDTH) + _GUTTER
    ax = plt.subplots(figsize=(width, 1))[1]
    vocab_size, d_model = model.target_embedding.tokens.weight.shape

    encoder = _Column(ax, _LANE + _WIDTH / 2, side=-1)
    encoder.words("encoder", **BOLD)
    encoder.words("source_ids (B, S)")
    encoder.embed(model.source_embedding)
    encoder.arrow(f"(B, S, {d_model})")
    encoder.blocks(model.encoder)

    decoder = _Column(ax, width - encoder.x, side=1)
    decoder.words("decoder", **BOLD)
    decoder.words("target_ids (B, T)")
    decoder.embed(model.target_embedding)
    decoder.arrow(f"(B, T, {d_model})")
    decoder.blocks(model.decoder)
    decoder.arrow(f"(B, T, {d_model})")
    own = model.out_bias.numel()
    decoder.box("embedding", "output, tied to embedding", f"{d_model} → {vocab_size:,}", own)
    decoder.arrow()
    decoder.words(f"logits (B, T, {vocab_size:,})")

    end, middle, entry = encoder.y - 0.2, width / 2, decoder.cross_attention
    ax.plot([encoder.x, encoder.x, middle, middle], [encoder.y, end, end, entry], color="C3")
    arrow(ax, (middle, entry), (decoder.x - _WIDTH / 2, entry), color="C3", linewidth=1.8)
    ax.text(middle, end - 0.15, f"memory (B, S, {d_model})", va="center", ha="right", size=9)
    block = model.encoder.blocks[0]
    facts = [
        f"{_count(model):,} parameters",
        f"{_heads(block.attention)} heads of {block.attention.d_head}",
        f"{model.config.norm}-norm blocks",
        f"positions {model.config.positions}",
        f"dropout {model.config.dropout:g}",
        "B sentences of S tokens",
        "and T target tokens",
    ]
    ax.text(_LANE + 0.1, end - 0.45, "\n".join(facts), va="top", size=9, linespacing=1.6)
    ax.set(xlim=(0, width), ylim=(decoder.y, 0), aspect="equal")
    ax.set_axis_off()
    ax.figure.set_size_inches(width, -decoder.y)
    return ax


class _Column:
    """A stack drawn downwards from y = 0, with residual connections on its left (side -1) or right (1)."""

    def __init__(self, ax: Axes, x: float, side: int):
        self.ax, self.x, self.side, self.y = ax, x, side, 0.0
        self.left, self.right = x - _WIDTH / 2, x + _WIDTH / 2

    def words(self, text: str, **style) -> None:
        self.ax.text(self.x, self.y - 0.11, text, ha="center", va="center", **style)
        self.y -= 0.22

    def arrow(self, shape: str = "") -> None:
        length = 0.32 if shape else 0.2
        arrow(self.ax, (self.x, self.y), (self.x, self.y - length))
        self.ax.text(self.x + 0.1, self.y - 0.14, shape, va="center", size=9)
        self.y -= length

    def box(self, kind: str, title: str, sizes: str, n: int) -> float:
        """A part of the model; returns the y of its middle."""
        height = 0.44 if sizes else 0.25
        fill, edge = _COLOURS[kind]
        self.ax.add_patch(rounded(self.left, self.y - height, _WIDTH, height, facecolor=fill, edgecolor=edge))
        self.ax.text(self.left + 0.1, self.y - 0.13, title, va="center")
        self.ax.text(self.left + 0.1, self.y - 0.31, sizes, va="center", size=9)
        self.ax.text(self.right - 0.1, self.y - height + 0.13, f"{n:,}", va="center", ha="right", size=9)
        self.y -= height
        return self.y + height / 2

    def embed(self, embedding: Embedding) -> None:
        vectors, positions = embedding.tokens, embedding.positions
        self.arrow()
        self.box("embedding", "embedding", f"{vectors.num_embeddings:,} → {vectors.embedding_dim}", _count(vectors))
        if positions is None:  # they rotate queries and keys instead
            return
        self.arrow()
        title = f"+ positions, {type(positions).__name__.lower()}"
        self.box("embedding", title, "{} × {}".format(*positions.table.shape), _count(positions))

    def blocks(self, stack: Stack) -> None:
        """The first block, in a frame with the number of blocks, and the final norm if there is one."""
        blocks, last_norm = stack.blocks, stack.norm
        block, top = blocks[0], self.y
        self.ax.text(self.left + 0.1, top - 0.14, f"block × {len(blocks)}", va="center", **BOLD)
        self.ax.text(self.right - 0.1, top - 0.14, f"{_count(block):,}", va="center", ha="right", size=9)
        self.line(0.2)
        cross = block.cross_attention is not None
        title = "self-attention, causal" if cross else "self-attention"
        self.residual(block, "self", title, block.attention, block.attention_norm)
        if cross:
            self.cross_attention = self.residual(
                block, "cross", "cross-attention", block.cross_attention, block.cross_norm
            )
        self.residual(block, "feed forward", "feed-forward", block.feed_forward, block.feed_forward_norm)
        self.line(0.15)
        outer = (self.left if self.side < 0 else self.right) + self.side * (_LANE - 0.02)
        inner = (self.right if self.side < 0 else self.left) - self.side * 0.1
        frame = rounded(min(outer, inner), self.y, abs(outer - inner), top - self.y, facecolor="#f8f8f8")
        frame.set(edgecolor="#999999", linestyle=(0, (4, 3)), zorder=0)
        self.ax.add_patch(frame)
        if _count(last_norm):
            self.arrow()
            self.box("norm", type(last_norm).__name__, "", _count(last_norm))

    def residual(self, block: Block, kind: str, title: str, part: nn.Module, norm: nn.Module) -> float:
        """A part with its norm and the residual connection; returns the y of the part's middle."""
        fork = self.y - 0.06
        self.arrow()
        if block.pre_norm:
            self.box("norm", type(norm).__name__, "", _count(norm))
            self.arrow()
        middle = self.box(kind, title, _sizes(part), _count(part))
        self.arrow()
        self.y -= 0.09
        self.ax.add_patch(Circle((self.x, self.y), 0.09, facecolor="white", edgecolor="black"))
        self.ax.text(self.x, self.y, "+", ha="center", va="center_baseline")
        lane = self.x + self.side * (_WIDTH / 2 + 0.14)
        self.ax.plot([self.x, lane, lane], [fork, fork, self.y], color="black", linewidth=1)
        arrow(self.ax, (lane, self.y), (self.x + self.side * 0.09, self.y))
        self.y -= 0.09
        if not block.pre_norm:
            self.arrow()
            self.box("norm", type(norm).__name__, "", _count(norm))
        return middle

    def line(self, length: float) -> None:
        self.ax.plot([self.x, self.x], [self.y, self.y - length], color="black", linewidth=1)
        self.y -= length


def _sizes(part: nn.Module) -> str:
    """The widths of the vectors: n_heads × d_head inside attention, d_ff inside the feed-forward network."""
    if isinstance(part, Attention):
        return f"{part.query.in_features} → {_heads(part)}×{part.d_head} → {part.out.out_features}"
    return f"{part.inner.in_features} → {part.inner.out_features} → {part.out.out_features}"


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _heads(attention: Attention) -> int:
    return attention.query.out_features // attention.d_head
