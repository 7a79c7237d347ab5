"""Preparing a corpus: train its tokenizers on the training split, and tokenise each split."""

import hashlib
import logging
from pathlib import Path

from datasets import Dataset, DatasetDict, concatenate_datasets

import microworld
from seqbook.data import corpora
from seqbook.data.tokenizer import Tokenizer, load_tokenizers
from seqbook.identity import code_identity, fingerprint
from seqbook.recipes.schema import Recipe, describe
from seqbook.storage import build_once, home

logger = logging.getLogger(__name__)


def prepare(recipe: Recipe, data: str | Path | None = None, base: Path | None = None) -> Path:
    """The folder with the recipe's corpus, its ids and its tokenizers. It is made only once.

    data: the local folder of a real corpus (None: the Hub); base: the prepared folder of the recipe that this one
    starts from.

    Raises:
        CorpusError: no such corpus, or a broken one; ValueError: a column that is missing, a text that is too long.
    """
    given = load_tokenizers(base) if base else {}
    max_len, objective = recipe.model.max_len, recipe.objective

    def make(scratch: Path) -> None:
        corpus = corpora.load(recipe.data.corpus, data, recipe.data.size)
        columns, there = objective.reads(), corpus["train"].column_names
        for role, column in columns.items():
            if column not in there:
                raise ValueError(
                    f"{role}={column!r} is not a column of {recipe.data.corpus}: it has {', '.join(there)}"
                )
        texts = {split: {role: rows[column][:] for role, column in columns.items()} for split, rows in corpus.items()}
        trained = objective.tokenizers(texts["train"], given)
        for name, tokenizer in trained.items():
            tokenizer.save(scratch / f"{name}.json")
        task, prepared = objective.build(trained, max_len), DatasetDict()
        for split, rows in corpus.items():
            ids = Dataset.from_dict(task.tokenize(**texts[split]))
            prepared[split] = concatenate_datasets([rows, ids], axis=1)
            if split != "train" and recipe.data.corpus not in microworld.TASKS:
                _warn_of_unknown(f"{recipe.data.corpus}, {split}", trained, texts[split])
        prepared.save_to_disk(str(scratch))

    code = code_identity(type(objective).__module__, __name__, *corpus_modules(recipe))
    key = fingerprint(code, corpus_identity(recipe, data), describe(objective), max_len, base and base.name)
    return build_once(home() / "prepared" / f"{recipe.data.corpus}-{key}", make)


def _warn_of_unknown(where: str, tokenizers: dict[str, Tokenizer], texts: dict[str, list]) -> None:
    """What the vocabulary of the training split lacks is scored as <unk>, which nobody sees in a loss."""
    for name, tokenizer in tokenizers.items():
        kind = name.removesuffix("tokenizer").rstrip("_")  # source or target, or nothing if there is one for all
        read = [text for role, rows in texts.items() if role.startswith(kind) for text in rows if isinstance(text, str)]
        unknown = tokenizer.unknown(read)
        if unknown:
            shown = ", ".join(map(repr, unknown[:8])) + (" …" if len(unknown) > 8 else "")
            logger.warning("%s: not in the vocabulary of training, and read as <unk>: %s", where, shown)


def corpus_identity(recipe: Recipe, data: str | Path | None) -> list:
    """An identifier of the recipe's data: a task and its size, or hashes. Only a corpus from the Hub is loaded."""
    name, size = recipe.data.corpus, recipe.data.size
    if name in microworld.TASKS:
        return [name, size]
    if data is None:
        return [name, [split._fingerprint for split in corpora.load(name).values()]]
    return [name, [hashlib.sha256(file.read_bytes()).hexdigest() for file in corpora.files(name, data)]]


def corpus_modules(recipe: Recipe) -> list[str]:
    """The modules that generate or load the recipe's corpus."""
    name = recipe.data.corpus
    return [f"microworld.tasks.{name}", "microworld"] if name in microworld.TASKS else [corpora.__name__]
