"""Doing what a recipe says, once: prepare its data, train, score, keep the result in a folder, read it again."""

from seqbook.runs.run import Run, System, load, run, run_all
from seqbook.training.device import device

__all__ = ["Run", "System", "device", "load", "run", "run_all"]
