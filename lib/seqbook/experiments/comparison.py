"""Part 7: what every system of the comparison is measured by, in the same way for every family, and how rows are read."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from statistics import mean
from typing import Any, get_args

import pandas as pd
import torch
from torch import nn

from seqbook import metrics, runs
from seqbook.data.loader import batches
from seqbook.experiments.prefix import operations
from seqbook.objectives.batch import Batch, Objective
from seqbook.objectives.task_pairs import Pairs, PairTask
from seqbook.objectives.text_to_text import names
from seqbook.runs import published

SWEEPS = (  # in benchmarks/results; the first one is the search, from which the others take their rates and steps
    "which-architecture-rates",
    "which-architecture",
    "which-architecture-compute",
    "which-architecture-instruction",
)
COUNTED = 8  # batches, of whose operations the mean is taken
FAMILIES = ("recurrent", "encoder-decoder", "causal", "prefix", "encoder")
TASKS = get_args(PairTask)
TITLES = {"ner": "names", "qa": "questions", "infilling": "gaps"}  # of tasks, where the name is not a word
IMPOSSIBLE = {  # why an encoder has no row
    ("encoder", "translation"): "It does not write.",
    ("encoder", "continuation"): "It does not write.",
}

Row = Mapping[str, Any]  # of a published sweep
Lines = dict[str, dict[str, tuple[list[float], list[float]]]]  # of viz.panels


def measured(run: runs.Run) -> dict[str, Any]:
    """score: the share of test examples whose whole answer is exactly right (none for continuations); majority: the same
    for the most frequent answer of the training split; flops: of the training; params_without_vocabulary."""
    flops = flops_per_step(run)
    return scored(run) | {
        "flops_per_step": flops,
        "flops": flops * run.result["steps"],
        "params_without_vocabulary": params_without_vocabulary(run),
    }


def scored(run: runs.Run) -> dict[str, float]:
    """score and majority, as in `measured`."""
    objective, test = run.objective, run.splits["test"]
    if isinstance(objective, Pairs):
        if objective.config.task == "continuation":
            return {}
        return {"score": run.result["accuracy"], "majority": run.result["majority"]}
    if "label" in test.column_names:
        return {"score": run.result["accuracy"], "majority": run.result["majority"]}
    if "tags" in test.column_names:
        true = [names(*row) for row in zip(test["tokens"][:], test["tags"][:], strict=True)]
        tags = objective.predict(run.model, test["tokens"][:])
        found = [named(*row) for row in zip(test["tokens"][:], tags, strict=True)]
    else:
        true, found = test["answer"][:], objective.answers(run.model, test["context"][:], test["question"][:])
    return {"score": metrics.exact_match(found, true), "majority": Counter(true).most_common(1)[0][1] / len(true)}


def named(tokens: list[str], tags: list[str]) -> str:
    """`names` of predicted tags, in which an I may follow no B: such a word belongs to no name."""
    inside, kept = "", []
    for tag in tags:
        place, _, kind = tag.partition("-")
        inside = kind if place == "B" or (place == "I" and kind == inside) else ""
        kept.append(tag if inside else "O")
    return names(tokens, kept)


def flops_per_step(run: runs.Run) -> float:
    """The operations of one training step, forward and backward: the mean over a few batches, by torch's counter."""
    examples, counts, training = run.examples("train"), [], run.model.training
    sampler = batches(examples, run.objective.lengths, run.result["config"]["training"]["batch_size"])
    enabled, *_ = torch.backends.mkldnn.set_flags(_enabled=False)  # inside its own LSTM the counter sees nothing
    try:
        for step in range(COUNTED):
            batch = run.objective.collate([examples[i] for i in sampler.batch(step)]).to(runs.device())
            counts.append(operations(partial(_backward, run.model.train(), run.objective, batch)))
            run.model.zero_grad(set_to_none=True)
    finally:
        torch.backends.mkldnn.set_flags(_enabled=enabled)
    run.model.train(training)
    return mean(counts)


