"""The tasks, one file each. To add a task, add a file and a line in `TASKS` or `MIXED`.

The columns of their rows:

- translation: en, zh, alignment (pairs of an English token and a Chinese character)
- stories: text, facts (one for each clause: sentence, deed, who, what, whom, where, when), pronouns (start, text, refers_to)
- sentiment: text, label ("positive" or "negative")
- entailment: premise, hypothesis, label ("entailment", "neutral" or "contradiction")
- similarity: first, second, label ("paraphrase" or "different")
- multiple_choice: context, choices (four), label (the index of the right one)
- ner: tokens, tags ("B-PER", "I-LOC", "O", …)
- qa: context, question, answer, start (where the answer begins in the context, in characters)
- texts: text, a story or a single sentence of another task
- prompting: text (prompt, space, answer), prompt, answer, choices (none if the answer is free), task, phrasing, shots
"""

from importlib import import_module

from microworld.tasks.dealing import deal

# The file of a task has a function examples(seed). A mixed task is made of other tasks and has splits(seed, sizes).
MIXED = ("texts", "prompting")
TASKS = ("translation", "stories", "sentiment", "entailment", "similarity", "multiple_choice", "ner", "qa", *MIXED)


def splits(task: str, seed: int, sizes: dict[str, int]) -> dict[str, list[dict]]:
    """Generate the rows of each split of a task, with the numbers of rows in `sizes`."""
    file = import_module(f"{__name__}.{task}")
    return file.splits(seed, sizes) if task in MIXED else deal(file.examples(seed), sizes)
