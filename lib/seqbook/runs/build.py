"""The model and the objective of a recipe before training."""

from pathlib import Path

import torch
from torch import nn

from seqbook.data.tokenizer import load_tokenizers
from seqbook.objectives.batch import Objective
from seqbook.recipes.schema import Recipe, fill


def build(
    recipe: Recipe, prepared: Path, seed: int, pretrained: nn.Module | None = None
) -> tuple[nn.Module, Objective]:
    """The model, initialised from the seed and then with the weights of `pretrained` if given, and the objective."""
    objective = recipe.objective.build(load_tokenizers(prepared), recipe.model.max_len)
    torch.manual_seed(seed)
    model = fill(recipe.model, objective.sizes()).build()
    if pretrained is not None:
        model.load_pretrained(pretrained)
    return model, objective
