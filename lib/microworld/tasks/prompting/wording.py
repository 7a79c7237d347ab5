"""Turns a row of a task into a prompt, perhaps with examples before it, and the answers to choose from."""

from collections.abc import Sequence

from microworld.tasks import entailment
from microworld.tasks.prompting.phrasings import NEW, PHRASINGS, Phrasing

LABELS = {
    "sentiment": ("positive", "negative"),
    "entailment": entailment.LABELS,
    "similarity": ("paraphrase", "different"),
}
UNCAPITAL = {"At", "On", "In", "The", "A", "An", "His", "Her", "Some"}


def ask(task: str, row: dict, phrasing: str, examples: Sequence[dict] = ()) -> dict:
    """Turn a row of a task into a prompt with its answers.

    Args:
        task: one of the tasks that have phrasings.
        row: a row of the task, as `microworld.load(task)` has it; for "new_word", one of new_words.examples.
        phrasing: the name of a phrasing in PHRASINGS or NEW.
        examples: rows that come first in the prompt, with their answers.

    Returns:
        A row of the task "prompting": `text` is `prompt`, a space and `answer`; `choices` are the possible answers, none
        if the answer is free.

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
    """The prompt, the possible answers, and the index of the right one."""
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
