"""Part 4, fine-tuning: BERT against GPT by task and number of labels, the head alone against the whole network, one
change of the pretraining at a time (C20, C22, C23), and what a network needs to find a name.

Most functions read the rows of the published sweeps "understanding", "frozen" and "pretrainings".
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from seqbook.objectives.tagging import Tags
from seqbook.runs import Run, published

Row = Mapping[str, Any]
MEASURES = {  # the column of the published rows by which each task is measured
    "sentiment": "accuracy",
    "entailment": "accuracy",
    "similarity": "accuracy",
    "ner": "f1",
    "qa": "exact_match",
}
FAMILIES = {"bert": "BERT", "gpt": "GPT"}

# ---- Published scores


def score(row: Row) -> float:
    """The score by which the row's task is measured, from 0 to 1."""
    return row[MEASURES[_task(row)]]


def case_of(row: Row) -> str:
    """The task of a row and its number of labels, as a table names them: "ner, 1,000"."""
    return f"{_task(row)}, {row['labels']:,}"


def family(row: Row) -> str:
    return FAMILIES[row["recipe"].partition("-")[0]]


def compare(rows: Sequence[Row], index: Callable[[Row], str], columns: Callable[[Row], str]) -> pd.DataFrame:
    """A table of the scores: mean over the seeds (lowest–highest). `index` and `columns` name the place of each row."""
    if not rows:  # in Colab, where the page must still run to its end
        return pd.DataFrame({"published": "in the repository and on its site"}, index=["fine-tuning"])
    told = [{"": index(row), columns(row): score(row)} for row in rows]
    return published.summary(told, "", {name: (name, "{:.1%}") for name in dict.fromkeys(map(columns, rows))})


def seeds(rows: Sequence[Row], system: Callable[[Row], str]) -> dict[str, dict[str, list[float]]]:
    """{case: {system: the scores of its seeds}}."""
    found: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        found.setdefault(case_of(row), {}).setdefault(system(row), []).append(score(row))
    return found


def gaps(by_case: Mapping[str, Mapping[str, Sequence[float]]], first: str, second: str) -> pd.DataFrame:
    """How much higher the mean of the first system is (points), and which one is higher in all seeds ("" if none), for
    each case of `seeds` that has both.

    Higher in all seeds: its lowest score is above the highest score of the other one.
    """
    found = {}
    for case, scores in by_case.items():
        if first in scores and second in scores:
            one, other = scores[first], scores[second]
            higher = first if min(one) > max(other) else second if min(other) > max(one) else ""
            found[case] = [100 * (sum(one) / len(one) - sum(other) / len(other)), higher]
    columns = [f"{first} − {second} (points)", "higher in all seeds"]
    return pd.DataFrame.from_dict(found, orient="index", columns=columns)


def bars(by_case: Mapping[str, Mapping[str, Sequence[float]]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Means and spreads of `seeds` in percent, as `viz.bars` takes them: {system: {case: …}}."""
    means: dict[str, dict[str, float]] = {}
    spreads: dict[str, dict[str, tuple[float, float]]] = {}
    for case, scores in by_case.items():
        for system, of in scores.items():
            means.setdefault(system, {})[case] = 100 * sum(of) / len(of)
            spreads.setdefault(system, {})[case] = 100 * min(of), 100 * max(of)
    return means, spreads


def _task(row: Row) -> str:
    return row["recipe"].partition("-")[2]


# ---- What a network needs to find a name


CLAUSE_STARTS = frozenset({".", ",", "but", "so", "After", "When"})


def first_words(tokens: Tags, tags: Tags) -> list[tuple[int, int]]:
    """(row, word) of the first word of each name."""
    return [(i, j) for i, row in enumerate(tags) for j, tag in enumerate(row) if tag.startswith("B-")]


def unknown_names(tokens: Tags, tags: Tags, word: str = "Xylo") -> list[list[str]]:
    """The rows with `word`, which no network knows, in place of the first word of each name."""
    return [
        [word if tag.startswith("B-") else token for token, tag in zip(*row, strict=True)]
        for row in zip(tokens, tags, strict=True)
    ]


def found_names(run: Run, tokens: Tags, tags: Tags, *, left_only: bool = False) -> dict[str, float]:
    """The share of names whose first word has the right tag, by where the name stands: at the beginning of a clause,
    where nothing in the sentence on its left tells what it is, or inside of one.

    left_only: each name is tagged in the row that ends with it, so that no network reads what follows.
    """
    names = first_words(tokens, tags)
    if left_only:
        cut = run.objective.predict(run.model, [list(tokens[i][: j + 1]) for i, j in names])
        right = [of[-1] == tags[i][j] for of, (i, j) in zip(cut, names, strict=True)]
    else:
        whole = run.objective.predict(run.model, tokens)
        right = [whole[i][j] == tags[i][j] for i, j in names]
    by_place: dict[str, list[bool]] = {"begins a clause": [], "inside a clause": []}
    for (i, j), is_right in zip(names, right, strict=True):
        begins = j == 0 or tokens[i][j - 1] in CLAUSE_STARTS
        by_place["begins a clause" if begins else "inside a clause"].append(is_right)
    return {place: sum(of) / len(of) for place, of in by_place.items() if of}
