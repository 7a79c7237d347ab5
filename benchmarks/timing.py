"""What the benchmarks share: training steps, their memory, goals, and how much of a batch is padding."""

import gc
import itertools
import json
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
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


def peak(begin: Callable[[], Callable]) -> int:
    """The most bytes that tensors held at once while `begin` built a system, whose steps were then called twice."""
    gc.collect()  # what an earlier one held isn't to be released within
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profiler:
        steps = begin()
        steps()
        steps()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder, "trace.json")
        profiler.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text(encoding="utf-8"))["traceEvents"]
    changes = sorted((event["ts"], event["args"]["Bytes"]) for event in events if event["name"] == "[memory]")
    return max(itertools.accumulate(change for _, change in changes))


def goal(name: str, ours: float, least: float) -> dict:
    return {"model": f"goal: {name}", "ours": ours, "goal": least, "reached": ours >= least}


def spread(seconds: list[float]) -> list[float]:
    """The fastest and the slowest round, in medians."""
    return [bound / statistics.median(seconds) for bound in (min(seconds), max(seconds))]


def padding(lengths: list[tuple[int, int]], batches: list[list[int]]) -> float:
    """The share of positions, of sources and targets, that hold padding."""
    real = sum(sum(lengths[i]) for batch in batches for i in batch)
    return 1 - real / sum(len(batch) * max(lengths[i][side] for i in batch) for batch in batches for side in (0, 1))
