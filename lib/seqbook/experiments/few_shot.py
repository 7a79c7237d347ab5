"""Part 3, few-shot: the effect of examples in the prompt, and texts in which only the examples determine the answer."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice, product
from typing import Any

import torch
from datasets import Dataset

import microworld
from microworld.tasks import prompting
from microworld.tasks.prompting import new_words
from microworld.tasks.prompting.wording import LABELS
from seqbook.experiments.prompting import Row, accuracy, answers, nats, reading, share_written, summary, told
from seqbook.experiments.trials import folder_of
from seqbook.objectives.causal import CausalConfig
from seqbook.recipes import RECIPES
from seqbook.recipes.schema import fill
from seqbook.runs import Run, System, device
from seqbook.training import fit

JUDGED = ("sentiment", "entailment", "similarity")  # tasks whose answer is one of a few words
TASKS = (*JUDGED, "translation", "new_word")  # tasks of which several rows fit in a prompt
MOST_SHOTS = 3
KNOWN = ("arrow", "question")  # phrasings that occur in training, for every task
BARE = {  # prompts that say nothing about the task's labels
    "sentiment": "Text: {text} Answer:",
    "entailment": "First: {premise} Second: {hypothesis} Answer:",
    "similarity": "First: {first} Second: {second} Answer:",
}
PER_LABEL = {"sentiment": (0, 1, 2), "entailment": (0, 1), "similarity": (0, 1, 2)}  # examples of each label
LABEL_WORDS, NEW_LABEL_WORDS = new_words.NOUNS[:45], new_words.NOUNS[45:]  # of training, and of the test


def task_rows(task: str, split: str = "test", size: int = 1) -> list[dict]:
    """Rows of a task that are short enough for four of them to fit in a prompt; the test rows do not occur in training.

    The rows of "new_word" ask for a pair of a word and a meaning that does not occur in training.
    """
    if task == "new_word":
        return [row for row, held_out in islice(new_words.examples(1), 4_000) if held_out]
    return [row for row in microworld.load(task, size=size)[split] if is_short(row)]


def is_short(row: Row) -> bool:
    """Whether a prompt has room for the row and three more like it."""
    return sum(prompting.length(row[column]) for column in prompting.OWN if column in row) <= prompting.SHORT


def with_wrong_answers(task: str, rows: Sequence[dict]) -> list[dict]:
    """The rows with answers that are wrong but of the right kind: another label, the translation of another row, or the
    meaning of another word that the row defines."""
    if task == "new_word":
        return [row | {"right": (row["right"] + 1) % len(row["candidates"])} for row in rows]
    if task == "translation":
        return [row | {"zh": other["zh"]} for row, other in zip(rows, [*rows[1:], *rows[:1]], strict=True)]
    labels = sorted({row["label"] for row in rows})
    return [row | {"label": labels[labels.index(row["label"]) - 1]} for row in rows]


def asked(
    task: str, rows: Sequence[dict], phrasing: str, shots: int, *, wrong: bool = False, n: int = 60
) -> list[dict]:
    """Prompts for the first n rows, each with `shots` other rows as examples, which have wrong answers if `wrong`."""
    pool = with_wrong_answers(task, rows[n:]) if wrong else rows[n:]
    found = []
    for i, row in enumerate(rows[:n]):
        examples: list[dict] = []
        for candidate in (pool[(MOST_SHOTS * i + k) % len(pool)] for k in range(len(pool))):
            if len(examples) == shots:
                break
            taken = {word for other in (row, *examples) for word in other.get("invented", ())}
            if taken.isdisjoint(candidate.get("invented", ())):
                examples.append(candidate)
        found.append(prompting.ask(task, row, phrasing, examples))
    return found


def few_shot(
    system: System, tasks: Iterable[str] = TASKS, words: Iterable[str] = ("known", "new"), n: int = 60
) -> list[dict[str, Any]]:
    """Scores with zero to three examples, for two phrasings from training and two new ones: one dict per case.

    All cases of a task ask the same `n` rows in both phrasings. The scores are those of `answered`.
    """
    found = []
    for task, kind in product(tasks, words):
        rows = task_rows(task)
        for shots, wrong in product(range(MOST_SHOTS + 1), (False, True)):
            if wrong and not shots:  # no example has an answer to exchange
                continue
            phrasings = KNOWN if kind == "known" else prompting.NEW[task]
            prompts = [row for name in phrasings for row in asked(task, rows, name, shots, wrong=wrong, n=n)]
            case = {"task": task, "words": kind, "shots": shots, "labels": "wrong" if wrong else "right"}
            found.append(case | answered(system, prompts))
    return found


def answered(system: System, prompts: Sequence[Row]) -> dict[str, float | None]:
    """nats: of the correct answer; chosen: the share of rows in which it is the most probable choice (None: there are
    no choices); written: the share of rows in which the model generates it; n: the number of rows."""
    return {
        "nats": nats(system, prompts),
        "chosen": accuracy(system, prompts) if prompts[0]["choices"] else None,
        "written": share_written(system, prompts),
        "n": len(prompts),
    }


def measured(run: Run, n: int = 60) -> dict[str, Any]:
    """The measurements in a published row of the recipe gpt-prompting: C15, `reading`, new words, few-shot."""
    found = answers(run)
    read = {"answers": found, "reading": reading(run), "new_words": told(run)}
    return summary(found) | read | {"few_shot": few_shot(run, n=n), "drawn_labels": drawn_labels(run)}


def with_drawn_labels(
    task: str, rows: Sequence[dict], words: Sequence[str], rng: random.Random, per_label: int, *, wrong: bool = False
) -> dict:
    """A row whose labels are random words without a fixed meaning, so that only the examples show which label is which.

    There are `per_label` examples of each label, so guessing the most frequent answer or the last one does not help. If
    `wrong`, each label in the examples is replaced by the next label.
    """
    labels = LABELS[task]
    names = rng.sample(words, len(labels))
    said = dict(zip(labels, names[1:] + names[:1] if wrong else names, strict=True))
    missing = dict.fromkeys(labels, per_label)
    asked_for, last, examples = rng.choice(labels), None, []
    while last is None or any(missing.values()):
        row = rng.choice(rows)
        if missing[row["label"]] and row is not last and row not in examples:
            missing[row["label"]] -= 1
            examples.append(row)
        elif last is None and row["label"] == asked_for and row not in examples:
            last = row
    rng.shuffle(examples)
    parts = [f"{BARE[task].format(**row)} {said[row['label']]}." for row in examples]
    prompt, answer = " ".join([*parts, BARE[task].format(**last)]), f"{names[labels.index(asked_for)]}."
    row = {"text": f"{prompt} {answer}", "prompt": prompt, "answer": answer, "choices": [f"{name}." for name in names]}
    return row | {"task": task, "phrasing": "drawn labels", "shots": len(examples)}


def drawn_labels(system: System, n: int = 200) -> list[dict[str, Any]]:
    """Scores if only the examples show what the labels are called, with correct and with exchanged labels.

    Neither the texts nor the label words occur in training. Without examples the correct answer cannot be known, and
    random guessing scores 1/2, or 1/3 in entailment. In entailment, prompts with more than one example per label would
    be longer than any text in training.
    """
    found = []
    for task in JUDGED:
        rows = task_rows(task)
        for per_label, wrong in product(PER_LABEL[task], (False, True)):
            if wrong and not per_label:
                continue
            rng = random.Random(f"{task} {per_label}")  # the same rows, with right labels and with wrong ones
            prompts = [with_drawn_labels(task, rows, NEW_LABEL_WORDS, rng, per_label, wrong=wrong) for _ in range(n)]
            case = {"task": task, "per_label": per_label, "labels": "wrong" if wrong else "right"}
            found.append(case | answered(system, prompts))
    return found


def texts_with_drawn_labels(n: int, seed: int, pool: int = 20_000) -> list[str]:
    """Training texts from `with_drawn_labels`."""
    rows = {task: task_rows(task, "train", pool) for task in JUDGED}
    rng, found = random.Random(f"drawn labels {seed}"), []
    while len(found) < n:
        task = JUDGED[len(found) % len(JUDGED)]
        text = with_drawn_labels(task, rows[task], LABEL_WORDS, rng, rng.choice(PER_LABEL[task][1:]))["text"]
        if prompting.length(text) <= prompting.LONGEST:
            found.append(text)
    return found


def trained_on_labels(
    *, seed: int, share: float, size: int, training: Mapping[str, Any], model: Mapping[str, Any], n: int = 150
) -> dict[str, Any]:
    """Train the recipe gpt-prompting on texts of which a `share` has labels that only the examples show.

    size: rows of training text in total; training, model: settings that differ from the recipe. Returns the sizes of
    the run, its last validation loss (on the texts of the recipe), `few_shot` and `drawn_labels`.
    """
    recipe = RECIPES["gpt-prompting"]
    corpus, n_drawn = microworld.load("prompting", size=size), round(share * size)
    texts = corpus["train"]["text"][: size - n_drawn] + texts_with_drawn_labels(n_drawn, seed)
    random.Random(seed).shuffle(texts)

    config = CausalConfig()
    objective = config.build(config.tokenizers({"text": texts}, {}), recipe.model.max_len)
    train, validation = (
        objective.examples(Dataset.from_dict(objective.tokenize(rows)))
        for rows in (texts, corpus["validation"]["text"][:])
    )
    torch.manual_seed(seed)
    gpt = fill(replace(recipe.model, **model), objective.sizes()).build()
    out = folder_of(__name__, seed, share, size, training, model)
    history = fit(gpt, objective, train, validation, replace(recipe.training, **training), seed=seed, out=out)
    system = System(gpt.to(device()).eval(), objective)
    return {
        "params": sum(p.numel() for p in gpt.parameters()),
        "tokens": sum(row["tokens"] for row in history),
        "seconds": sum(row["seconds"] for row in history),
        "val_loss": history[-1]["val_loss"],
        "few_shot": few_shot(system, n=n),
        "drawn_labels": drawn_labels(system),
    }
