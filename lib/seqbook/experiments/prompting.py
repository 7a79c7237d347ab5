"""Part 3, prompting: the answers of a language model to tasks in words, and how much of the prompt it uses."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from microworld.tasks import prompting
from microworld.tasks.prompting import new_words
from seqbook import metrics
from seqbook.generation.decoding import complete
from seqbook.generation.likelihood import log_likelihood
from seqbook.runs import Run, System

Row = Mapping[str, Any]  # of microworld's task "prompting": prompt, answer, choices, task, phrasing, shots
IN_PROMPT = ("multiple_choice", "qa", "new_word")  # tasks whose answer is contained in the prompt


def log_p(system: System, pairs: Sequence[tuple[str, str]]) -> list[float]:
    """log P(answer | prompt) of each (prompt, answer), in nats."""
    tokenizer = system.objective.tokenizer
    prompts = [[tokenizer.bos_id, *tokenizer.encode(prompt)] for prompt, _ in pairs]
    return log_likelihood(system.model, prompts, [tokenizer.encode(answer) for _, answer in pairs])


def of_choices(system: System, rows: Sequence[Row]) -> list[dict[str, float]]:
    """log P of each of a row's choices after its prompt: one dict per row."""
    scores = iter(log_p(system, [(row["prompt"], choice) for row in rows for choice in row["choices"]]))
    return [{choice: next(scores) for choice in row["choices"]} for row in rows]


def accuracy(system: System, rows: Sequence[Row]) -> float:
    """The share of rows whose answer is the most probable of their choices."""
    chosen = [max(log_ps, key=log_ps.get) for log_ps in of_choices(system, rows)]
    return metrics.accuracy(chosen, [row["answer"] for row in rows])


def nats(system: System, rows: Sequence[Row]) -> float:
    """The mean of −log P(answer | prompt)."""
    return -sum(log_p(system, [(row["prompt"], row["answer"]) for row in rows])) / len(rows)


def write(system: System, rows: Sequence[Row], max_new: int = 30) -> list[str]:
    """The greedy continuation of each prompt, up to the first full stop (not returned)."""
    tokenizer = system.objective.tokenizer
    stop = {tokenizer.eos_id, *tokenizer.encode("."), *tokenizer.encode("。")}
    prompts = [[tokenizer.bos_id, *tokenizer.encode(row["prompt"])] for row in rows]
    return [tokenizer.decode(ids) for ids in complete(system.model, prompts, max_new, top_k=1, stop=stop)]


def share_written(system: System, rows: Sequence[Row]) -> float:
    """The share of rows whose answer the model generates."""
    return metrics.accuracy(write(system, rows), [row["answer"].rstrip(".。") for row in rows])


def by_task(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The rows of each task."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["task"]].append(row)
    return dict(found)


class Kinds:
    """Whether a text is an answer of the right kind: an answer to such a prompt in the training set, or a choice."""

    def __init__(self, train: Iterable[Row]):
        self.known: dict[tuple[str, str], set[str]] = defaultdict(set)
        for row in train:
            self.known[row["task"], row["phrasing"]].add(row["answer"].rstrip(".。"))

    def fits(self, text: str, row: Row) -> bool:
        if row["task"] == "translation":  # any sentence in Chinese
            return bool(text) and all("一" <= letter <= "鿿" or letter in "，？" for letter in text)
        return text in self.known[row["task"], row["phrasing"]] or f"{text}." in row["choices"]


def answers(run: Run) -> dict[str, dict[str, float | None]]:
    """For each task of the test split, as shares of its rows (C15).

    kind: the model generates an answer of the right kind; written: it generates the correct answer; chosen: the correct
    answer is the most probable choice (None: there are no choices); majority: the most frequent answer of the training
    split is correct.
    """
    kinds, test = Kinds(run.splits["train"]), list(run.splits["test"])
    majority, found = prompting.majority(run.splits["train"], test), {}
    for task, rows in by_task(test).items():
        written = write(run, rows)
        right = [text == row["answer"].rstrip(".。") for text, row in zip(written, rows, strict=True)]
        fitting = [kinds.fits(text, row) for text, row in zip(written, rows, strict=True)]
        found[task] = {
            "kind": sum(fitting) / len(rows),
            "written": sum(right) / len(rows),
            "chosen": accuracy(run, rows) if rows[0]["choices"] else None,
            "majority": majority[task],
        }
    return found


def summary(found: Mapping[str, Mapping[str, float | None]]) -> dict[str, float]:
    """A summary of `answers` for C15: the share of answers of the right kind, over all tasks and in the worst task, and
    the gain of the correct answers (chosen, or written if there are no choices) over the majority baseline."""
    kinds = [row["kind"] for row in found.values()]
    gains = [(row["written"] if row["chosen"] is None else row["chosen"]) - row["majority"] for row in found.values()]
    return {"kind": sum(kinds) / len(kinds), "kind_lowest": min(kinds), "gain": sum(gains) / len(gains)}


def reading(run: Run) -> dict[str, tuple[float, float]]:
    """For each task, the nats of the correct answer after the prompt of another row and after its own prompt.

    The other prompt has the same phrasing and the same number of examples, so the difference is what the model uses of
    the row.
    """
    alike: dict[tuple, list[Row]] = defaultdict(list)
    for row in run.splits["test"]:
        alike[row["task"], row["phrasing"], row["shots"]].append(row)
    own, others = defaultdict(list), defaultdict(list)
    for (task, *_), rows in alike.items():
        own[task] += rows
        others[task] += [
            row | {"prompt": other["prompt"]} for other, row in zip(rows[1:] + rows[:1], rows, strict=True)
        ]
    return {task: (nats(run, others[task]), nats(run, own[task])) for task in own}


def told(run: System, n: int = 150) -> dict[str, dict[str, float]]:
    """New words whose meanings the prompt explains, and the same questions without the explanation.

    named: the total probability of all meanings in the prompt; right: the share of rows in which the correct one of
    them is the most probable; chance: the same share for random guessing among them.
    """
    held_out = [row for row, is_held in islice(new_words.examples(1), 10 * n) if is_held][:n]
    found = {}
    for name, rows in {"told": held_out, "not told": [row | {"are": ""} for row in held_out]}.items():
        prompts = [prompting.ask("new_word", row, "question") for row in rows]
        scores = of_choices(run, prompts)
        chosen = [max(log_ps, key=log_ps.get) for log_ps in scores]
        found[name] = {
            "named": sum(math.exp(value) for log_ps in scores for value in log_ps.values()) / len(rows),
            "right": metrics.accuracy(chosen, [row["answer"] for row in prompts]),
            "chance": sum(1 / len(row["choices"]) for row in prompts) / len(rows),
        }
    return found
