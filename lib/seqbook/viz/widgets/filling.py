"""What BERT predicts for one missing word of a text, from both sides, and what GPT predicts from the left side."""

from collections.abc import Mapping

import torch
from ipywidgets import VBox
from matplotlib.axes import Axes
from torch import Tensor

from seqbook.nn.mode import evaluating
from seqbook.runs import System
from seqbook.viz import figures
from seqbook.viz.drawings.canvas import BOLD, FAINT, INK, WIDTH, finish, sheet, text_width, token_box, words
from seqbook.viz.widgets import frames

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
        pictures.append(frames.picture(_picture(tokens, at, shares).figure, caption, f"{'. '.join(listed)}."))
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


def _picture(tokens: list[str], missing: int, shares: Mapping[str, Mapping[str, float]]) -> Axes:
    """The text with the missing word in grey, and below it the five most probable words of each model."""
    ax = sheet(WIDTH - 0.2)
    x, y, right = 0.05, 0.18, WIDTH - 0.3
    for i, token in enumerate(tokens):
        wide = max(0.27, text_width(token, 9.5) + 0.1)
        if x + wide > right and x > 0.05:
            x, y = 0.05, y + 0.34
        look = {"color": FAINT, "edgecolor": "C1", "facecolor": "white", "linestyle": (0, (3, 2))}
        token_box(ax, x + wide / 2, y, token, "state", width=wide, size=9.5, **(look if i == missing else {}))
        x += wide + 0.05
    y += 0.42
    for k, (name, row) in enumerate(shares.items()):
        words(ax, 0.05, y, name, ha="left", **BOLD)
        y += 0.26
        for token, share in row.items():
            right_word = BOLD if token == tokens[missing] else {}
            words(ax, 1.1, y, token, 9.5, ha="right", **right_word)
            ax.barh(y, 2.2 * share, height=0.17, left=1.2, color=f"C{k}")
            words(ax, 1.26 + 2.2 * share, y, f"{share:.0%}", 9, ha="left", color=INK)
            y += 0.24
        y += 0.1
    return finish(ax, y)
