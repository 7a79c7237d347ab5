"""The micro-world: a small town whose events are written down as texts, each with its true annotations.

`load(task)` returns the splits of a task. The generator contains grammar and facts, and does not depend on models.

To follow one translation pair from the first random draw to the finished row, read these files in this order:

1. `tasks/translation.py` draws sentences and realizes each in two languages
2. `draw/sentences.py` draws the shape of a sentence: statement, question, passive
3. `draw/deeds.py` draws who does what to whom, the tense, where and when
4. `draw/phrases.py` draws the noun phrases: names, adjectives, owners, places
5. `words/verbs.py` has the verbs, each with an English and a Chinese frame of slots
6. `events.py` defines what is drawn: a `Sentence` of `Event`s with `Phrase`s
7. `realize/english.py` fills the English frames; a tag of each word names its part
   of the event
8. `realize/chinese.py` does the same for Chinese; words with equal tags are aligned

The other rooms: `words/` contains all words; `story/` a town whose state changes as a story is told; `tasks/` one file
for each task; `reader/` reads a story and checks its grammar and its facts. Imports go in one direction: words, events,
realize and draw, story, tasks and reader.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from microworld import cache
from microworld.tasks import TASKS, splits

__all__ = ["TASKS", "load"]

if TYPE_CHECKING:
    from datasets import DatasetDict

HELD_OUT_SIZE = 1_000


def load(task: str, *, size: int = 20_000, seed: int = 0) -> "DatasetDict":
    """Load the splits of a task: train (`size` rows), validation, test and compositional (1,000 rows each).

    No text is in two splits. The compositional split combines known words in ways that do not occur in the other
    splits. `prompting` has one more split, new_phrasing: the test split in phrasings that the other splits do not use.
    The data depend only on the arguments. They are generated in seconds, and stored on disk until the code of this
    package changes.

    Args:
        task: one of `TASKS`; microworld.tasks describes them and their columns.
        size: the number of rows of the training split.
        seed: the random seed; other seeds give other texts about the same town.

    Raises:
        ValueError: there is no such task, or `size` is less than 1.
        OSError: the cache cannot be written.
    """
    if task not in TASKS:
        raise ValueError(f"unknown task {task!r}; choose one of {', '.join(TASKS)}")
    if size < 1:
        raise ValueError(f"size is {size}; a training split needs at least 1 row")
    from datasets import Dataset, DatasetDict, load_from_disk  # here, because it takes seconds

    sizes = {"train": size} | dict.fromkeys(("validation", "test", "compositional"), HELD_OUT_SIZE)

    def build(folder: Path) -> None:
        with _no_search_for_cycles():
            rows = splits(task, seed, sizes)
        DatasetDict({name: Dataset.from_list(rows[name]) for name in rows}).save_to_disk(str(folder))

    folder = cache.home() / cache.fingerprint(task, size, seed)
    return load_from_disk(str(cache.build_once(folder, build)))


@contextmanager
def _no_search_for_cycles() -> Iterator[None]:
    """Switch the garbage collector off: rows have no cycles, and it takes more than a tenth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
