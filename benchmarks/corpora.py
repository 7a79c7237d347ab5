"""The real corpora, which are no part of the project: SEQBOOK_CORPORA names the folder that holds them."""

import os
from pathlib import Path

import microworld
from seqbook.data.corpora import CorpusError


def corpus(name: str) -> Path:
    """The folder of a real corpus.

    Raises:
        CorpusError: SEQBOOK_CORPORA names no folder that holds it.
    """
    folder = Path(os.environ.get("SEQBOOK_CORPORA", ""), name)
    if not folder.is_dir():
        raise CorpusError(
            f"SEQBOOK_CORPORA must name the folder that holds {name}: the corpora are no part of this project"
        )
    return folder


def folder_of(name: str) -> Path | None:
    """What `runs.run` takes as its data: the folder of a real corpus, None for a task of the micro-world."""
    return None if name in microworld.TASKS else corpus(name)
