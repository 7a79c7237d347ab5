"""Pictures to step through on a page without a kernel: each state is drawn beforehand, and the browser chooses."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from io import BytesIO

import ipywidgets
import matplotlib.pyplot as plt
import torch
from ipywidgets import HTML, Dropdown, IntSlider, Stack, VBox
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from seqbook.generation.decoding import greedy
from seqbook.nn import masks
from seqbook.nn.mode import evaluating
from seqbook.nn.record import record
from seqbook.runs import System
from seqbook.viz import figures


def mask_explorer(max_len: int = 8) -> VBox:
    """The mask of `max_len` positions for a prefix of any length and 0 to 3 positions of padding at the end.

    Raises:
        ValueError: a max_len below 4 (padding would be all), or above 16 (too many pictures for a page).
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
        return _picture(ax.figure, caption, f"The queries, from the first, may attend to this many keys: {seen}.")

    prefix, padding = _slider("prefix", max_len), _slider("padding", 3)
    by_padding = [_stack(prefix, "value", [picture(n, p) for n in range(max_len + 1)]) for p in range(4)]
    return VBox([prefix, padding, _stack(padding, "value", by_padding)])


def head_explorer(
    maps: Mapping[str, Tensor | Sequence[Tensor]], sources: Sequence[str], targets: Sequence[str]
) -> VBox:
    """The weights of one head, of all heads of all attentions: (heads, query, key) each, or a whole list from
    `viz.record`, of which it shows the last forward's first sentence.

    In an attention named encoder… sources look at sources; in decoder… targets look at targets; in all others, and in
    …cross_attention, targets look at sources.

    Raises:
        ValueError: no weights, different numbers of heads, weights that don't fit the tokens.
    """
    if not maps or not all(map(len, maps.values())):
        raise ValueError("maps holds no weights: run the model inside viz.record's block")
    weights = {name: found if isinstance(found, Tensor) else found[-1][0] for name, found in maps.items()}
    n_heads = {len(heads) for heads in weights.values()}
    if len(n_heads) > 1:
        raise ValueError(f"attentions of {sorted(n_heads)} heads can't share a slider: explore each by itself")
    attention = Dropdown(options=list(weights), description="attention")
    head = _slider("head", n_heads.pop() - 1)
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
            pictures.append(_picture(figure, f"{name}, head {i}", f"Where each token looks most: {', '.join(most)}."))
        by_attention.append(_stack(head, "value", pictures))
    return VBox([attention, head, _stack(attention, "index", by_attention)])


def decoder_stepper(system: System, text: str) -> VBox:
    """Greedy decoding of `text` step by step: where the decoder looks, and the five likeliest next tokens.

    The weights are those of the last attention to the source, in their mean over the heads.

    Raises:
        ValueError: a text without tokens or too long, a model without attention.
    """
    model, objective = system.model, system.objective
    device = next(model.parameters()).device
    (source,) = objective.encode_sources([text])
    source_ids, first = objective.prompt([source])  # the source is reversed if the model reads it so
    max_new, stop = min(objective.longest(len(source)), objective.max_len - 1), [objective.target_tokenizer.eos_id]
    (written,) = greedy(model, (source_ids.to(device), first.to(device)), max_new=max_new, stop=stop)
    with torch.no_grad(), evaluating(model), record(model) as maps:
        logits = model(*objective.collate([(source, written)]).to(device).inputs)[0]  # all the steps at once (T, V)
    *_, last = maps.values()
    weights = last[0][0].reshape(-1, *last[0].shape[-2:]).mean(0)  # (T, S)
    sources = objective.source_tokenizer.tokens(source_ids[0].tolist())
    pictures = []
    for step, (probabilities, row) in enumerate(zip(logits.softmax(-1), weights, strict=True)):
        likeliest = probabilities.topk(min(5, len(probabilities)))
        candidates = objective.target_tokenizer.tokens(likeliest.indices.tolist())
        shares = dict(zip(candidates, likeliest.values.tolist(), strict=True))
        beginning = objective.target_tokenizer.decode(written[:step]) or "nothing"
        caption = f"Step {step}\nSource: {text}\nWritten so far: {beginning}"
        most = sources[int(row.argmax())]
        chances = ", ".join(f"{token} {share:.0%}" for token, share in shares.items())
        pictures.append(
            _picture(_step(sources, row, shares), caption, f"Most attention on: {most}. Likeliest next: {chances}.")
        )
    step = _slider("step", len(pictures) - 1)
    return VBox([step, _stack(step, "value", pictures)])


def _step(sources: Sequence[str], weights: Tensor, shares: Mapping[str, float]) -> Figure:
    """Attention over the source, and below it the shares of the likeliest tokens."""
    figure, (above, below) = plt.subplots(2, 1, figsize=(max(4.2, 0.34 * len(sources)), 4.2))
    above.bar(range(len(sources)), weights.tolist(), color="C0")
    above.set_xticks(range(len(sources)), sources, rotation=60, ha="right", rotation_mode="anchor")
    above.set(title="attention to the source", ylim=(0, 1))
    below.bar_label(below.barh(list(shares), list(shares.values()), color="C1"), fmt="{:.0%}", padding=3)
    below.set(title="likeliest next tokens", xlim=(0, 1.15), xticks=[0, 0.5, 1])
    below.invert_yaxis()
    for ax in (above, below):
        ax.grid(visible=False)
    return figure


def _picture(figure: Figure, caption: str, alt: str) -> HTML:
    """The figure as HTML, closed; readers who can't see it are told `alt`."""
    drawn, packed = BytesIO(), BytesIO()
    with plt.rc_context({"savefig.bbox": "standard"}):  # cut to their contents, pictures would differ in size and jump
        figure.savefig(drawn)
    plt.close(figure)
    Image.open(drawn).convert("RGB").quantize(64).save(packed, "png", optimize=True)  # a third of the size
    source = f"data:image/png;base64,{base64.b64encode(packed.getvalue()).decode()}"
    return HTML(
        '<figure style="margin: 0; background: white">'
        f'<img alt="{escape(alt)}" src="{source}" style="max-width: 100%">'
        f'<figcaption style="color: black; line-height: 1.5; white-space: pre-line">{escape(caption)}</figcaption>'
        "</figure>"
    )


def _slider(description: str, last: int) -> IntSlider:
    return IntSlider(value=0, min=0, max=last, description=description)


def _stack(control: IntSlider | Dropdown, trait: str, children: Sequence[ipywidgets.Widget]) -> Stack:
    """Shows the child whose number is the control's; tied in the browser, where no Python is needed."""
    stack = Stack(children, selected_index=0)
    ipywidgets.jslink((control, trait), (stack, "selected_index"))
    return stack
