"""A recipe with another model than its own, for experiments that no recipe describes. What they train is not kept on disk,
except in `folder_of`."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from datasets import load_from_disk
from torch import nn

from seqbook.identity import code_identity, fingerprint
from seqbook.recipes import RECIPES, Recipe
from seqbook.runs import Run
from seqbook.runs.build import build
from seqbook.runs.prepare import prepare
from seqbook.storage import home
from seqbook.training import fit


def untrained(recipe: Recipe, seed: int, change: Callable[[nn.Module], nn.Module] = lambda model: model) -> Run:
    """The recipe's system before any training, with what `change` makes of its model."""
    prepared = prepare(recipe, None, prepare(RECIPES[recipe.base]) if recipe.base else None)
    model, objective = build(recipe, prepared, seed)
    return Run(change(model), objective, load_from_disk(str(prepared)), [], {}, prepared)


def train(run: Run, recipe: Recipe, seed: int) -> Run:
    """`run` after the training of the recipe. Its result has sizes, seconds and validation losses (nats), but no scores."""
    splits = (run.examples(split) for split in ("train", "validation"))
    history = fit(run.model, run.objective, *splits, recipe.training, seed=seed)
    result = {
        "params": sum(p.numel() for p in run.model.parameters()),
        "steps": len(history),
        "learning_rate": recipe.training.learning_rate,
        "seconds": sum(step["seconds"] for step in history),
        "val_losses": [step["val_loss"] for step in history if "val_loss" in step],
        "val_loss": history[-1]["val_loss"],
    }
    return replace(run, history=history, result=result)


def folder_of(module: str, *settings: object) -> Path:
    """The folder of a trial's checkpoints, from which it continues; with other settings or other code, it is another one.

    module: the name of the module that describes the trial.
    """
    return home() / "trials" / fingerprint(settings, code_identity(module))
