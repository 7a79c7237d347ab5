"""Texts whose next token is to be foretold."""

from typing import Any

from datasets import DatasetDict

from seqbook import metrics
from seqbook.objectives.causal import Causal
from seqbook.recipes import LanguageModel
from seqbook.tokenizer import Tokenizer


def objective(_: LanguageModel) -> type[Causal]:
    """The objective's class."""
    return Causal


def columns(_: LanguageModel) -> dict[str, str]:
    """The corpus's columns that are read, by what they are read as."""
    return {"text": "text"}


def tokenizers(recipe: LanguageModel, texts: dict[str, list[str]], _: dict[str, Tokenizer]) -> dict[str, Tokenizer]:
    """Learned from the texts of the training split."""
    return {"tokenizer": Tokenizer.train(texts["text"], recipe.kind, recipe.vocab_size)}


def settings(_: LanguageModel) -> dict[str, Any]:
    """Of the objective, beside tokenizers and max_len."""
    return {}


def score(_: LanguageModel, system, splits: DatasetDict) -> dict[str, Any]:
    """The loss (nats per token) of the test split, and of other splits that no training saw."""
    model, objective = system.model, system.objective
    return metrics.on_unseen(
        splits, lambda rows: {"loss": metrics.nats_per_token(model, objective, objective.examples(rows))}
    )
