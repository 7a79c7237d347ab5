"""Part 5, T5 and BART: whether T5 uses its source, tasks as text and with heads (C24), one model for all tasks, and what each
noise of BART teaches."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, get_args

import torch
from datasets import Dataset, DatasetDict, concatenate_datasets

import microworld
from seqbook import runs
from seqbook.experiments.trials import train, untrained
from seqbook.generation.decoding import greedy
from seqbook.objectives.batch import IGNORED
from seqbook.objectives.corruption import SpanCorruption, SpanCorruptionConfig
from seqbook.objectives.corruption.spans import spans_of
from seqbook.objectives.text_to_text import Task, TextToText, TextToTextConfig
from seqbook.recipes import configure, fill
from seqbook.runs import Run, published
from seqbook.training import fit
from seqbook.training.device import device

BY_HAND = SpanCorruptionConfig(rate=0.4, mean_length=2.0)  # of the chapter's short sentence
GAPS = (
    "Anna went to the <mask> and bought a watch.",
    "On Monday morning, Ben <mask> and met <mask>.",
    "Clara was <mask> hungry, so she <mask> a pear.",
    "He gave the key to her. Ben had a key. On Sunday, he met Anna.",
)
TASKS: tuple[Task, ...] = get_args(Task)


# ---- Does a network use its source?


@torch.no_grad()
def losses(run: Run, n: int = 256, batch_size: int = 64) -> dict[str, float]:
    """Nats per token of the targets of `n` validation texts: by the network; by the network that reads the source of
    another text; and by the frequencies of the tokens in the targets of training.

    A network that ignores its source has the same loss with the right source and with a wrong one.
    """
    model, objective, on = run.model.eval(), run.objective, device()
    counts: Counter[int] = Counter()
    train = run.examples("train")[: 10 * n]
    for start in range(0, len(train), batch_size):
        batch = objective.collate(train[start : start + batch_size], _generator(start))
        counts.update(batch.labels[batch.labels != IGNORED].tolist())
    total, size = counts.total(), len(objective.tokenizer)

    found, n_tokens = Counter(), 0
    examples = run.examples("validation")[:n]
    for start in range(0, len(examples), batch_size):
        batch = objective.collate(examples[start : start + batch_size], _generator(start)).to(on)
        source, target = batch.inputs
        found["its source"] += objective.nll(model(source, target), batch.labels).item()
        found["the source of another text"] += objective.nll(model(source.roll(1, 0), target), batch.labels).item()
        words = batch.labels[batch.labels != IGNORED].tolist()
        found["frequencies alone"] += sum(-math.log((counts[i] + 1) / (total + size)) for i in words)
        n_tokens += len(words)
    return {name: nats / n_tokens for name, nats in found.items()}


@torch.no_grad()
def restored(run: Run, n: int = 100) -> dict[str, Any]:
    """What a network writes, greedily, for `n` corrupted texts of the test split: the share of spans (T5) or of texts (BART)
    that are exactly the original; the same without a network, for the most frequent of these spans, or for a copy of the
    source; and three examples.
    """
    model, objective = run.model, run.objective
    tokenizer, eos = objective.tokenizer, objective.tokenizer.eos_id
    batch = objective.collate(run.examples("test")[:n], _generator(0)).to(device())
    source, decoder_inputs = batch.inputs
    written = greedy(model, (source, decoder_inputs[:, :1]), max_new=batch.labels.shape[1], stop=[eos])
    true = [[i for i in row if i not in (IGNORED, eos)] for row in batch.labels.tolist()]
    sources = [[i for i in row if i not in (tokenizer.pad_id, eos)] for row in source.tolist()]
    if isinstance(objective, SpanCorruption):
        parts = [[spans_of(row, objective.sentinels) for row in side] for side in (true, written)]
        pairs = [(span, theirs.get(i)) for ours, theirs in zip(*parts, strict=True) for i, span in ours.items()]
        counts = Counter(tuple(span) for span, _ in pairs)
        baseline = max(counts.values()) / len(pairs)
    else:
        pairs = list(zip(true, written, strict=True))
        baseline = sum(t == x for t, x in zip(true, sources, strict=True)) / len(true)
    texts = zip(
        *([" ".join(tokenizer.tokens(row)) for row in side[:3]] for side in (sources, true, written)), strict=True
    )
    return {
        "restored": sum(t == w for t, w in pairs) / len(pairs),
        "baseline": baseline,
        "examples": [dict(zip(("source", "target", "written"), row, strict=True)) for row in texts],
    }


def rewritten(run: Run) -> dict[str, Any]:
    """A row of the sweep "bart-rewriting": `restored`, `losses`, and `GAPS` as the network fills them."""
    filled = run.objective.fill(run.model, GAPS)
    return restored(run) | {
        "losses": losses(run),
        "filled": [{"text": gap, "rewritten": new.text} for gap, new in zip(GAPS, filled, strict=True)],
    }


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# ---- One pretraining, several fine-tunings


def fine_tuned(
    *,
    seed: int,
    recipe: str,
    pretraining: Mapping[str, Any] = MappingProxyType({}),
    case: str = "",
    reads: Literal["last", "first"] = "last",
    **settings: Any,
) -> dict[str, Any]:
    """Scores of a fine-tuning recipe. The pretraining is the same for all seeds of the fine-tuning; there is none with
    `pretrained=False`.

    pretraining: settings of the pretraining that are changed; case: its name in the published row; reads: whether a head
    reads the decoder's state at the last token of the text, or at the first one, before the decoder has read the text;
    settings: of the fine-tuning.
    """
    changed, found = configure(recipe, **settings), {}
    run = untrained(changed, seed)
    if reads == "first":
        run.objective.layout.extract = lambda sequence: 0
    if changed.pretrained:
        pretrained = runs.run(changed.base, **pretraining)
        run.model.load_pretrained(pretrained.model)
        found["pretraining_loss"] = pretrained.result["loss"]
    run = train(run, changed, seed)
    return run.result | run.objective.scores(run.model, run.splits) | found


def best_rates(rows: Sequence[Mapping[str, Any]], by: str = "case") -> dict[str, float]:
    """The learning rate with the lowest mean validation loss, for each value of the column `by`."""
    mean = published.spread(rows, [by, "learning_rate"], "val_loss")["mean"]
    return {name: group.idxmin()[1] for name, group in mean.groupby(level=0)}


# ---- One network for all tasks


def together(*, seed: int, labels: int, tasks: Sequence[Task] = TASKS, **settings: Any) -> dict[str, Any]:
    """The exact answers in each task of one T5 that is fine-tuned on all of them at once, as text.

    labels: how many examples each task has; settings: of the fine-tuning.
    """
    recipe, base = configure("t5-sentiment-as-text", **settings), runs.run("t5", seed=seed)
    corpora = {task: microworld.load(task, size=labels) for task in tasks}
    tokenizers = base.objective.tokenizers
    for task, splits in corpora.items():  # one vocabulary with the words of all tasks
        tokenizers = TextToTextConfig(task=task).tokenizers(columns_of(task, splits["train"]), tokenizers)
    objectives = {task: TextToTextConfig(task=task).build(tokenizers, recipe.model.max_len) for task in tasks}
    prepared = {task: _tokenized(task, objectives[task], corpora[task]) for task in tasks}
    train, validation = (
        [example for task in tasks for example in objectives[task].examples(prepared[task][split])]
        for split in ("train", "validation")
    )

    torch.manual_seed(seed)
    model = fill(recipe.model, objectives[tasks[0]].sizes()).build()
    model.load_pretrained(base.model)
    history = fit(model, objectives[tasks[0]], train, validation, recipe.training, seed=seed)
    scores = {task: objectives[task].scores(model, prepared[task]) for task in tasks}
    return {"val_loss": history[-1]["val_loss"], "seconds": sum(step["seconds"] for step in history), "scores": scores}


def columns_of(task: Task, rows: Dataset) -> dict[str, list]:
    """The columns that a task is made of, as `as_text` takes them."""
    return {column: rows[column][:] for column in TextToTextConfig(task=task).reads()}


def _tokenized(task: Task, objective: TextToText, splits: DatasetDict) -> DatasetDict:
    ids = {split: Dataset.from_dict(objective.tokenize(**columns_of(task, rows))) for split, rows in splits.items()}
    return DatasetDict({split: concatenate_datasets([rows, ids[split]], axis=1) for split, rows in splits.items()})
