"""Part 6, U-PaLM: a GPT whose training goes on with a mixture of denoisers, before and after (C29)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from torch import nn

from seqbook import runs
from seqbook.data.tokenizer import Tokenizer
from seqbook.experiments.trials import train, untrained
from seqbook.experiments.ul2 import Task, score, stories, switched, tasks, written
from seqbook.objectives.batch import IGNORED
from seqbook.objectives.denoisers import MODES, Denoisers, Mode
from seqbook.objectives.drawing import Span
from seqbook.objectives.rows import Row, row_of
from seqbook.recipes import Recipe, configure
from seqbook.runs import Run, System
from seqbook.runs.published import spread

TrainedOn = Literal["mixture", "mixture, causal mask", "language model"]

# ---- The words in the blanks, predicted in different ways


def from_the_left(tokenizer: Tokenizer, task: Task) -> Row:
    """The text as GPT reads it, with a label at each word in a blank: it is predicted from all that is to its left."""
    hidden = {i for start, stop in task.spans for i in range(start, stop)}
    labels = [token if i in hidden else IGNORED for i, token in enumerate(task.ids)]
    return Row([tokenizer.bos_id, *task.ids[:-1]], labels, 0)


def with_mode(objective: Denoisers, task: Task, only: Literal["words", "marks"] = "words") -> Row:
    """The row of the objective, with labels only at the words in the blanks, or only at the sentinels and `<eos>`."""
    row, marks = objective.corrupt(*task), {objective.tokenizer.eos_id, *objective.sentinels}
    labels = [i if (i in marks) == (only == "marks") else IGNORED for i in row.labels]
    return row._replace(labels=labels)


def measured(run: Run, n: int = 200) -> dict[str, float]:
    """Language modelling, continuation and infilling on held-out texts (C29), in nats per token and as shares.

    lm: the next token at each position of the texts, `<eos>` included. R, S, X: the words in the blanks of that mode;
    end: three words at the end of the text, in mode R, whose place is easy to find. …_left: predicted from the left side
    alone, with the causal mask; …_mode: with the mode token, the sentinels, and what is right of the blanks; …_right: the
    share of words that are the most probable ones. S_prefix: with the mask of a prefix but without a mode token;
    R_marks: the share of sentinels and ends that are the most probable tokens.
    """
    tokenizer, model, texts = run.objective.tokenizer, run.model, stories(run, n)
    whole = [row_of([tokenizer.bos_id], [*ids, tokenizer.eos_id], bidirectional=False, whole=True) for ids in texts]
    found = {"lm": score(model, tokenizer, whole)["nats"]}
    sets = {mode: tasks(texts, mode) for mode in MODES}
    sets["end"] = [Task(ids, "R", [(len(ids) - 3, len(ids))]) for ids in texts]
    for name, held_out in sets.items():
        ways = {"left": [from_the_left(tokenizer, task) for task in held_out]}
        if isinstance(run.objective, Denoisers):
            ways["mode"] = [with_mode(run.objective, task) for task in held_out]
        if name == "S":
            ways["prefix"] = [
                row._replace(prefix_length=1 + task.spans[0][0])
                for row, task in zip(ways["left"], held_out, strict=True)
            ]
        for way, rows in ways.items():
            scores = score(model, tokenizer, rows)
            found |= {f"{name}_{way}": scores["nats"], f"{name}_{way}_right": scores["right"]}
    if isinstance(run.objective, Denoisers):
        marks = [with_mode(run.objective, task, "marks") for task in sets["R"]]
        found["R_marks"] = score(model, tokenizer, marks)["right"]
    return found


# ---- A GPT that is trained a little further


class CausalDenoisers(Denoisers):
    """The same rows, whose prefix has the causal mask: no position attends to what GPT would not have attended to."""

    def corrupt(self, ids: list[int], mode: Mode, spans: Sequence[Span]) -> Row:
        return super().corrupt(ids, mode, spans)._replace(prefix_length=0)


def further(trained_on: TrainedOn, steps: int, learning_rate: float) -> Recipe:
    """The recipe "u-palm" with this many steps, or the same for plain language modelling, in GPT's windows."""
    changed = {"steps": steps, "learning_rate": learning_rate, "warmup": steps // 14, "evaluations": 1}
    recipe = configure("u-palm", **changed)
    if trained_on != "language model":
        return recipe
    gpt = configure("gpt")
    training = replace(recipe.training, batch_size=gpt.training.batch_size)
    return replace(recipe, objective=gpt.objective, training=training)


def continue_gpt(
    gpt: System, seed: int, trained_on: TrainedOn = "mixture", steps: int = 140, learning_rate: float = 1e-3
) -> Run:
    """A prefix decoder with GPT's weights, after `steps` steps of further training."""
    recipe = further(trained_on, max(1, steps), learning_rate)

    def with_weights(model: nn.Module) -> nn.Module:
        model.load_pretrained(gpt.model)
        return model.to(runs.device())

    run = untrained(recipe, seed, with_weights)
    if trained_on == "mixture, causal mask":
        old = run.objective
        run = replace(run, objective=CausalDenoisers(old.tokenizer, old.config, max_len=old.max_len))
    return train(run, recipe, seed) if steps else run


def continued(*, seed: int, trained_on: TrainedOn, steps: int, learning_rate: float) -> dict[str, Any]:
    """A row of the sweeps "u-palm": `measured` after further training of the GPT with this seed (0 steps: before it)."""
    run = continue_gpt(runs.run("gpt", seed=seed), seed, trained_on, steps, learning_rate)
    return {name: run.result[name] for name in ("val_loss", "seconds") if name in run.result} | measured(run)


PANELS = {"language modelling": ("lm",), "continuation": ("S_left", "S_mode"), "short blanks": ("R_left", "R_mode")}
LINES = (  # trained on, whether the text has its mode token, and the name in a figure
    ("language model", False, "plain text, from the left"),
    ("mixture", False, "mixture, from the left"),
    ("mixture", True, "mixture, with its mode"),
)


def by_steps(rows: Sequence[dict[str, Any]]) -> tuple[dict[str, dict], dict[str, dict]]:
    """The measures of `PANELS` over the steps of further training, and their spread, as `viz.panels` takes them.

    rows: as `continued` makes them, with steps and trained_on. The rows of 0 steps belong to both kinds of training, but
    tell nothing about mode tokens, which are new.
    """
    panels: dict[str, dict] = {}
    spreads: dict[str, dict] = {}
    for title, measures in PANELS.items():
        panels[title], spreads[title] = {}, {}
        for trained_on, with_token, name in LINES:
            for measure in measures:
                if measure.endswith("_mode") == with_token:
                    chosen = [row for row in rows if row["trained_on"] == trained_on or row["steps"] == 0]
                    chosen = [row for row in chosen if row["steps"] or not with_token]
                    found = spread(chosen, ["steps"], measure).sort_index()
                    steps = list(found.index)
                    panels[title][name] = (steps, list(found["mean"]))
                    spreads[title][name] = (list(found["lowest"]), list(found["highest"]))
    return panels, spreads


def switching(*, seed: int, steps: int, learning_rate: float) -> dict[str, Any]:
    """A row of the sweep "u-palm-modes": `switched` and `written` after further training on the mixture."""
    run = continue_gpt(runs.run("gpt", seed=seed), seed, "mixture", steps, learning_rate)
    return {"switched": switched(run), "written": written(run)}
