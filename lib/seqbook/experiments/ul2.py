"""Part 6, UL2: how much each setting hides, and what the mode tokens change in one network."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from seqbook.data.loader import in_length_order
from seqbook.data.tokenizer import Tokenizer
from seqbook.generation.decoding import complete
from seqbook.nn.mode import evaluating
from seqbook.objectives.batch import IGNORED
from seqbook.objectives.denoisers import DENOISERS, MODES, SEQUENTIAL, Mode, random_blanks
from seqbook.objectives.drawing import Span, draw
from seqbook.objectives.rows import Row, collate
from seqbook.runs import Run


class Task(NamedTuple):
    """A held-out text with blanks, and the mode that they belong to."""

    ids: list[int]
    mode: Mode
    spans: list[Span]


def sequential(n: int, generator: torch.Generator) -> list[Span]:
    """The blank of mode S at the end of n tokens."""
    return [(n - draw(1, max(1, round(2 * SEQUENTIAL * n) - 1), generator), n)]


def stories(run: Run, n: int, shortest: int = 30, longest: int = 80) -> list[list[int]]:
    """The ids of the first `n` test texts with so many tokens, without special tokens."""
    encoded = run.objective.tokenizer.encode_batch(run.splits["test"]["text"][:])
    return [ids for ids in encoded if shortest <= len(ids) <= longest][:n]


def tasks(texts: Sequence[list[int]], mode: Mode) -> list[Task]:
    """Each text with blanks of this mode, with U-PaLM's settings. They are the same in each call, so that all models are compared on them."""
    generator, found = torch.Generator().manual_seed(0), []
    for ids in texts:
        if mode == "S":
            spans = sequential(len(ids), generator)
        else:
            settings = DENOISERS["u-palm"][mode]
            spans = random_blanks(len(ids), *settings[draw(0, len(settings) - 1, generator)], generator)
        found.append(Task(ids, mode, spans))
    return found


def hidden(texts: Sequence[list[int]]) -> list[dict[str, Any]]:
    """What UL2's settings hide in these texts, one dict per setting.

    blanks: their mean number in a text; words: the mean number of words in a blank; share: the share of all words that
    are in blanks.
    """
    generator, found = torch.Generator().manual_seed(0), []
    for mode in MODES:
        for mean, rate in DENOISERS["ul2"].get(mode, (("L/4", SEQUENTIAL),)):
            blanks = [
                sequential(len(ids), generator) if mode == "S" else random_blanks(len(ids), mean, rate, generator)
                for ids in texts
            ]
            lengths = [stop - start for spans in blanks for start, stop in spans]
            row = {"mode": mode, "mean": mean, "rate": rate, "blanks": len(lengths) / len(texts)}
            row |= {"words": sum(lengths) / len(lengths), "share": sum(lengths) / sum(map(len, texts))}
            found.append(row)
    return found


def score(model: nn.Module, tokenizer: Tokenizer, rows: Sequence[Row]) -> dict[str, float]:
    """nats: the mean NLL of the labels; right: the share of labels that are the most probable token, with all earlier
    tokens given."""
    nats, right, n, device = 0.0, 0, 0, next(model.parameters()).device
    with torch.no_grad(), evaluating(model):
        for chosen in in_length_order([len(row.ids) for row in rows], 64):
            batch = collate([rows[i] for i in chosen], tokenizer.pad_id).to(device)
            counted = batch.labels != IGNORED
            logits, labels = model(*batch.inputs)[counted].float(), batch.labels[counted]
            nats += F.cross_entropy(logits, labels, reduction="sum").item()
            right += (logits.argmax(-1) == labels).sum().item()
            n += len(labels)
    return {"nats": nats / n, "right": right / n}


def switched(run: Run, n: int = 100) -> list[dict[str, Any]]:
    """The loss (nats per label, with sentinels and `<eos>`) in the task of each mode, under each mode token.

    One dict per task and token.
    """
    objective, found = run.objective, []
    for task in MODES:
        rows = [objective.corrupt(*each) for each in tasks(stories(run, n), task)]
        for token in MODES:
            for row in rows:
                row.ids[1] = objective.modes[token]
            found.append({"task": task, "token": token} | score(run.model, objective.tokenizer, rows))
    return found


def prompts(run: Run, n: int = 40) -> dict[str, list[list[int]]]:
    """The same stories in two forms, without a mode: with a blank in place of a tenth in the middle, and without all that
    follows the middle."""
    first, found = run.objective.sentinels[0], {"a blank in the middle": [], "the first half": []}
    for ids in stories(run, n, longest=60):
        middle, tenth = len(ids) // 2, len(ids) // 10
        found["a blank in the middle"].append([*ids[:middle], first, *ids[middle + tenth :]])
        found["the first half"].append(ids[:middle])
    return found


def written(run: Run, n: int = 40, max_new: int = 50) -> list[dict[str, Any]]:
    """What the model writes under each mode token after the same prompts, by the most probable token at each step.

    One dict per form of the prompt and token. words: their mean number, without sentinels; begins: the share of answers
    that begin with the first sentinel; ends: the share that ends within max_new tokens; example: the first answer.
    """
    objective, tokenizer, found = run.objective, run.objective.tokenizer, []
    marks = {tokenizer.eos_id, *objective.sentinels}
    for form, texts in prompts(run, n).items():
        for token in MODES:
            given = [objective.prefix(token, ids) for ids in texts]
            answers = complete(run.model, given, max_new, stop=[tokenizer.eos_id], top_k=1)
            lengths = [sum(i not in marks for i in ids) for ids in answers]
            begins = [ids[:1] == [objective.sentinels[0]] for ids in answers]
            row = {"prompt": form, "token": token, "words": sum(lengths) / len(lengths)}
            row |= {"begins": sum(begins) / len(begins), "ends": sum(len(a) < max_new for a in answers) / len(answers)}
            found.append(row | {"example": " ".join(tokenizer.tokens(answers[0]))})
    return found
