"""Parts 6 and 7: one stack with either mask, pretrained on blanks and fine-tuned, as in T5's table 2 (C25)."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import torch
from datasets import Dataset

from seqbook import metrics
from seqbook.data import corpora
from seqbook.data.tokenizer import Tokenizer
from seqbook.experiments.trials import folder_of
from seqbook.experiments.u_palm import CausalDenoisers
from seqbook.objectives.denoisers import Denoisers
from seqbook.objectives.filling import MASK
from seqbook.objectives.layouts import CLS, DELIMITER, SEP
from seqbook.objectives.prefix import PrefixMask
from seqbook.objectives.task_pairs import PairTask, pairs
from seqbook.recipes import configure
from seqbook.recipes.comparison import STACK
from seqbook.runs import System
from seqbook.training import fit

TASKS: tuple[PairTask, ...] = ("entailment", "qa")


def columns_of(task: PairTask, rows: Dataset) -> dict[str, Sequence[Any]]:
    """The columns of a task's rows from which its sources and targets are made."""
    return {column: rows[column][:] for column in configure(f"compare-causal-{task}").objective.reads()}


def denoise(seed: int, prefix: PrefixMask, learning_rate: float, steps: int = 700) -> tuple[System, list[dict]]:
    """The stack of chapter 7.1, pretrained with this mask on T5's short blanks, and the history of its training.

    The vocabulary has the words of the tasks too. A training that this code has finished here before is found again.
    """
    changed = {"steps": steps, "learning_rate": learning_rate, "max_len": STACK.max_len}
    recipe = configure("ul2", mixture="u-palm", shares=(1.0, 0.0, 0.0), **changed)
    texts = corpora.load("texts")
    words = list(texts["train"]["text"])
    for task in TASKS:
        sources, targets = pairs(task, **columns_of(task, corpora.load(task)["train"]))
        words += sources + targets
    tokenizer = Tokenizer.train(words, "word").with_special(DELIMITER, CLS, SEP, MASK, *recipe.objective.special())
    kind = Denoisers if prefix == "bidirectional" else CausalDenoisers
    objective = kind(tokenizer, recipe.objective, max_len=STACK.max_len)
    splits = (objective.encode(texts[split]["text"][:]) for split in ("train", "validation"))
    torch.manual_seed(seed)
    model = replace(STACK, **objective.sizes()).build()
    out = folder_of(__name__, seed, prefix, changed)
    return System(model, objective), fit(model, objective, *splits, recipe.training, seed=seed, out=out)


def denoising(seed: int, prefix: PrefixMask, learning_rate: float) -> dict[str, Any]:
    """A row of the sweep "pretrained-masks-rates": val_loss after `denoise`, in nats per token of the answers."""
    _, history = denoise(seed, prefix, learning_rate)
    return {"val_loss": history[-1]["val_loss"]}


def after_denoising(seed: int, prefix: PrefixMask, pretraining_rate: float, learning_rate: float) -> dict[str, Any]:
    """A row of the sweep "pretrained-masks": the network of `denoise`, fine-tuned on each task with the same mask, in as
    many steps as chapter 7.1 trains from scratch.

    pretraining_loss: as in `denoising`; for each task its validation loss, and the share of test examples whose whole
    answer is right.
    """
    pretrained, history = denoise(seed, prefix, pretraining_rate)
    found = {"pretraining_loss": history[-1]["val_loss"]}
    for task in TASKS:
        network = "causal" if prefix == "causal" else "prefix"
        recipe = configure(f"compare-{network}-{task}", learning_rate=learning_rate)
        objective = recipe.objective.build(pretrained.objective.tokenizers, STACK.max_len)
        splits = corpora.load(task)
        train, validation = (
            objective.examples(Dataset.from_dict(objective.tokenize(**columns_of(task, splits[split]))))
            for split in ("train", "validation")
        )
        model = deepcopy(pretrained.model)
        history = fit(model, objective, train, validation, recipe.training, seed=seed)
        sources, targets = pairs(task, **columns_of(task, splits["test"]))
        right = metrics.exact_match(objective.answers(model, sources, targets), targets)
        found |= {f"{task}_val_loss": history[-1]["val_loss"], f"{task}_score": right}
    return found
