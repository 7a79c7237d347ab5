"""What the benchmarks share: a training step, timing in turn, and how much of a batch is padding."""

import statistics
import time
from collections.abc import Callable

from torch import nn

from seqbook.objectives.batch import Batch
from seqbook.objectives.seq2seq import Seq2Seq
from seqbook.train import Budget, adamw


def training_step(model: nn.Module, objective: Seq2Seq, batches: list[Batch], budget: Budget) -> Callable:
    """What `train.fit` does, once for each of the batches: forward, loss, backward, clip, step."""
    optimizer = adamw(model, budget)

    def step():
        for batch in batches:
            loss = objective.loss(model(*batch.inputs), batch.labels) / batch.n_tokens
            del batch
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()

    return step


def in_turn(calls: dict[str, Callable], rounds: int) -> dict[str, list[float]]:
    """Seconds of each call in each round; a first round warms up."""
    seconds = {name: [] for name in calls}
    for turn in range(rounds + 1):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            if turn:
                seconds[name].append(time.perf_counter() - began)
    return seconds


def spread(seconds: list[float]) -> list[float]:
    """The fastest and the slowest round, in medians."""
    return [bound / statistics.median(seconds) for bound in (min(seconds), max(seconds))]


def padding(lengths: list[tuple[int, int]], batches: list[list[int]]) -> float:
    """The share of positions, of sources and targets, that hold padding."""
    real = sum(sum(lengths[i]) for batch in batches for i in batch)
    return 1 - real / sum(len(batch) * max(lengths[i][side] for i in batch) for batch in batches for side in (0, 1))
