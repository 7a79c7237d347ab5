"""The distribution of the next token for different temperatures and values of top-p."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import torch
from ipywidgets import VBox
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from seqbook.data.tokenizer import Tokenizer
from seqbook.generation.sampling import filter_logits
from seqbook.viz.widgets import frames


def sampling(logits: Tensor, tokenizer: Tokenizer, ways: Mapping[str, Mapping[str, float]], *, shown: int = 10) -> Axes:
    """The still picture: the probabilities of the `shown` most probable tokens, for several ways of sampling.

    logits: of the next token (vocab,); ways: a name, and the sampler's settings: temperature, top_k, top_p.
    """
    order = logits.argsort(descending=True)[:shown]
    ax = plt.subplots(figsize=(4.4, 0.42 * shown + 0.9))[1]
    height = 0.8 / len(ways)
    for i, (name, settings) in enumerate(ways.items()):
        chances = probabilities(logits, **settings)[order]
        places = [row + height * (i - (len(ways) - 1) / 2) for row in range(len(order))]
        ax.barh(places, chances.tolist(), height=height, label=name)
    ax.set_yticks(range(len(order)), tokenizer.tokens(order.tolist()))
    ax.set(xlabel="probability", ylim=(len(order) - 0.5, -0.5))
    ax.grid(visible=False, axis="y")
    ax.legend(loc="lower right")
    return ax


def sampling_explorer(
    logits: Tensor,
    tokenizer: Tokenizer,
    *,
    temperatures: Sequence[float] = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0),
    top_ps: Sequence[float] = (0.5, 0.8, 0.9, 0.95, 1.0),
    shown: int = 10,
) -> VBox:
    """The distribution of the next token with two sliders, temperature and top-p, which both start at 1.

    logits: of the next token (vocab,). The picture shows the `shown` most probable tokens, and how many can be drawn.

    Raises:
        ValueError: more than 64 pictures, or settings without a temperature of 1 and a top-p of 1.
    """
    if len(temperatures) * len(top_ps) > 64:
        raise ValueError(f"{len(temperatures)} × {len(top_ps)} pictures are too many for a page: at most 64")
    if 1.0 not in temperatures or 1.0 not in top_ps:
        raise ValueError("temperatures and top_ps need a 1: the distribution as the model predicts it")
    order = logits.argsort(descending=True)[:shown]
    names = tokenizer.tokens(order.tolist())
    top = max(probabilities(logits, temperature=t, top_p=p).max().item() for t in temperatures for p in top_ps)
    temperature = frames.choice("temperature", temperatures, temperatures.index(1.0))
    top_p = frames.choice("top-p", top_ps, top_ps.index(1.0))
    rows = []
    for p in top_ps:
        pictures = []
        for t in temperatures:
            chances = probabilities(logits, temperature=t, top_p=p)
            left = int((chances > 0).sum())
            entropy = torch.special.entr(chances).sum().item()
            caption = f"Temperature {t:g}, top-p {p:g}: {left:,} tokens can be drawn; entropy {entropy:.2f} nats."
            shares = dict(zip(names, chances[order].tolist(), strict=True))
            listed = ", ".join(f"{name} {share:.0%}" for name, share in shares.items() if share)
            pictures.append(frames.picture(_bars(shares, top).figure, caption, f"Probabilities: {listed}."))
        rows.append(frames.stack(temperature, "index", pictures, first=temperature.index))
    return VBox([temperature, top_p, frames.stack(top_p, "index", rows, first=top_p.index)])


def probabilities(
    logits: Tensor, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> Tensor:
    """The distribution from which the sampler draws (vocab,)."""
    return filter_logits(logits[None] / temperature, top_k, top_p)[0].softmax(-1)


def _bars(shares: Mapping[str, float], top: float) -> Axes:
    """Bars with their numbers. All pictures share the axis, which ends at the largest probability of them all."""
    figure, ax = plt.subplots(figsize=(4.2, 0.27 * len(shares) + 0.7))
    bars = ax.barh(range(len(shares)), list(shares.values()), color="C0")
    ax.bar_label(bars, [f"{share:.1%}" if share else "0" for share in shares.values()], padding=3, fontsize=9)
    ax.set_yticks(range(len(shares)), list(shares))
    ax.set(xlim=(0, 1.18 * top), ylim=(len(shares) - 0.5, -0.5), xlabel="probability")
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.grid(visible=False, axis="y")
    return figure.axes[0]