def _backward(model: nn.Module, objective: Objective, batch: Batch) -> None:
    objective.loss(model(*batch.inputs), batch.labels).backward()


def params_without_vocabulary(run: runs.Run) -> int:
    """The parameters outside the tables with one row per token, since the vocabularies differ from task to task."""
    tokens = len(run.objective.tokenizers["tokenizer"])
    return sum(p.numel() for p in run.model.parameters() if p.shape[0] != tokens)


def row(run: runs.Run) -> dict[str, Any]:
    """What a published row holds, of a run that was trained here."""
    family, _, task = run.result["recipe"].removeprefix("compare-").rpartition("-")
    kept = {name: run.result[name] for name in ("seed", "steps", "params", "seconds", "val_loss")}
    return {"family": family, "task": task, **kept, **published.curve(run.history), **measured(run)}


def loss_by_frequency(objective: Pairs, train: Sequence[Sequence], test: Sequence[Sequence]) -> float:
    """The loss on the targets of `test`, in nats per token with `<eos>`, of a model that only knows how often each token
    occurs in the targets of `train` (one is added to each count).

    train, test: examples, as pairs of ids of a source and a target.
    """
    end, counts = objective.tokenizer.eos_id, torch.ones(len(objective.tokenizer))
    targets = [torch.tensor([i for _, ids in part for i in (*ids, end)]) for part in (train, test)]
    counts += torch.bincount(targets[0], minlength=len(counts))
    return -(counts / counts.sum()).log()[targets[1]].mean().item()


def best_rates(rows: Sequence[Row]) -> pd.DataFrame:
    """The learning rate with the lowest validation loss: one row per family and one column per task. A star stands at a rate
    that is the lowest or the highest of the search, so that a better one may lie beyond it."""
    tasks = [task for task in TASKS if any(row["task"] == task for row in rows)]
    table = pd.DataFrame("", index=pd.Index(FAMILIES, name="family"), columns=tasks)
    edges = at_the_edge(rows)
    for family, task in {(row["family"], row["task"]): None for row in rows}:
        best = min(_of(rows, family, task), key=lambda row: row["val_loss"])
        table.loc[family, task] = f"{_rate(best):g}" + "*" * ((family, task) in edges)
    return table.rename(columns=TITLES)


