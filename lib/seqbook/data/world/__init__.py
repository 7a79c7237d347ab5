"""The micro-world: a small town whose events are written down as texts, each with its truth.

`load(task)` returns a `datasets.DatasetDict`. The tasks and their columns:
- translation: en, zh, alignment (pairs of an English token and a Chinese character)
- stories: text, facts (one a clause: sentence, deed, who, what, whom, where, when), pronouns (start, text, refers_to)
- sentiment: text, label ("positive" or "negative")
- entailment: premise, hypothesis, label ("entailment", "neutral" or "contradiction")
- similarity: first, second, label ("paraphrase" or "different")
- multiple_choice: context, choices (four), label (the number of the right one, from 0)
- ner: tokens, tags ("B-PER", "I-LOC", "O", …)
- qa: context, question, answer, start (where the answer stands in the context, in characters)
- texts: text, a story or a single sentence of another task without its label
- prompting: text (prompt, space, answer), prompt, answer, choices (none where the answer is free), task, phrasing, shots
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from datasets import Dataset, DatasetDict, load_from_disk

from seqbook import home
from seqbook.data.world import (
    entailment,
    multiple_choice,
    ner,
    prompting,
    qa,
    sentiment,
    similarity,
    stories,
    texts,
    translation,
)

EXAMPLES: dict[str, Callable[[int], Iterator[tuple[dict, bool]]]] = {
    "translation": translation.examples,
    "stories": stories.examples,
    "sentiment": sentiment.examples,
    "entailment": entailment.examples,
    "similarity": similarity.examples,
    "multiple_choice": multiple_choice.examples,
    "ner": ner.examples,
    "qa": qa.examples,
}
MIXED = {"texts": texts.splits, "prompting": prompting.splits}
TASKS = (*EXAMPLES, *MIXED)
HELD_OUT_SIZE = 1_000


def load(task: str, *, size: int = 20_000, seed: int = 0) -> DatasetDict:
    """The splits of a task: train (`size` rows), validation, test and compositional (1,000 rows each).

    No text is in two splits. Each row of the compositional split combines known words in a way that the other splits never
    do. Built in seconds, then kept on disk until this package changes. `prompting` has one more split, new_phrasing: the
    test split in phrasings that the others don't use.

    Raises:
        ValueError: there is no such task, or `size` is less than 1.
    """
    if task not in TASKS:
        raise ValueError(f"unknown task {task!r}; choose one of {', '.join(TASKS)}")
    if size < 1:
        raise ValueError(f"size is {size}; a training split needs at least 1 row")
    key = home.fingerprint(home.source_fingerprint(Path(__file__).parent), size, seed)

    def build(folder: Path) -> None:
        mixed = task in MIXED
        rows = MIXED[task](seed, size, HELD_OUT_SIZE) if mixed else splits(EXAMPLES[task](seed), size)
        DatasetDict({name: Dataset.from_list(rows[name]) for name in rows}).save_to_disk(str(folder))

    return load_from_disk(str(home.build_once(home.home() / "world" / f"{task}-{key}", build)))


def splits(examples: Iterator[tuple[dict, bool]], size: int) -> dict[str, list[dict]]:
    """Deal out examples: the compositional ones to their split, the rest to test, validation and then train."""
    rows = {"train": [], "validation": [], "test": [], "compositional": []}
    sizes = {"test": HELD_OUT_SIZE, "validation": HELD_OUT_SIZE, "train": size}
    for row, compositional in examples:
        name = "compositional" if compositional else next((n for n in sizes if len(rows[n]) < sizes[n]), "train")
        if len(rows[name]) < sizes.get(name, HELD_OUT_SIZE):
            rows[name].append(row)
        if all(len(rows[n]) >= sizes.get(n, HELD_OUT_SIZE) for n in rows):
            return rows
    raise RuntimeError("the generator ended before the splits were full")
