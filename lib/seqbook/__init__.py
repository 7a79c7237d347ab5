"""Sequence models in miniature: the package that the chapters of the course import."""

import os

# How long torch's threads wait actively for each other before they sleep. With the default, a small model becomes very
# slow as soon as another program uses a core. With 0, it loses a third of its speed on an idle machine. The setting
# works only if torch is imported after this line.
os.environ.setdefault("GOMP_SPINCOUNT", "3000")


def __getattr__(name: str):
    if name == "from_pretrained":  # imported here, because it imports torch
        from seqbook.pretrained import from_pretrained

        return from_pretrained
    raise AttributeError(f"module 'seqbook' has no attribute {name!r}")
