"""Text for pretraining: stories, and single sentences of other tasks without their labels."""

from microworld.draw.dice import Dice
from microworld.tasks import entailment, sentiment, similarity, stories
from microworld.tasks.dealing import Dealer

# The tasks with single sentences, and the columns that contain them.
COLUMNS = {
    "sentiment": (sentiment.examples, ("text",)),
    "entailment": (entailment.examples, ("premise", "hypothesis")),
    "similarity": (similarity.examples, ("first", "second")),
}


def splits(seed: int, sizes: dict[str, int]) -> dict[str, list[dict]]:
    """The rows {"text"} of each split. Half are stories; each text comes from the same split of its own task."""
    tasks = tuple(COLUMNS)
    dealers = {task: Dealer(examples(seed), sizes) for task, (examples, _) in COLUMNS.items()}
    tales = Dealer(stories.plain(seed), sizes)
    rows: dict[str, list[dict]] = {}
    seen: set[str] = set()
    for split in ("test", "validation", "train", "compositional"):
        rng, rows[split] = Dice(f"{seed} {split}"), []
        while len(rows[split]) < sizes[split]:
            i = len(rows[split])
            if i % 2 == 0:
                text = tales.take(split)["text"]
            else:
                task = tasks[i // 2 % len(tasks)]
                _, columns = COLUMNS[task]
                text = dealers[task].take(split)[rng.choice(columns)]
            if text not in seen:
                rows[split].append({"text": text})
            seen.add(text)
        rng.shuffle(rows[split])
    return rows
