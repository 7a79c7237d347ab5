"""Sequence models in miniature: the package that the chapters of the course import."""

import os

# torch's threads sleep while they wait for each other, instead of spinning: as soon as something else uses a core, spinning
# makes an LSTM's many small steps ten times slower. It counts only if torch is imported after this.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def __getattr__(name: str):
    if name == "from_pretrained":  # imported only now, as it brings torch along
        from seqbook.pretrained import from_pretrained

        return from_pretrained
    raise AttributeError(f"module 'seqbook' has no attribute {name!r}")
