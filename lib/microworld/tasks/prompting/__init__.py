"""Every task as text to be continued: a prompt, perhaps with examples before it, and the answer as its continuation.

This is the mixed text on which a model without task heads learns to follow prompts {cite}`radford2019language`,
{cite}`brown2020language`. Half of it is stories; the rest is translation, sentiment, entailment, similarity, multiple
choice, questions and new words (see new_words.py). Built for chapter 3.3.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from microworld.draw.dice import Dice
from microworld.realize.english import TOKEN
from microworld.tasks import entailment, multiple_choice, qa, sentiment, similarity, stories, translation
from microworld.tasks.dealing import Dealer
from microworld.tasks.prompting import new_words
from microworld.tasks.prompting.phrasings import NEW, PHRASINGS
from microworld.tasks.prompting.wording import ask

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
LONGEST = 126  # tokens of a text: 128 with the two special tokens around it
SHORT = 20  # tokens of the sentences of a row that can be an example before another
OWN = ("en", "zh", "text", "premise", "hypothesis", "first", "second", "means")
MOST_SHOTS = 3


def splits(seed: int, sizes: dict[str, int]) -> dict[str, list[dict]]:
    """The rows of each split, each from the same split of its task.

    Half of train and validation consists of stories; test, compositional and new_phrasing have no stories. Each row of
    new_phrasing asks the same as that row of test, in a phrasing that the other splits do not use.
    """
    generators = {"stories": stories.plain, **EXAMPLES}
    dealers = {task: Dealer(examples(seed), sizes) for task, examples in generators.items()}
    rows: dict[str, list[dict]] = {"train": [], "validation": [], "test": [], "compositional": [], "new_phrasing": []}
    seen: set[str] = set()
    for name in ("test", "validation", "compositional", "train"):
        rng = Dice(f"{seed} {name}")
        mixed = name in ("validation", "train")
        for i in range(sizes[name]):
            if mixed and i % 2:
                drawn = story(dealers["stories"], name, seen)
            else:
                task = ASKED[(i // 2 if mixed else i) % len(ASKED)]
                drawn, renewed = asked(task, dealers[task], name, rng, seen)
                if name == "test":
                    rows["new_phrasing"].append(renewed)
            seen.add(drawn["text"])
            rows[name].append(drawn)
    return rows


def story(dealer: Dealer, split: str, seen: set[str]) -> dict:
    """A story as a row without a prompt."""
    text = dealer.take(split)["text"]
    while text in seen or length(text) > LONGEST:
        text = dealer.take(split)["text"]
    return {
        "text": text, "prompt": "", "answer": text, "choices": [], "task": "stories", "phrasing": "plain", "shots": 0,
    }  # fmt: skip


def asked(task: str, dealer: Dealer, split: str, rng: Dice, seen: set[str]) -> tuple[dict, dict]:
    """A row in one of the task's phrasings and the same row in a new phrasing, with 0 to 3 examples as far as they fit."""
    while True:
        row = dealer.take(split)
        phrasings = rng.choice(tuple(PHRASINGS[task])), rng.choice(tuple(NEW[task]))
        drawn = [ask(task, row, phrasing) for phrasing in phrasings]
        if row.get("context") in seen or drawn[0]["text"] in seen or not fit(drawn):
            continue
        examples: list[dict] = []
        for _ in range(0 if "context" in row else rng.randint(0, MOST_SHOTS)):  # only one story fits
            examples.append(short(dealer, split, [row, *examples]))
            longer = [ask(task, row, phrasing, examples) for phrasing in phrasings]
            if not fit(longer):
                break
            drawn = longer
        return drawn[0], drawn[1]


def short(dealer: Dealer, split: str, others: Sequence[dict]) -> dict:
    """A short example that has no new words in common with the others."""
    words = {word for row in others for word in row.get("invented", ())}
    while True:
        row = dealer.take(split)
        size = sum(length(row[column]) for column in OWN if column in row)
        if size <= SHORT and words.isdisjoint(row.get("invented", ())):
            return row


def fit(rows: Iterable[dict]) -> bool:
    """Whether all texts are short enough."""
    return all(length(row["text"]) <= LONGEST for row in rows)


def length(text: str) -> int:
    """The number of tokens of a text."""
    return len(TOKEN.findall(text))


def majority(train: Iterable[dict], test: Iterable[dict]) -> dict[str, float]:
    """The accuracy of the majority baseline on each task: it gives the most frequent answer of the training split.

    Where there are choices, it gives the most frequent of them.
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
