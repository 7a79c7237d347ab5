"""Held-out examples that the page runs through a chapter's model: those that a printed number is made of, or a part
of them, with what Python counts on the same ones.

measure: "exact", the share of examples that are right as a whole; "right", the share of labels that are right; "loss",
the mean of −log P(label), in nats. unit: what is counted; texts: what an example is called; whole: the number of
examples that the printed number is made of.
"""

from collections.abc import Iterable
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqbook import metrics
from seqbook.data.loader import Windows
from seqbook.objectives.batch import IGNORED, Batch
from seqbook.objectives.classification import TaskBatch
from seqbook.objectives.masked import MaskedBatch
from seqbook.objectives.rows import collate
from seqbook.runs import Run, System

Measure = Literal["exact", "right", "loss"]
Held = dict[str, Any]


def translations(run: Run, n: int = 200) -> Held:
    """The first `n` sentences of the test split with their references."""
    config, test = run.objective.config, run.splits["test"]
    rows = test.select(range(min(n, len(test))))
    pairs = zip(rows[config.source][:], rows[config.target][:], strict=True)
    examples = [{"source": source, "reference": reference} for source, reference in pairs]
    told = {"measure": "exact", "unit": "sentences", "texts": "sentences", "whole": len(test)}
    return told | {"examples": examples}


def predictions(run: Run, measure: Measure, unit: str, texts: str) -> Held:
    """The whole test split as the model reads it for its score, with the same random choices, and its labels."""
    examples = run.examples("test")
    if isinstance(examples, Windows):
        examples = examples.side_by_side()
    batches = (batch for _, batch, _ in metrics.in_batches(run.model, run.objective, examples))
    return _labelled(run, batches, measure, unit, texts)


def second_halves(run: Run, n: int = 200) -> Held:
    """The first `n` texts of the test split. The first half of each is the prefix, and the second half is predicted."""
    rows = [run.objective.split(ids, 1 + len(ids) // 2) for (ids,) in run.examples("test")[:n]]
    return _labelled(run, [collate(rows, run.objective.tokenizer.pad_id)], "loss", "tokens", "texts")


def answers(run: Run, task: str) -> Held:
    """The rows of a task in words. Greedy decoding writes an answer if each of its tokens, up to the full stop, is the most
    probable one after those before it."""
    tokenizer, examples = run.objective.tokenizer, []
    for row in run.splits["test"]:
        if row["task"] == task:
            prompt, answer = [tokenizer.bos_id, *tokenizer.encode(row["prompt"])], tokenizer.encode(row["answer"])
            places = range(len(prompt) - 1, len(prompt) + len(answer) - 1)
            examples.append({"inputs": [[*prompt, *answer[:-1]]], "places": [*places], "labels": answer})
    told = {"measure": "exact", "unit": "answers", "texts": "prompts", "whole": len(examples)}
    return told | {"examples": examples}


@torch.no_grad()
def score(system: System, module: nn.Module, held: Held) -> dict[str, float]:
    """`score`: how many are right, or the sum of the losses; `of`: the number by which it is divided.

    module: what is exported of the system's model.
    """
    examples, measure = held["examples"], held["measure"]
    if "reference" in examples[0]:
        written = system.generate([example["source"] for example in examples])
        right = sum(text == example["reference"] for text, example in zip(written, examples, strict=True))
        return {"score": right, "of": len(examples)}
    total: float = 0
    of = 0
    for example in examples:
        logits = module(*(torch.tensor([given]) for given in example["inputs"]))[0].flatten(0, -2)  # (T, V)
        logits, labels = logits[example["places"]].double(), torch.tensor(example["labels"])
        right = logits.argmax(-1) == labels
        if measure == "loss":
            total += F.cross_entropy(logits, labels, reduction="sum").item()
        else:
            total += (right.all() if measure == "exact" else right.sum()).item()
        of += 1 if measure == "exact" else len(labels)
    return {"score": total, "of": of}


def _labelled(run: Run, batches: Iterable[Batch], measure: Measure, unit: str, texts: str) -> Held:
    """The rows of the batches without their padding: `inputs` of the graph, and the `labels` of some `places`."""
    pad_id, examples = next(iter(run.objective.tokenizers.values())).pad_id, []
    for batch in batches:
        inputs, labels = _read(batch)
        for *row, of_row in zip(*(t.tolist() for t in (*inputs, labels)), strict=True):
            places = [place for place, label in enumerate(of_row) if label != IGNORED]
            given = [_strip(of, pad_id) if isinstance(of, list) else of for of in row]
            examples.append({"inputs": given, "places": places, "labels": [of_row[place] for place in places]})
    told = {"measure": measure, "unit": unit, "texts": texts, "whole": len(examples)}
    return told | {"examples": examples}


def _read(batch: Batch) -> tuple[tuple[Tensor, ...], Tensor]:
    """What the exported graph reads of a batch, and the labels: of each position, or of each row (B, 1)."""
    ids, *others = batch.inputs
    if isinstance(batch, MaskedBatch):  # has labels for the chosen positions alone, in reading order
        return (ids,), torch.full_like(ids, IGNORED).masked_scatter(others[0], batch.labels)
    if isinstance(batch, TaskBatch):
        rows = (ids, *others) if len(others) > 1 else ids.unbind(1)  # packed answers, or one row for each order
        return rows, batch.labels.task[:, None]
    return batch.inputs, batch.labels


def _strip(ids: list[int], pad_id: int) -> list[int]:
    """The ids, or other numbers of each position, without the padding at their end."""
    return ids[: max(i for i, token in enumerate(ids) if token != pad_id) + 1]
