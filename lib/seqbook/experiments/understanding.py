"""Part 4, fine-tuning: the scores after one pretraining or another (C20, C22, C23), and what a network needs to find a
name."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pandas as pd

from seqbook import runs
from seqbook.experiments.trials import train, untrained
from seqbook.objectives.tagging import Tags
from seqbook.recipes import configure
from seqbook.runs import Run, published

Row = Mapping[str, Any]
MEASURES = {  # columns of the published rows: the score of each task, and the score of its baseline
    "sentiment": ("accuracy", "majority"),
    "entailment": ("accuracy", "majority"),
    "ner": ("f1", "by_word_f1"),
    "qa": ("exact_match", "baseline_exact_match"),
}
CLAUSE_STARTS = frozenset({".", ",", "but", "so", "After", "When"})


def fine_tuned(
    *,
    seed: int,
    recipe: str,
    labels: int,
    pretraining: Mapping[str, Any] = MappingProxyType({}),
    base: str | None = None,
    change: str = "",
    **settings: Any,
) -> dict[str, Any]:
    """Scores of a fine-tuning recipe after a pretraining with the same seed.

    labels: how many labelled examples there are; pretraining: settings of the pretraining that are changed; base: the
    recipe that is pretrained (None: the one that the recipe starts from); change: the name of this pretraining in the
    published row; settings: of the fine-tuning.
    """
    changed = configure(recipe, size=labels, **settings)
    pretrained = runs.run(base or changed.base, seed=seed, **pretraining)
    run = untrained(changed, seed)
    run.model.load_pretrained(pretrained.model)
    run = train(run, changed, seed)
    return run.result | run.objective.scores(run.model, run.splits) | {"pretraining_loss": pretrained.result["loss"]}


# ---- Published scores


def case_of(row: Row) -> str:
    """The task of a row and its number of labels: "ner, 1,000"."""
    return f"{_task(row)}, {row['labels']:,}"


def family(row: Row) -> str:
    return row["recipe"].partition("-")[0].upper()


def score(row: Row) -> float:
    """The score by which the row's task is measured (%)."""
    return 100 * row[MEASURES[_task(row)][0]]


def baseline(row: Row) -> float:
    """The same score without a network (%): of the most frequent class, the most frequent tag of each word, or the most
    frequent answer to such a question."""
    return 100 * row[MEASURES[_task(row)][1]]


def table(rows: Sequence[Row], system: Callable[[Row], str]) -> pd.DataFrame:
    """The scores of each case, with a column for each system and one for the baseline: mean (lowest–highest). Without
    published rows, as in Colab, it says where they are."""
    if not rows:
        return published.table("understanding", "recipe")
    told = [{"task": case_of(row), system(row): score(row), "baseline": baseline(row)} for row in rows]
    columns = [*dict.fromkeys(map(system, rows)), "baseline"]
    return published.summary(told, "task", {name: (name, "{:.1f}") for name in columns})


def spreads(rows: Sequence[Row], system: Callable[[Row], str]) -> pd.DataFrame:
    """Mean, lowest and highest score (%) over the seeds, for each system and case."""
    told = [{"system": system(row), "case": case_of(row), "score": score(row)} for row in rows]
    return published.spread(told, ["system", "case"], "score")


def higher_in_all_seeds(found: pd.DataFrame, first: str, second: str) -> dict[str, str]:
    """{case: the system whose lowest score is above the highest one of the other, or "neither"}, for the cases of
    `spreads` that both systems have."""
    one, other = found.loc[first], found.loc[second]
    named = {}
    for case in one.index.intersection(other.index, sort=False):
        first_is, second_is = (
            above.lowest[case] > below.highest[case] for above, below in ((one, other), (other, one))
        )
        named[case] = first if first_is else second if second_is else "neither"
    return named


def _task(row: Row) -> str:
    return row["recipe"].partition("-")[2]


# ---- What a network needs to find a name


def first_words(tags: Tags) -> list[tuple[int, int]]:
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
    names = first_words(tags)
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
