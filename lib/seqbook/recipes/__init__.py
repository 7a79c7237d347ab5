"""The recipes of the course, one file per part of the course."""

from typing import Any

from seqbook.recipes import bert, comparison, gpt, prefix, recurrent, t5_bart, transformer
from seqbook.recipes.schema import DataConfig, Recipe, describe, fill

RECIPES: dict[str, Recipe] = (  # a new part adds its own
    recurrent.RECIPES
    | transformer.RECIPES
    | gpt.RECIPES
    | bert.RECIPES
    | t5_bart.RECIPES
    | prefix.RECIPES
    | comparison.RECIPES
)


def configure(name: str, **settings: Any) -> Recipe:
    """The recipe `name` with some settings changed, for example configure("gpt", d_model=64, steps=100).

    Raises:
        ValueError: an unknown recipe or setting, or a value of the wrong type; the message lists the choices.
    """
    if name not in RECIPES:
        raise ValueError(f"unknown recipe {name!r}: choose one of {', '.join(RECIPES)}")
    try:
        return RECIPES[name].change(**settings)
    except ValueError as error:
        raise ValueError(f"recipe {name}: {error}") from error


__all__ = ["RECIPES", "DataConfig", "Recipe", "configure", "describe", "fill"]
