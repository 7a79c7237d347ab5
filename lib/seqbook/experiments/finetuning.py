"""Part 3, fine-tuning: the gain from pretraining and from the auxiliary loss, and the effect of typed special tokens
and of the order of two texts. Baselines answer without a network.

All functions read a trained run (`runs.run`), the rows of a published sweep, or labelled examples.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F

from seqbook import metrics
from seqbook.data.loader import batches
from seqbook.data.tokenizer import Tokenizer
from seqbook.nn.mode import evaluating
from seqbook.objectives.batch import IGNORED
from seqbook.objectives.classification import Classification, Entailment
from seqbook.objectives.layouts import EXTRACT
from seqbook.runs import Run, published

Row = Mapping[str, Any]  # of a task's corpus, or of a published sweep
BATCH_SIZE = 64

# ---- Labels and steps (C11, C12)


def learning_curve(run: Run) -> dict[str, Any]:
    """The measurements in a published row of fine-tuning: the accuracy at each evaluation, and the number of labels
    seen.

    val_accuracies: on the validation split, at each evaluation; kept_val_accuracy: at the step whose weights are kept;
    best_val_accuracy: the highest of all, which early stopping on the loss need not find. examples_seen: up
    to the kept step, with repetitions; labels_seen: the number of different examples among them.
    """
    training = run.result["config"]["training"]
    evaluated = [row for row in run.history if "val_loss" in row]
    plan = batches(run.examples("train"), run.objective.lengths, training["batch_size"], run.result["seed"])
    seen = [i for step in range(run.result["kept_step"]) for i in plan.batch(step)]
    return {
        "val_accuracies": [row["val_accuracy"] for row in evaluated],
        "kept_val_accuracy": next(r["val_accuracy"] for r in evaluated if r["step"] == run.result["kept_step"]),
        "best_val_accuracy": max(row["val_accuracy"] for row in evaluated),
        "examples_seen": len(seen),
        "labels_seen": len(set(seen)),
    }


def steps_to(row: Row, accuracy: float) -> int | None:
    """The step of the first evaluation with at least this accuracy on the validation split; None if there is none.

    row: from a published sweep whose rows contain `learning_curve`.
    """
    curve = zip(row["evaluated_at"], row["val_accuracies"], strict=True)
    return next((step for step, found in curve if found >= accuracy), None)


def convergence(rows: Sequence[Row], goals: Mapping[str, float]) -> pd.DataFrame:
    """`steps_to` for each task, number of labels and start: the steps of all seeds, in the order of the seeds.

    goals: the accuracy of each recipe, {"gpt-entailment": 0.5}; other recipes are left out. "–": a seed that never
    reaches it.
    """
    steps: dict[tuple[str, str], dict[str, list[str]]] = {}
    for row in sorted(rows, key=lambda row: row["seed"]):
        if row["recipe"] in goals:
            step = steps_to(row, goals[row["recipe"]])
            by_start = steps.setdefault(_case(row, "labels"), {})
            by_start.setdefault(row["start"], []).append("–" if step is None else str(step))
    return _frame(
        {case: {start: ", ".join(all_) for start, all_ in of.items()} for case, of in steps.items()}, "labels"
    )


def by_start(rows: Sequence[Row], measure: str = "accuracy", form: str = "{:.1%}", by: str = "labels") -> pd.DataFrame:
    """A measure for each task and each value of the column `by`, with one column per start: mean (lowest–highest)."""
    starts = list(dict.fromkeys(row["start"] for row in rows))
    if not starts:
        return _frame({}, by)
    named = [dict(zip(("task", by), _case(row, by), strict=True)) | {row["start"]: row[measure]} for row in rows]
    return published.summary(named, ["task", by], {start: (start, form) for start in starts})


def gains(rows: Sequence[Row], measure: str = "accuracy") -> dict[tuple[str, str], float]:
    """The mean over the seeds after pretraining minus the mean from scratch, for each task and number of labels."""
    found: dict[tuple[str, str], dict[str, list[float]]] = {}
    for row in rows:
        found.setdefault(_case(row, "labels"), {}).setdefault(row["start"], []).append(row[measure])
    means = {case: {start: sum(of) / len(of) for start, of in starts.items()} for case, starts in found.items()}
    return {case: of["pretrained"] - of["from scratch"] for case, of in means.items()}


def lines(rows: Sequence[Row], recipe: str, measure: str = "accuracy") -> tuple[dict[str, Any], dict[str, Any]]:
    """A line against the number of labels for each start, {start: (labels, means)}, and its spread over the seeds,
    {start: (lowest, highest)}, as `viz.curves` takes them."""
    chosen, means, spreads = [row for row in rows if row["recipe"] == recipe], {}, {}
    if chosen:
        table = published.spread(chosen, ("start", "labels"), measure)
        for start in dict.fromkeys(row["start"] for row in chosen):
            part = table.loc[start].sort_index()
            means[start] = part.index.tolist(), part["mean"].tolist()
            spreads[start] = part["lowest"].tolist(), part["highest"].tolist()
    return means, spreads


def _case(row: Row, by: str) -> tuple[str, str]:
    """The task and the value of a column, as a table shows them."""
    value = row[by]
    return row["recipe"].removeprefix("gpt-"), f"{value:,}" if isinstance(value, int) else str(value)


def _frame(table: Mapping[tuple[str, str], Any], by: str) -> pd.DataFrame:
    if not table:  # in Colab, where the page must still run to its end
        return pd.DataFrame({"published": "in the repository and on its site"}, index=["fine-tuning"])
    frame = pd.DataFrame(list(table.values()), index=pd.MultiIndex.from_tuples(table, names=["task", by]))
    return frame.fillna("")


@torch.no_grad()
def next_token_loss(run: Run, split: str = "test") -> float:
    """The loss (nats per token) of the fine-tuned network as a language model, on the sequences of its task."""
    examples, device = run.examples(split), next(run.model.parameters()).device
    nll, n_tokens = 0.0, 0
    with evaluating(run.model):
        for start in range(0, len(examples), BATCH_SIZE):
            batch = run.objective.collate(examples[start : start + BATCH_SIZE]).to(device)
            logits, labels = run.model(*batch.inputs).lm.float().flatten(0, -2), batch.labels.lm.flatten()
            nll += F.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum").item()
            n_tokens += batch.n_tokens
    return nll / n_tokens


# ---- The order of two texts (C13)


def flips(run: Run) -> float:
    """The share of the answers on the test split that change when the two texts are exchanged."""
    test, (one, two) = run.splits["test"], run.objective.reads
    columns = run.objective.config.reads()  # {role: column of the corpus}
    exchanged = {one: test[columns[two]][:], two: test[columns[one]][:], "label": test["label"][:]}
    orders = run.examples("test"), run.objective.encode(**exchanged)
    answers, others = (metrics.predicted_classes(run.model, run.objective, examples) for examples in orders)
    return 1 - metrics.accuracy(answers, others)


# ---- Special tokens that somebody typed (C14)


def naive(tokenizer: Tokenizer) -> Tokenizer:
    """The same vocabulary, but a special token that is typed in a text becomes this special token."""
    copy = Tokenizer(tokenizer.with_special("<unused>").backend)
    copy.backend.encode_special_tokens = False
    return copy


@torch.no_grad()
def class_after_typing(run: Run, typed: str, wanted: str) -> pd.DataFrame:
    """The share of the test texts that are classified as `wanted` if each of them begins with the text `typed`.

    Rows: our tokenizer, which splits a typed special token like any other text, and a naive one, which turns it into
    the special token. Columns: whether the code around the network counts the tokens to find the position that the head
    reads, or searches for the first extract token in the sequence.
    """
    test, objective, device = run.splits["test"], run.objective, next(run.model.parameters()).device
    extract, number, found = objective.tokenizer.special_id(EXTRACT), objective.classes.index(wanted), {}
    texts = [f"{typed} {text}" for text in test[objective.config.reads()["text"]]]
    for name, tokenizer in {"ours": objective.tokenizer, "naive": naive(objective.tokenizer)}.items():
        reader = Classification(tokenizer, objective.config, max_len=objective.max_len)
        examples, answers = reader.encode(text=texts, label=test["label"][:]), {"counted": [], "looked for": []}
        with evaluating(run.model):
            for start in range(0, len(examples), BATCH_SIZE):
                ids, counted = reader.collate(examples[start : start + BATCH_SIZE]).to(device).inputs
                for how, ends in {"counted": counted, "looked for": (ids == extract).int().argmax(-1)}.items():
                    answers[how] += run.model(ids, ends).task.argmax(-1).tolist()
        found[name] = {how: classes.count(number) / len(classes) for how, classes in answers.items()}
    return pd.DataFrame.from_dict(found, orient="index")


def answers_changed_by(run: Run, words: Mapping[str, tuple[str, bool]]) -> pd.Series:
    """The share of the entailment answers on the test split that change when a word is inserted into each premise.

    words: {label: (word, whether a naive tokenizer reads it)}; the word is inserted in the middle of the premise.
    """
    test, objective = run.splits["test"], run.objective
    columns = objective.config.reads()
    premises, hypotheses = (test[columns[role]][:] for role in objective.reads)
    plain, changed = metrics.predicted_classes(run.model, objective, run.examples("test")), {}
    for label, (word, is_naive) in words.items():
        tokenizer = naive(objective.tokenizer) if is_naive else objective.tokenizer
        reader = Entailment(tokenizer, objective.config, max_len=objective.max_len)
        typed = [_typed_into(premise, word) for premise in premises]
        examples = reader.encode(premise=typed, hypothesis=hypotheses, label=test["label"][:])
        changed[label] = 1 - metrics.accuracy(plain, metrics.predicted_classes(run.model, reader, examples))
    return pd.Series(changed, name="answers that change")


def _typed_into(text: str, word: str) -> str:
    words = text.split()
    return " ".join([*words[: len(words) // 2], word, *words[len(words) // 2 :]])


# ---- Answers without a network


class ByWords:
    """Counts words and knows nothing of their order: the class in whose training texts the words of a text are most
    frequent.

    The score of a class is Σ log P(word is in a text | class) over the different words of the text. This is naive
    Bayes for classes that are about equally frequent, with one text added to the counts of each word.
    """

    def __init__(self, rows: Iterable[Row]):
        self.texts, self.words = Counter(), Counter()
        for row in rows:
            self.texts[row["label"]] += 1
            self.words.update((row["label"], word) for word in self._words(row["text"]))

    def __call__(self, row: Row) -> str:
        """A label."""
        return max(self.texts, key=lambda label: self._score(label, self._words(row["text"])))

    def _score(self, label: str, words: Iterable[str]) -> float:
        return sum(math.log((self.words[label, word] + 1) / (self.texts[label] + 2)) for word in words)

    def _words(self, text: str) -> set[str]:
        return set(re.findall(r"\w+", text.lower()))


def by_one_sentence(row: Row) -> int:
    """The ending that a simple rule chooses after reading one sentence of the story.

    An ending says where a thing or a person was. The rule takes the last sentence that names the thing or person together
    with one of the four places (or owners), and answers with the last of these places in it.
    """
    starts, ends = zip(*(choice.rstrip(".").split(" was ") for choice in row["choices"]), strict=True)
    asked, places = starts[0].split()[-1], [end.split(" ", 1)[1] for end in ends]  # without the preposition
    for sentence in reversed(row["context"].split(". ")):
        if asked in re.findall(r"\w+", sentence) and any(place in sentence for place in places):
            return max(range(len(places)), key=lambda i: sentence.rfind(places[i]))
    return 0


class ByEndings:
    """Answers without the story: it chooses the ending whose words occur most often in correct endings of the training
    set.

    The score of an ending is Σ log (P(right | word) / P(right)) over its words after "was". This is naive Bayes, with
    one correct and three wrong endings added to the counts of each word, so that a new word does not change the score.
    """

    def __init__(self, rows: Iterable[Row]):
        self.right, self.all = Counter(), Counter()
        for row in rows:
            for i, choice in enumerate(row["choices"]):
                words = self._words(choice)
                self.all.update(words)
                self.right.update(words if i == row["label"] else ())

    def __call__(self, row: Row) -> int:
        """The number of an ending."""
        return max(range(len(row["choices"])), key=lambda i: self._score(row["choices"][i]))

    def _score(self, choice: str) -> float:
        return sum(math.log(4 * (self.right[word] + 1) / (self.all[word] + 4)) for word in self._words(choice))

    def _words(self, choice: str) -> list[str]:
        return choice.rstrip(".").partition(" was ")[2].split()


def share_right(rows: Sequence[Row], answer: Callable[[Row], int]) -> float:
    """The share of rows for which `answer` is the label."""
    return sum(answer(row) == row["label"] for row in rows) / len(rows)


def held_by_somebody(rows: Sequence[Row]) -> dict[str, float]:
    """The share of endings in which somebody has the thing, among all endings and among the correct ones."""
    held = [[" was with " in choice for choice in row["choices"]] for row in rows]
    right = [flags[row["label"]] for flags, row in zip(held, rows, strict=True)]
    return {"all": sum(map(sum, held)) / sum(map(len, held)), "right": sum(right) / len(right)}
