"""The picker of chapter 7.1: which families do a task, and how well, from measured rows. It needs no model."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from seqbook.experiments.comparison import FAMILIES
from seqbook.live.figure import Html

TASKS = {
    "translation": "translation",
    "sentiment": "sentiment",
    "entailment": "entailment",
    "ner": "names in a sentence",
    "qa": "questions about a text",
    "infilling": "gaps in a text",
    "continuation": "continuation of a text",
}
BUDGETS = {"steps": "equal parameters and steps", "compute": "equal training computation"}
MEASURES = ("exact", "nats")
KEYS = {"family", "task", "measure", "mean", "low", "high", "baseline", "flops_per_step", "flops", "budget"}
NEEDS = {
    "text": "write text of any length",
    "length": "work without the length of the answer",
    "turns": "keep its cache over several turns",
}
_READ_AGAIN = (
    "Its encoder reads in both directions. A new turn changes the states of all earlier turns, so nothing can be kept."
)
# What a family can't do by its construction: the need, the family, the task (None: all tasks) and the reason.
LACKING = [
    (
        "text",
        "encoder",
        None,
        "It writes no text. It predicts a label, or the tokens of masks whose number it is given.",
    ),
    ("length", "encoder", "infilling", "It has one mask for each missing token, so it must know how many are missing."),
    (
        "turns",
        "prefix",
        None,
        "The tokens of the prefix attend to each other in both directions. A new turn joins the prefix, so the keys and "
        "values of all earlier turns change.",
    ),
    ("turns", "recurrent", None, _READ_AGAIN),
    ("turns", "encoder-decoder", None, _READ_AGAIN),
    ("turns", "encoder", None, _READ_AGAIN),
]


def picker(
    rows: Sequence[Mapping[str, Any]],
    impossible: Mapping[tuple[str, str], str],
    caption: str,
    *,
    seeds: int = 3,
) -> Html:
    """The architecture families in the order of a measure, for the task, the needs and the scarce resource that a reader chooses.

    Without JavaScript it is a table with the best family of each task, and those whose intervals overlap with its own.
    Without rows, as in Colab, it says where the results are.

    rows: one dict for each family, task and budget. "measure" is "exact" (the share of exactly right answers, higher is
        better) or "nats" (the loss in nats per token, lower is better); "mean", "low" and "high" are the mean of this
        measure over the seeds, its lowest and its highest value; "baseline" is the same measure of the most frequent
        answer, or None; "flops_per_step" and "flops" are the operations of one training step and of the whole training;
        "budget" is "steps" (equal parameters and steps) or "compute" (equal training computation). The family whose
        training computation the others get needs a row for both budgets.
    impossible: for each (family, task) that can't be done, the reason.
    seeds: the number of trainings behind each interval.

    Raises:
        ValueError: an unknown family, task, measure or budget; a missing key; an interval without its mean; two rows for
            one family, task and budget; two measures for one task; a row for what is impossible.
    """
    _check(rows, impossible)
    if not rows:  # in Colab, where the page must still run to its end
        return Html("<p>The picker shows published results. They are in the repository and on its site.</p>")
    data = {
        "families": FAMILIES,
        "tasks": [[task, name] for task, name in TASKS.items() if any(row["task"] == task for row in rows)],
        "needs": list(NEEDS.items()),
        "lacking": LACKING,
        "impossible": [[*key, reason] for key, reason in impossible.items()],
        "rows": [{key: row[key] for key in sorted(KEYS)} for row in rows],
        "seeds": seeds,
    }
    # The box and its colours are those of the live figures.
    return Html(
        f'<div class="live"><figure class="picker" data-picker="{escape(json.dumps(data, allow_nan=False))}">'
        f'<div class="live-scroll">{_still(rows, seeds)}</div><figcaption>{escape(caption)}</figcaption></figure></div>'
    )


def _check(rows: Sequence[Mapping[str, Any]], impossible: Mapping[tuple[str, str], str]) -> None:
    seen, measures = set(), {}
    for row in rows:
        if missing := KEYS - row.keys():
            raise ValueError(f"the row {dict(row)} lacks {', '.join(sorted(missing))}")
        for key, known in (("family", FAMILIES), ("task", TASKS), ("measure", MEASURES), ("budget", BUDGETS)):
            if row[key] not in known:
                raise ValueError(f"{key}={row[key]!r}: choose one of {', '.join(known)}")
        family, task, name = row["family"], row["task"], (row["family"], row["task"], row["budget"])
        if not row["low"] <= row["mean"] <= row["high"]:
            raise ValueError(f"{name}: the mean {row['mean']} is outside of [{row['low']}, {row['high']}]")
        if name in seen:
            raise ValueError(f"{name} has two rows: give the mean over the seeds, and the lowest and highest value")
        if measures.setdefault(task, row["measure"]) != row["measure"]:
            raise ValueError(f"task={task!r} has two measures, which can't be compared")
        if (family, task) in impossible:
            raise ValueError(f"{(family, task)} has a row, and a reason why it can't be done")
        seen.add(name)
    for family, task in impossible:
        if family not in FAMILIES or task not in TASKS:
            raise ValueError(f"{(family, task)} is not a family and a task")


def best(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The row with the best mean, and those whose intervals overlap its own, best first; of one task and one budget."""
    ordered = sorted(rows, key=lambda row: row["mean"] if row["measure"] == "nats" else -row["mean"])
    return [row for row in ordered if row["low"] <= ordered[0]["high"] and row["high"] >= ordered[0]["low"]]


def _score(row: Mapping[str, Any]) -> str:
    if row["measure"] == "nats":
        return f"{row['mean']:.3f} ({row['low']:.3f}–{row['high']:.3f}) nats per token"
    return f"{row['mean']:.1%} ({row['low']:.1%}–{row['high']:.1%})"


def _still(rows: Sequence[Mapping[str, Any]], seeds: int) -> str:
    lines = []
    for task, name in TASKS.items():
        cells = []
        for budget in BUDGETS:
            found = best([row for row in rows if (row["task"], row["budget"]) == (task, budget)])
            cells.append("<br>".join(f"{row['family']}: {_score(row)}" for row in found) or "not measured")
        if any(row["task"] == task for row in rows):
            lines.append(f'<tr><th scope="row">{name}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>')
    head = "".join(f'<th scope="col">{title}</th>' for title in ("task", *BUDGETS.values()))
    return (
        f"<table><caption>The best family of each task, and those that can't be told apart from it with {seeds} seeds: "
        "the mean, and the lowest and highest seed.</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    )
