"""Sequence models in miniature: the package that the chapters of the course import."""

import os

# torch's threads should sleep while they wait for each other, not spin: where anything else uses the processor, spinning
# makes an LSTM's many small steps twenty times slower. It counts only if torch is imported after this.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
