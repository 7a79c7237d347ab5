"""What each kind of recipe means by its data, its objective and its scores: the part of a run that differs by task.

A task is a module: `objective`, a class; `columns`, `tokenizers` and `settings`, what it is made of; `score`.
"""

from types import ModuleType

from seqbook.objectives.causal import Causal
from seqbook.objectives.finetuning import Classification, Entailment, MultipleChoice, Similarity
from seqbook.objectives.seq2seq import Seq2Seq
from seqbook.recipes import FineTuning, LanguageModel, Recipe, Translation
from seqbook.tasks import finetuning, language_model, translation

OBJECTIVES = {
    objective.__name__: objective
    for objective in (Seq2Seq, Causal, Classification, Entailment, Similarity, MultipleChoice)
}


def task_of(recipe: Recipe) -> ModuleType:
    """The task of a recipe."""
    return {Translation: translation, LanguageModel: language_model, FineTuning: finetuning}[type(recipe)]
