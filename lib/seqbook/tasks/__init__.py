"""What each kind of recipe means by its data, its objective and its scores: the part of a run that differs by task.

A task is a module: `OBJECTIVE`, a class; `columns`, `tokenizers` and `settings`, what it is made of; `score`.
"""

from types import ModuleType

from seqbook.recipes import LanguageModel, Recipe, Translation
from seqbook.tasks import language_model, translation

OBJECTIVES = {task.OBJECTIVE.__name__: task.OBJECTIVE for task in (translation, language_model)}


def task_of(recipe: Recipe) -> ModuleType:
    """The task of a recipe."""
    return {Translation: translation, LanguageModel: language_model}[type(recipe)]