def at_the_edge(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """The family and the task of each system whose best rate is the lowest or the highest of its search."""
    found = []
    for family, task in {(row["family"], row["task"]): None for row in rows}:
        tried = _of(rows, family, task)
        best = min(tried, key=lambda row: row["val_loss"])
        if _rate(best) in (min(map(_rate, tried)), max(map(_rate, tried))):
            found.append((family, task))
    return found


def _rate(row: Row) -> float:
    return row["config"]["training"]["learning_rate"]


def value(row: Row) -> float:
    """The share of right answers (%), or the loss (nats per token) of continuations, of which many are right."""
    return row["loss"] if row["task"] == "continuation" else 100 * row["score"]


def for_bars(rows: Sequence[Row], tasks: Sequence[str]) -> dict[str, Any]:
    """The arguments of `viz.bars`: for each family and task, `value`, its mean and its spread over the seeds, and the share
    of the most frequent answer as the baseline."""
    scores, spreads = {}, {}
    for family in FAMILIES:
        found = {TITLES.get(task, task): [value(r) for r in _of(rows, family, task)] for task in tasks}
        found = {task: values for task, values in found.items() if values}
        if found:
            scores[family] = {task: mean(values) for task, values in found.items()}
            spreads[family] = {task: (min(values), max(values)) for task, values in found.items()}
    if not scores:  # as in Colab, where a page must still run to its end
        scores = {"published on the site": dict.fromkeys(tasks, 0.0)}
    baseline = {
        TITLES.get(r["task"], r["task"]): 100 * r["majority"] for r in rows if r["task"] in tasks and "majority" in r
    }
    return {"scores": scores, "spreads": spreads, "baseline": baseline}


def by_operations(budgets: Sequence[Sequence[Row]], tasks: Sequence[str]) -> tuple[Lines, Lines]:
    """For `viz.panels`: the `value` of each family, and its spread, against the operations of its training (10^12), with
    one point for each budget."""
    lines, spreads = {}, {}
    for task in tasks:
        title = f"{TITLES.get(task, task)} ({'nats' if task == 'continuation' else '%'})"
        lines[title], spreads[title] = {}, {}
        for family in FAMILIES:
            points = []
            for rows in budgets:
                if found := _of(rows, family, task):
                    values = [value(r) for r in found]
                    points.append((mean(r["flops"] for r in found) / 1e12, mean(values), min(values), max(values)))
            if points:
                operations, means, lowest, highest = (list(column) for column in zip(*sorted(points), strict=True))
                lines[title][family] = operations, means
                spreads[title][family] = lowest, highest
    return lines, spreads


def learning_curves(rows: Sequence[Row], tasks: Sequence[str]) -> tuple[Lines, Lines]:
    """For `viz.panels`: the validation loss against the steps, mean and spread over seeds, where it is in nats per token."""
    lines, spreads = {}, {}
    for task in tasks:
        title = TITLES.get(task, task)
        lines[title], spreads[title] = {}, {}
        for family in FAMILIES:
            if found := _of(rows, family, task):
                columns = list(zip(*(r["val_losses"] for r in found), strict=True))
                lines[title][family] = found[0]["evaluated_at"], [mean(column) for column in columns]
                spreads[title][family] = [min(column) for column in columns], [max(column) for column in columns]
    return lines, spreads


def still_falling(row: Row) -> float:
    """By which share the validation loss fell between the last two evaluations: in the last fifth of the steps."""
    return 1 - row["val_losses"][-1] / row["val_losses"][-2]


def answers(rows: Sequence[Row]) -> pd.DataFrame:
    """One row per family and one column per task: the share of right answers, or the loss of continuations; mean, lowest and
    highest of the seeds. Where a family can't do a task, why."""
    kinds = {"continuation": ("loss", "{:.2f}")}
    tasks = [task for task in TASKS if any(row["task"] == task for row in rows)]
    table = pd.DataFrame("", index=pd.Index(FAMILIES, name="family"), columns=tasks)
    for task in tasks:
        for family in FAMILIES:
            column, form = kinds.get(task, ("score", "{:.0%}"))
            if found := _of(rows, family, task):
                table.loc[family, task] = published.summary(found, "family", {task: (column, form)})[task].iloc[0]
    for (family, task), reason in IMPOSSIBLE.items():
        if task in tasks:
            table.loc[family, task] = reason
    return table.rename(columns=TITLES | {"continuation": "continuation (nats)"})


def for_picker(budgets: Mapping[str, Sequence[Row]]) -> list[dict[str, Any]]:
    """The rows of `live.picker`, from {name of a budget: its published rows}."""
    picked = []
    for budget, rows in budgets.items():
        for task in TASKS:
            for family in FAMILIES:
                if found := _of(rows, family, task):
                    nats = task == "continuation"
                    values = [r["loss" if nats else "score"] for r in found]
                    picked.append(
                        {"family": family, "task": task, "measure": "nats" if nats else "exact", "budget": budget}
                        | {"mean": mean(values), "low": min(values), "high": max(values)}
                        | {"baseline": None if nats else found[0]["majority"]}
                        | {"flops_per_step": found[0]["flops_per_step"], "flops": mean(r["flops"] for r in found)}
                    )
    return picked


def _of(rows: Sequence[Row], family: str, task: str) -> list[Row]:
    return [row for row in rows if row["family"] == family and row["task"] == task]
