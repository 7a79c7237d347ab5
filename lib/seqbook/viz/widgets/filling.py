"""What BERT predicts for one missing word of a text, from both sides, and what GPT predicts from the left side."""

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
_MOST = 40  # words: a picture for each


def filling(bert: System, gpt: System, text: str) -> Axes:
    """The still picture: the probability of each word of the text if this word is missing.

    Raises:
        ValueError: as in `filling_explorer`.
    """
    tokens, predicted = _predictions(bert, gpt, text)
    labels = [f"{i} {token}" for i, token in enumerate(tokens, start=1)]
    shares = {
        name: {
            label: chances[_id(system, token)].item()
            for label, token, chances in zip(labels, tokens, rows, strict=True)
        }
        for (name, rows), system in zip(predicted.items(), (bert, gpt), strict=True)
    }
    return figures.bars(shares, "probability of the missing word")


def filling_explorer(bert: System, gpt: System, text: str) -> VBox:
    """A slider over the words of the text. The chosen one is missing, and the picture shows what both models predict.

    bert: a system that was trained to fill in `[MASK]`; gpt: one that continues texts, and reads what stands on the left.

    Raises:
        ValueError: a text with no word, or with more than 40; a word that one of the vocabularies does not have.
    """
    tokens, predicted = _predictions(bert, gpt, text)
    pictures = []
    for at, token in enumerate(tokens):
        shares, listed = {}, []
        for (name, rows), system in zip(predicted.items(), (bert, gpt), strict=True):
            best = rows[at].topk(_LIKELIEST)
            likeliest = system.objective.tokenizer.tokens(best.indices.tolist())
            shares[name] = dict(zip(likeliest, best.values.tolist(), strict=True))
            listed.append(f"{name}: " + ", ".join(f"{word} {share:.0%}" for word, share in shares[name].items()))
        caption = f"Word {at + 1} of {len(tokens)} is missing: {token!r}."
        gap = {at: {"color": FAINT, "edgecolor": "C1", "facecolor": "white", "linestyle": (0, (3, 2))}}
        figure = predictions(tokens, gap, shares, right=token).figure
        pictures.append(frames.picture(figure, caption, f"{'. '.join(listed)}."))
    choice = frames.choice("missing word", [str(i + 1) for i in range(len(tokens))])
    return VBox([choice, frames.stack(choice, "index", pictures)])


def _predictions(bert: System, gpt: System, text: str) -> tuple[list[str], dict[str, Tensor]]:
    """The words of the text, and for each model the distribution of each word if it is missing (words, vocab)."""
    tokenizer = bert.objective.tokenizer
    ids = tokenizer.encode(text)
    if not 1 <= len(ids) <= _MOST:
        raise ValueError(f"{text[:80]!r} has {len(ids)} words: give 1 to {_MOST}, one picture for each")
    tokens = tokenizer.tokens(ids)
    of_gpt = [_id(gpt, token) for token in tokens]
    cls, sep, mask = (tokenizer.special_id(name) for name in ("[CLS]", "[SEP]", "[MASK]"))
    rows = torch.tensor([[cls, *ids, sep]] * len(ids))
    missing = torch.zeros_like(rows, dtype=torch.bool)
    missing[torch.arange(len(ids)), torch.arange(len(ids)) + 1] = True
    read = torch.tensor([[gpt.objective.tokenizer.bos_id, *of_gpt[:-1]]])
    found = {}
    with torch.no_grad(), evaluating(bert.model), evaluating(gpt.model):
        device = next(bert.model.parameters()).device
        found["BERT, both sides"] = bert.model(rows.masked_fill(missing, mask).to(device), missing.to(device))
        device = next(gpt.model.parameters()).device
        found["GPT, left side"] = gpt.model(read.to(device))[0]
    return tokens, {name: logits.float().softmax(-1).cpu() for name, logits in found.items()}


def _id(system: System, token: str) -> int:
    found = system.objective.tokenizer.backend.token_to_id(token)
    if found is None or token == "<unk>":
        raise ValueError(f"a word of the text is not in the vocabulary, and reads {token!r}: choose another one")
    return found
