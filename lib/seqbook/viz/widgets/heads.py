"""The attention weights of every head, one at a time."""

from collections.abc import Mapping, Sequence

from ipywidgets import Dropdown, VBox
from torch import Tensor

from seqbook.viz import figures
from seqbook.viz.widgets import frames


def head_explorer(
    maps: Mapping[str, Tensor | Sequence[Tensor]], sources: Sequence[str], targets: Sequence[str]
) -> VBox:
    """The weights of one head at a time, chosen from all heads of all attentions.

    Each attention has an array (heads, query, key), or a list from `viz.record`, of which the first sentence of the
    last forward is shown. In attentions named encoder…, sources attend to sources; in decoder…, targets attend to
    targets; in all others, and in …cross_attention, targets attend to sources.

    Raises:
        ValueError: no weights, different numbers of heads, weights that do not fit the tokens.
    """
    if not maps or not all(map(len, maps.values())):
        raise ValueError("maps holds no weights: run the model inside viz.record's block")
    weights = {name: found if isinstance(found, Tensor) else found[-1][0] for name, found in maps.items()}
    n_heads = {len(heads) for heads in weights.values()}
    if len(n_heads) > 1:
        raise ValueError(f"attentions of {sorted(n_heads)} heads can't share a slider: explore each by itself")
    attention = Dropdown(options=list(weights), description="attention")
    head = frames.slider("head", n_heads.pop() - 1)
    by_attention = []
    for name, heads in weights.items():
        queries = sources if name.startswith("encoder") else targets
        keys = targets if name.startswith("decoder") and not name.endswith("cross_attention") else sources
        if heads.shape[1:] != (len(queries), len(keys)):
            fitting = f"(heads, {len(queries)}, {len(keys)})"
            raise ValueError(f"{name} has weights {tuple(heads.shape)}: give {fitting}, or other tokens")
        pictures = []
        for i, shades in enumerate(heads):
            most = [f"{q} at {keys[k]}" for q, k in zip(queries, shades.argmax(-1).tolist(), strict=True)]
            figure = figures.alignment(shades, keys, queries).figure
            pictures.append(
                frames.picture(figure, f"{name}, head {i}", f"Where each token looks most: {', '.join(most)}.")
            )
        by_attention.append(frames.stack(head, "value", pictures))
    return VBox([attention, head, frames.stack(attention, "index", by_attention)])
