"""What the benchmarks share: training steps, timing in turn, and how much of a batch is padding."""

import statistics
from collections.abc import Callable, Sequence

from accelerate import Accelerator
from torch import nn

from seqbook.objectives.batch import Batch, Objective
from seqbook.training import TrainingConfig, adamw, training_step


def training(
    model: nn.Module, objective: Objective, fetches: Sequence[Callable[[], Batch]], config: TrainingConfig
) -> Callable:
    """One `training_step` for each of the batches, which are fetched one after the other."""
    optimizer, accelerator = adamw(model, config), Accelerator(cpu=True)

    def steps():
        for fetch in fetches:  # handed over as it is fetched, so that nothing here keeps a batch alive
            training_step(model, objective, fetch(), optimizer, config.learning_rate, config.clip, accelerator)

    return steps


def at_hand(batches: Sequence[Batch]) -> list[Callable[[], Batch]]:
    """Batches that were made before, to be fetched."""
    return [lambda batch=batch: batch for batch in batches]


def spread(seconds: list[float]) -> list[float]:
    """The fastest and the slowest round, in medians."""
    return [bound / statistics.median(seconds) for bound in (min(seconds), max(seconds))]


def padding(lengths: list[tuple[int, int]], batches: list[list[int]]) -> float:
    """The share of positions, of sources and targets, that hold padding."""
    real = sum(sum(lengths[i]) for batch in batches for i in batch)
    return 1 - real / sum(len(batch) * max(lengths[i][side] for i in batch) for batch in batches for side in (0, 1))
