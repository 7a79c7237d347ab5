"""Labelled examples, to be classified by a network that has learned to foretell text."""

from typing import Any

from datasets import Dataset, DatasetDict

from seqbook import metrics
from seqbook.objectives.finetuning import DELIMITER, EXTRACT, Classification, Entailment, MultipleChoice, Similarity
from seqbook.recipes import FineTuning
from seqbook.tokenizer import Tokenizer

TRANSFORMATIONS = {
    "classification": (Classification, ("text",)),
    "entailment": (Entailment, ("premise", "hypothesis")),
    "similarity": (Similarity, ("first", "second")),
    "multiple_choice": (MultipleChoice, ("context", "choices")),
}


def objective(recipe: FineTuning) -> type[Classification | Entailment | Similarity | MultipleChoice]:
    """The objective's class."""
    return TRANSFORMATIONS[recipe.transformation][0]


def columns(recipe: FineTuning) -> dict[str, str]:
    """The corpus's columns that are read, by what they are read as."""
    names = dict(zip(TRANSFORMATIONS[recipe.transformation][1], recipe.texts, strict=True))
    return names | {"label": "label"}


def tokenizers(_: FineTuning, texts: dict[str, list[str]], pretrained: dict[str, Tokenizer]) -> dict[str, Tokenizer]:
    """The pretrained network's, with the new special tokens after all others."""
    return {"tokenizer": pretrained["tokenizer"].with_special(DELIMITER, EXTRACT)}


def settings(recipe: FineTuning) -> dict[str, Any]:
    """Of the objective, beside tokenizers and max_len."""
    return {"classes": list(recipe.classes), "lm_weight": recipe.lm_weight}


def score(_: FineTuning, system, splits: DatasetDict) -> dict[str, Any]:
    """Accuracy and loss (nats per example) of the test split and of others that no training saw, beside the majority's.

    `majority` is the accuracy of always giving the class that training has most often.
    """
    model, objective = system.model, system.objective
    train = objective.numbers(splits["train"]["label"][:])
    most = max(sorted(set(train)), key=train.count)

    def of(rows: Dataset) -> dict[str, float]:
        examples = objective.examples(rows)
        labels = [label for _, label in examples]
        return {
            "loss": metrics.nats_per_token(model, objective, examples),
            "accuracy": metrics.accuracy(metrics.classes(model, objective, examples), labels),
            "majority": labels.count(most) / len(labels),
        }

    return metrics.on_unseen(splits, of)
