"""Running a recipe once: prepare its data, train, score, store the result in a folder, and load it again."""

from seqbook.runs.run import Run, System, load, run, run_all
from seqbook.training.device import device

__all__ = ["Run", "System", "device", "load", "run", "run_all"]
