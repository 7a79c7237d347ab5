"""The attention mask for a prefix and padding, with two sliders."""

import matplotlib.pyplot as plt
import torch
from ipywidgets import HTML, VBox

from seqbook.nn import masks
from seqbook.viz import figures
from seqbook.viz.widgets import frames


def mask_explorer(max_len: int = 8) -> VBox:
    """The mask of `max_len` positions for a prefix of any length and 0 to 3 positions of padding at the end.

    Raises:
        ValueError: a max_len below 4 (all positions could be padding), or above 16 (too many pictures for a page).
    """
    if not 4 <= max_len <= 16:
        raise ValueError(f"max_len={max_len} must be 4 to 16")

    def picture(prefix: int, padding: int) -> HTML:
        ids = torch.ones(1, max_len, dtype=torch.long)
        ids[:, max_len - padding :] = 0
        mask = (masks.prefix(torch.tensor([prefix]), max_len) & masks.padding(ids, pad_id=0))[0, 0]
        kinds = {0: "causal, as in GPT", max_len: "bidirectional, as in BERT"}
        kind = kinds.get(prefix, "bidirectional inside the prefix, causal after it")
        caption = f"Prefix {prefix}, padding {padding}: {kind}{' (no query attends to padding)' if padding else ''}."
        (ax,) = figures.masks({"": mask}, axes=[plt.subplots(figsize=(2.7, 2.8))[1]])
        seen = ", ".join(str(n) for n in mask.sum(1).tolist())
        return frames.picture(ax.figure, caption, f"The queries, from the first, may attend to this many keys: {seen}.")

    prefix, padding = frames.slider("prefix", max_len), frames.slider("padding", 3)
    by_padding = [frames.stack(prefix, "value", [picture(n, p) for n in range(max_len + 1)]) for p in range(4)]
    return VBox([prefix, padding, frames.stack(padding, "value", by_padding)])
