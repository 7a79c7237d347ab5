"""Plain text to pretrain on: stories, and single sentences of other tasks without their labels."""

from random import Random

from seqbook.data.world import entailment, sentiment, similarity, stories
from seqbook.data.world.prompting import Pool

COLUMNS = {
    "sentiment": (sentiment.examples, ("text",)),
    "entailment": (entailment.examples, ("premise", "hypothesis")),
    "similarity": (similarity.examples, ("first", "second")),
}


def splits(seed: int, size: int, held: int) -> dict[str, list[dict]]:
    """{split: rows of {"text"}}: half of them stories. A text for training stands in the training split of its task."""
    tasks = tuple(COLUMNS)
    pools = {task: Pool(examples(seed), held) for task, (examples, _) in COLUMNS.items()}
    tales = Pool(stories.examples(seed), held)
    rows: dict[str, list[dict]] = {}
    seen: set[str] = set()
    for split in ("test", "validation", "train", "compositional"):
        rng, rows[split] = Random(f"{seed} {split}"), []
        while len(rows[split]) < (size if split == "train" else held):
            i = len(rows[split])
            if i % 2 == 0:
                text = tales.take(split)["text"]
            else:
                task = tasks[i // 2 % len(tasks)]
                text = pools[task].take(split)[rng.choice(COLUMNS[task][1])]
            if text not in seen:
                rows[split].append({"text": text})
            seen.add(text)
        rng.shuffle(rows[split])
    return rows
