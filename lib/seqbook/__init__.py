"""Sequence models in miniature: the package that the chapters of the course import."""

import os

# How long torch's threads spin while they wait for each other, before they sleep. By default it is so long that a model's
# many small steps crawl as soon as something else uses a core; not at all costs a third of the speed on an idle machine.
# It counts only if torch is imported after this.
os.environ.setdefault("GOMP_SPINCOUNT", "3000")


def __getattr__(name: str):
    if name == "from_pretrained":  # imported only now, as it brings torch along
        from seqbook.pretrained import from_pretrained

        return from_pretrained
    raise AttributeError(f"module 'seqbook' has no attribute {name!r}")
