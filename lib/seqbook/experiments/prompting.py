"""Part 3, prompting: what a language model answers when a task is put to it in words, and what it takes from its prompt."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice, product
from typing import Any

import microworld
from microworld.tasks import prompting
from microworld.tasks.prompting import new_words
from seqbook import metrics
from seqbook.generation.decoding import complete
from seqbook.generation.likelihood import log_likelihood
from seqbook.runs import Run, System

Row = Mapping[str, Any]  # as microworld's task "prompting" has it: prompt, answer, choices, task, phrasing, shots
JUDGED = ("sentiment", "entailment", "similarity")  # tasks whose answer is one of a few words
IN_PROMPT = ("multiple_choice", "qa", "new_word")  # tasks whose answer stands in the prompt
FEW = (*JUDGED, "translation", "new_word")  # tasks of which several rows fit in a prompt
MOST_SHOTS = 3
KNOWN = ("arrow", "question")  # phrasings that training has, for every task


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
    """What the model writes after each prompt, greedily, up to the first full stop (left out)."""
    tokenizer = system.objective.tokenizer
    stop = {tokenizer.eos_id, *tokenizer.encode("."), *tokenizer.encode("。")}
    prompts = [[tokenizer.bos_id, *tokenizer.encode(row["prompt"])] for row in rows]
    return [tokenizer.decode(ids) for ids in complete(system.model, prompts, max_new, top_k=1, stop=stop)]


def share_written(system: System, rows: Sequence[Row]) -> float:
    """The share of rows whose answer is what the model writes."""
    return metrics.accuracy(write(system, rows), [row["answer"].rstrip(".。") for row in rows])


def by_task(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The rows of each task."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["task"]].append(row)
    return dict(found)


class Kinds:
    """Whether a text is an answer of the right kind: one that the training text gives to such a prompt, or a choice."""

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

    kind: what the model writes is an answer of the right kind; written: it is the right answer; chosen: the right answer is
    the most probable choice (None: there are no choices); majority: the most frequent answer of the training split is right.
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
    """What C15 quotes of `answers`: the share of answers of the right kind, over all tasks and in the worst of them, and by
    how much the right answers (chosen, or written where there are no choices) are more than those of the majority."""
    kinds = [row["kind"] for row in found.values()]
    gains = [(row["written"] if row["chosen"] is None else row["chosen"]) - row["majority"] for row in found.values()]
    return {"kind": sum(kinds) / len(kinds), "kind_lowest": min(kinds), "gain": sum(gains) / len(gains)}


def reading(run: Run) -> dict[str, tuple[float, float]]:
    """For each task, the nats of the right answer after another row's prompt and after its own.

    The other prompt is put in the same words with as many examples, so the difference is what the model takes from the row.
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


def task_rows(task: str) -> list[dict]:
    """Rows of a task that no training saw, short enough that four of them fit in a prompt.

    Those of "new_word" ask for a word and a meaning that no training row has together.
    """
    if task == "new_word":
        return [row for row, held_out in islice(new_words.examples(1), 4_000) if held_out]
    return [row for row in microworld.load(task, size=1)["test"] if is_short(row)]


def is_short(row: Row) -> bool:
    """Whether a prompt has room for the row and three more like it."""
    return sum(prompting.length(row[column]) for column in prompting.OWN if column in row) <= prompting.SHORT


def with_wrong_answers(task: str, rows: Sequence[dict]) -> list[dict]:
    """The rows with answers that are wrong, but of the right kind: another label, another row's translation, or the meaning
    of another of the words that the row defines."""
    if task == "new_word":
        return [row | {"right": (row["right"] + 1) % len(row["candidates"])} for row in rows]
    if task == "translation":
        return [row | {"zh": other["zh"]} for row, other in zip(rows, [*rows[1:], *rows[:1]], strict=True)]
    labels = sorted({row["label"] for row in rows})
    return [row | {"label": labels[labels.index(row["label"]) - 1]} for row in rows]


def asked(
    task: str, rows: Sequence[dict], phrasing: str, shots: int, *, wrong: bool = False, n: int = 60
) -> list[dict]:
    """The first n rows in words, each after `shots` of the others as examples, which have wrong answers if `wrong`."""
    pool = with_wrong_answers(task, rows[n:]) if wrong else rows[n:]
    found = []
    for i, row in enumerate(rows[:n]):
        examples: list[dict] = []
        for candidate in (pool[(MOST_SHOTS * i + k) % len(pool)] for k in range(len(pool))):
            if len(examples) == shots:
                break
            told = {word for other in (row, *examples) for word in other.get("invented", ())}
            if told.isdisjoint(candidate.get("invented", ())):
                examples.append(candidate)
        found.append(prompting.ask(task, row, phrasing, examples))
    return found


def few_shot(
    run: Run, tasks: Iterable[str] = FEW, words: Iterable[str] = ("known", "new"), n: int = 60
) -> list[dict[str, Any]]:
    """Answers after zero to three examples, in two phrasings that training has and in two new ones: one dict per case.

    nats: of the right answer; chosen: as in `answers`; written: the share of rows in which the model writes the answer.
    All cases of a task ask the same `n` rows in both phrasings.
    """
    found = []
    for task, kind in product(tasks, words):
        rows = task_rows(task)
        for shots, wrong in product(range(MOST_SHOTS + 1), (False, True)):
            if wrong and not shots:  # there is no label to exchange
                continue
            phrasings = KNOWN if kind == "known" else prompting.NEW[task]
            prompts = [row for name in phrasings for row in asked(task, rows, name, shots, wrong=wrong, n=n)]
            case = {"task": task, "words": kind, "shots": shots, "labels": "wrong" if wrong else "right"}
            scores = {"nats": nats(run, prompts), "chosen": None, "written": share_written(run, prompts)}
            if prompts[0]["choices"]:
                scores["chosen"] = accuracy(run, prompts)
            found.append(case | scores | {"n": len(prompts)})
    return found


def told(run: System, n: int = 150) -> dict[str, dict[str, float]]:
    """New words whose meanings the prompt tells, and the same questions without them.

    named: the probability of all meanings that the prompt names together; right: the share of rows in which the right one
    of them is the most probable; chance: that of a random choice among them.
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


def measured(run: Run, n: int = 60) -> dict[str, Any]:
    """What a published row keeps of a run of the recipe gpt-prompting: C15, what it reads, few-shot, new words."""
    found = answers(run)
    rest = {"answers": found, "reading": reading(run), "few_shot": few_shot(run, n=n), "new_words": told(run)}
    return summary(found) | rest
