"""A recipe with another model than its own, for experiments that no recipe describes. Nothing is kept on disk."""

from collections.abc import Callable
from dataclasses import replace

from datasets import load_from_disk
from torch import nn

from seqbook.recipes import RECIPES, Recipe
from seqbook.runs import Run
from seqbook.runs.build import build
from seqbook.runs.prepare import prepare
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
