"""Every task as text to be continued: a prompt in words, perhaps after examples, and the answer as its next words.

The mixed text on which a model without heads learns to read prompts {cite}`radford2019language`, {cite}`brown2020language`.
Half of it is plain stories; the rest is translation, sentiment, entailment, similarity, multiple choice, questions and
new words (see new_words.py). Built for chapter 3.3.
"""

import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from random import Random

from seqbook.data.world import (
    entailment,
    multiple_choice,
    new_words,
    qa,
    sentiment,
    similarity,
    stories,
    translation,
)
from seqbook.data.world.phrasings import NEW, PHRASINGS, Phrasing

EXAMPLES = {
    "translation": translation.examples,
    "sentiment": sentiment.examples,
    "entailment": entailment.examples,
    "similarity": similarity.examples,
    "multiple_choice": multiple_choice.examples,
    "qa": qa.examples,
    "new_word": new_words.examples,
}
ASKED = tuple(EXAMPLES)
LABELS = {
    "sentiment": ("positive", "negative"),
    "entailment": entailment.LABELS,
    "similarity": ("paraphrase", "different"),
}
TOKEN = re.compile(r"[一-鿿]|[^\W一-鿿]+|[^\w\s]+")  # a Chinese character, a word, or punctuation
LONGEST = 126  # tokens of a text: 128 with the two that begin and end it
SHORT = 20  # tokens of the sentences of a row that may be an example before another
OWN = ("en", "zh", "text", "premise", "hypothesis", "first", "second", "means")
MOST_SHOTS = 3
UNCAPITAL = {"At", "On", "In", "The", "A", "An", "His", "Her", "Some"}


def ask(task: str, row: dict, phrasing: str, examples: Sequence[dict] = ()) -> dict:
    """A row of a task as text: `text` is `prompt`, a space and `answer`; `choices` are the answers to choose from.

    `row` and `examples` are rows of the task as `world.load(task)` has them (of new_words.examples for "new_word"). The
    examples stand in the prompt with their answers. Where the answer is free, `choices` is empty.

    Raises:
        ValueError: there is no such task, or it has no such phrasing.
    """
    known = {**PHRASINGS.get(task, {}), **NEW.get(task, {})}
    if phrasing not in known:
        raise ValueError(
            f"no phrasing {phrasing!r} of a task {task!r}: choose one of {', '.join(known)}"
            if known
            else f"unknown task {task!r}; choose one of {', '.join(PHRASINGS)}"
        )
    chosen = known[phrasing]
    parts = [chosen.head] if chosen.head else []
    for example in examples:
        prompt, choices, right = item(task, example, chosen)
        parts += [prompt, choices[right]]
    prompt, choices, right = item(task, row, chosen)
    prompt = " ".join([*parts, prompt])
    return {
        "text": f"{prompt} {choices[right]}",
        "prompt": prompt,
        "answer": choices[right],
        "choices": choices if len(choices) > 1 else [],
        "task": task,
        "phrasing": phrasing,
        "shots": len(examples),
    }


def item(task: str, row: dict, phrasing: Phrasing) -> tuple[str, list[str], int]:
    """What a phrasing makes of a row: the prompt, all answers, and which of them is right."""
    if task in LABELS:
        return phrasing.prompt.format(**row), list(phrasing.answer), LABELS[task].index(row["label"])
    fields, candidates, right = row, [row], 0
    if task == "multiple_choice":
        start, _, _ = row["choices"][0].partition(" was ")
        subject, right = start.removeprefix("In the end, "), row["label"]
        candidates = [{"place": choice.removeprefix(f"{start} was ").rstrip(".")} for choice in row["choices"]]
        *first, last = (candidate["place"] for candidate in candidates)
        fields = row | {"subject": subject, "places": f"{', '.join(first)} or {last}"}
    elif task == "qa":
        answer = row["answer"]
        if answer.split()[0] in UNCAPITAL:
            answer = answer[0].lower() + answer[1:]
        candidates = [{"answer": answer}]
    elif task == "new_word":
        candidates, right = row["candidates"], row["right"]
    return phrasing.prompt.format(**fields), [phrasing.answer.format(**c) for c in candidates], right


