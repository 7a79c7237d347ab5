"""Greedy decoding, one step at a time."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import torch
from ipywidgets import VBox
from matplotlib.figure import Figure
from torch import Tensor

from seqbook.generation.decoding import greedy
from seqbook.nn.mode import evaluating
from seqbook.nn.record import record
from seqbook.runs import System
from seqbook.viz.widgets import frames


def decoder_stepper(system: System, text: str) -> VBox:
    """Greedy decoding of `text` step by step, with the attention weights and the five most probable next tokens.

    The weights are those of the last layer that attends to the source, averaged over its heads.

    Raises:
        ValueError: a text without tokens, a text that is too long, or a model without attention.
    """
    model, objective = system.model, system.objective
    device = next(model.parameters()).device
    (source,) = objective.encode_sources([text])
    source_ids, first = objective.prompt([source])  # the source is reversed if the model reads it in reverse
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
            frames.picture(
                _step(sources, row, shares), caption, f"Most attention on: {most}. Likeliest next: {chances}."
            )
        )
    step = frames.slider("step", len(pictures) - 1)
    return VBox([step, frames.stack(step, "value", pictures)])


def _step(sources: Sequence[str], weights: Tensor, shares: Mapping[str, float]) -> Figure:
    """The attention over the source, and below it the probabilities of the most probable tokens."""
    figure, (above, below) = plt.subplots(2, 1, figsize=(max(4.2, 0.34 * len(sources)), 4.2))
    above.bar(range(len(sources)), weights.tolist(), color="C0")
    above.set_xticks(range(len(sources)), sources, rotation=60, ha="right", rotation_mode="anchor")
    above.set(title="attention to the source", ylim=(0, 1))
    below.bar_label(below.barh(list(shares), list(shares.values()), color="C1"), fmt="{:.0%}", padding=3)
    below.set(title="most probable next tokens", xlim=(0, 1.15), xticks=[0, 0.5, 1])
    below.invert_yaxis()
    for ax in (above, below):
        ax.grid(visible=False)
    return figure
