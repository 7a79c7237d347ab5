"""Texts in one language, to be written in another."""

from typing import Any

from datasets import Dataset, DatasetDict

from seqbook import metrics
from seqbook.objectives.seq2seq import Seq2Seq
from seqbook.recipes import Translation
from seqbook.tokenizer import Tokenizer


def objective(_: Translation) -> type[Seq2Seq]:
    """The objective's class."""
    return Seq2Seq


def columns(recipe: Translation) -> dict[str, str]:
    """The corpus's columns that are read, by what they are read as."""
    return {"source": recipe.source, "target": recipe.target}


def tokenizers(recipe: Translation, texts: dict[str, list[str]], _: dict[str, Tokenizer]) -> dict[str, Tokenizer]:
    """Learned from the texts of the training split."""
    kinds = {"source": recipe.source_kind, "target": recipe.target_kind}
    return {f"{side}_tokenizer": Tokenizer.train(texts[side], kinds[side], recipe.vocab_size) for side in kinds}


def settings(recipe: Translation) -> dict[str, Any]:
    """Of the objective, beside tokenizers and max_len."""
    return {"reverse_source": recipe.reverse_source, "label_smoothing": recipe.label_smoothing}


def score(recipe: Translation, system, splits: DatasetDict) -> dict[str, Any]:
    """BLEU, exact match and loss (nats per token) of the test split, and of other splits that no training saw."""

    def of(rows: Dataset) -> dict[str, Any]:
        hypotheses, references = system.translate(rows[recipe.source][:], recipe.beams), rows[recipe.target][:]
        bleu = metrics.bleu(hypotheses, references, recipe.target)
        return {
            "loss": metrics.nats_per_token(system.model, system.objective, system.objective.examples(rows)),
            "bleu": bleu.score,
            "bleu_signature": bleu.signature,
            "exact_match": metrics.exact_match(hypotheses, references),
        }

    return {"beams": recipe.beams} | metrics.on_unseen(splits, of)