class Pool:
    """A task's examples, dealt to the splits as `world.load` deals them, each handed out once."""

    def __init__(self, examples: Iterator[tuple[dict, bool]], held: int) -> None:
        self.examples = examples
        self.names = deque(["test"] * held + ["validation"] * held)
        self.dealt: dict[str, deque[dict]] = defaultdict(deque)

    def take(self, split: str) -> dict:
        """The next example of the split."""
        while not self.dealt[split]:
            row, compositional = next(self.examples)
            if split in ("test", "validation") and split not in self.names:
                raise RuntimeError(f"the {split} split of a task has too few examples for its prompts")
            name = "compositional" if compositional else self.names.popleft() if self.names else "train"
            self.dealt[name].append(row)
        return self.dealt[split].popleft()


def splits(seed: int, size: int, held: int) -> dict[str, list[dict]]:
    """The mixed text: `size` rows of train, `held` of each other split, each from the same split of its task.

    Train and validation are half stories; test, compositional and new_phrasing are tasks alone. Row for row, new_phrasing
    asks what test asks, in words that the other splits don't use.
    """
    pools = {task: Pool(examples(seed), held) for task, examples in {"stories": stories.examples, **EXAMPLES}.items()}
    rows: dict[str, list[dict]] = {"train": [], "validation": [], "test": [], "compositional": [], "new_phrasing": []}
    seen: set[str] = set()
    for name in ("test", "validation", "compositional", "train"):
        rng = Random(f"{seed} {name}")
        mixed = name in ("validation", "train")
        for i in range(size if name == "train" else held):
            if mixed and i % 2:
                drawn = story(pools["stories"], name, seen)
            else:
                task = ASKED[(i // 2 if mixed else i) % len(ASKED)]
                drawn, renewed = asked(task, pools[task], name, rng, seen)
                if name == "test":
                    rows["new_phrasing"].append(renewed)
            seen.add(drawn["text"])
            rows[name].append(drawn)
    return rows


def story(pool: Pool, split: str, seen: set[str]) -> dict:
    """A story as a row without a prompt."""
    text = pool.take(split)["text"]
    while text in seen or length(text) > LONGEST:
        text = pool.take(split)["text"]
    return {
        "text": text, "prompt": "", "answer": text, "choices": [], "task": "stories", "phrasing": "plain", "shots": 0,
    }  # fmt: skip


def asked(task: str, pool: Pool, split: str, rng: Random, seen: set[str]) -> tuple[dict, dict]:
    """A row in one of the task's phrasings, and the same in one of NEW; with as many examples as there is room for."""
    while True:
        row = pool.take(split)
        phrasings = rng.choice(tuple(PHRASINGS[task])), rng.choice(tuple(NEW[task]))
        drawn = [ask(task, row, phrasing) for phrasing in phrasings]
        if row.get("context") in seen or drawn[0]["text"] in seen or not fit(drawn):
            continue
        examples: list[dict] = []
        for _ in range(0 if "context" in row else rng.randint(0, MOST_SHOTS)):  # there is room for one story only
            examples.append(short(pool, split, [row, *examples]))
            longer = [ask(task, row, phrasing, examples) for phrasing in phrasings]
            if not fit(longer):
                break
            drawn = longer
        return drawn[0], drawn[1]


def short(pool: Pool, split: str, others: Sequence[dict]) -> dict:
    """A short example, whose new words are not those of the others."""
    words = {word for row in others for word in row.get("invented", ())}
    while True:
        row = pool.take(split)
        size = sum(length(row[column]) for column in OWN if column in row)
        if size <= SHORT and words.isdisjoint(row.get("invented", ())):
            return row


def fit(rows: Iterable[dict]) -> bool:
    """Whether no text is too long."""
    return all(length(row["text"]) <= LONGEST for row in rows)


def length(text: str) -> int:
    """How many tokens a text has."""
    return len(TOKEN.findall(text))


def majority(train: Iterable[dict], test: Iterable[dict]) -> dict[str, float]:
    """Share of each task's rows that is right for whoever always gives the answer that training gives most often.

    Where there are choices, it is the one of them that training gives most often.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in train:
        counts[row["task"]][row["answer"]] += 1
    right: dict[str, list[bool]] = defaultdict(list)
    for row in test:
        if row["prompt"]:
            known = counts[row["task"]]
            guess = max(row["choices"] or known, key=lambda answer, known=known: known[answer])
            right[row["task"]].append(guess == row["answer"])
    return {task: sum(hits) / len(hits) for task, hits in right.items()}
