"""What a causal model predicts from only the last w tokens."""

from collections.abc import Sequence

import torch
from ipywidgets import VBox
from matplotlib.axes import Axes
from torch import Tensor

from seqbook.nn.mode import evaluating
from seqbook.runs import System
from seqbook.viz import figures
from seqbook.viz.drawings.canvas import FAINT
from seqbook.viz.widgets import frames
from seqbook.viz.widgets.predictions import predictions

_LIKELIEST = 5


def window_curves(system: System, text: str, windows: Sequence[int], *, also: Sequence[str] = ()) -> Axes:
    """The still picture: probabilities of the next token for each window; the most probable tokens and those in `also`.

    Raises:
        ValueError: a window outside of 1 to the number of tokens, `<bos>` included.
    """
    names, predicted = _predictions(system, text, windows)
    tokenizer = system.objective.tokenizer
    chosen = list(dict.fromkeys([*predicted[-1].topk(3).indices.tolist(), int(predicted[0].argmax())]))
    chosen += [i for token in also for i in tokenizer.encode(token) if i not in chosen]
    lines = {tokenizer.tokens([i])[0]: (list(windows), [chances[i].item() for chances in predicted]) for i in chosen}
    ax = figures.curves(lines, "window w (tokens)", "probability of the next token")
    ax.set(ylim=(0, 1), xlim=(0.5, len(names) + 0.5))
    return ax


def window_explorer(
    system: System, text: str, windows: Sequence[int] | None = None, *, first: int | None = None
) -> VBox:
    """A slider over the window. It shows which tokens of `text` the model reads, and what it predicts from them.

    windows: the numbers of tokens (None: 1 to all, including `<bos>`); first: the one that is shown first (None: the
    first of them).

    Raises:
        ValueError: a window outside of 1 to the number of tokens, more than 64 windows, or a `first` that is none of
            them.
    """
    tokenizer = system.objective.tokenizer
    windows = list(windows or range(1, len(tokenizer.encode(text)) + 2))
    if len(windows) > 64:
        raise ValueError(f"{len(windows)} pictures are too many for a page: give at most 64 windows")
    if first is not None and first not in windows:
        raise ValueError(f"first={first} is not among the windows {windows}")
    shown = 0 if first is None else windows.index(first)
    names, predicted = _predictions(system, text, windows)
    pictures = []
    for k, chances in zip(windows, predicted, strict=True):
        best = chances.topk(_LIKELIEST)
        shares = dict(zip(tokenizer.tokens(best.indices.tolist()), best.values.tolist(), strict=True))
        listed = ", ".join(f"{token} {share:.0%}" for token, share in shares.items())
        caption = f"Window {k}: the model reads the last {k} of {len(names)} tokens."
        grey = {"color": FAINT, "edgecolor": "#cccccc", "facecolor": "white"}
        figure = predictions(names, {i: grey for i in range(len(names) - k)}, {"": shares}).figure
        pictures.append(frames.picture(figure, caption, f"Likeliest next: {listed}."))
    choice = frames.choice("window w", windows, shown)
    return VBox([choice, frames.stack(choice, "index", pictures, first=shown)])


def _predictions(system: System, text: str, windows: Sequence[int]) -> tuple[list[str], list[Tensor]]:
    """The tokens of the text, and for each window the distribution of the next token (vocab,) after these tokens."""
    tokenizer, model = system.objective.tokenizer, system.model
    ids = [tokenizer.bos_id, *tokenizer.encode(text)]
    for k in windows:
        if not 1 <= k <= len(ids):
            raise ValueError(f"a window of {k}: the text has {len(ids)} tokens, <bos> included")
    device = next(model.parameters()).device
    with torch.no_grad(), evaluating(model):
        logits = [model(torch.tensor([ids[len(ids) - k :]], device=device))[0, -1] for k in windows]
    return tokenizer.tokens(ids), [row.float().softmax(-1).cpu() for row in logits]
