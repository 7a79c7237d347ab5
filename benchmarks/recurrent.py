"""Training steps of part 1's models against torch.nn.LSTM alone at the same sizes, forward and backward (the ceiling).

On the recipe's own batches (length buckets). Runs are interleaved, so that a machine that slows down slows all; the
medians are compared. `tokens_ratio` compares real target tokens a second; the bare LSTM has less to do for a token (no scores,
no vocabulary), so `matrix_ratio` compares the work done: multiplications in matrix products a second.
"""

import statistics
from collections.abc import Callable

import torch
from benchmarks.timing import at_hand, padding, spread, training
from datasets import load_from_disk
from torch import nn

from seqbook.data.loader import LengthBuckets
from seqbook.experiments.speed import in_turn
from seqbook.objectives.batch import Batch
from seqbook.recipes import configure
from seqbook.runs import System
from seqbook.runs.build import build
from seqbook.runs.prepare import prepare

ROUNDS, BATCHES = 7, 12
GOAL = 0.6  # of the bare LSTM's rate at the same matrix work, for attention at the recipe's sizes


def measure() -> list[dict]:
    recipe = configure("attention")
    prepared = prepare(recipe)
    systems = {
        "attention (dot)": System(*build(recipe, prepared, seed=0)),
        "attention (additive)": System(*build(configure("attention", context="additive"), prepared, seed=0)),
        "rnn": System(*build(configure("rnn"), prepared, seed=0)),
    }
    objective = systems["rnn"].objective
    examples = objective.examples(load_from_disk(str(prepared))["train"])
    lengths = [objective.lengths(example) for example in examples]
    plan = LengthBuckets(lengths, recipe.training.batch_size)
    epoch = [plan.batch(step) for step in range(plan.steps_per_epoch)]
    batches = [objective.collate([examples[i] for i in batch]) for batch in epoch[:BATCHES]]
    tokens = sum(batch.n_tokens for batch in batches)

    steps = {
        name: training(system.model, system.objective, at_hand(batches), recipe.training)
        for name, system in systems.items()
    }
    steps["bare LSTM"] = bare_lstm(systems["rnn"].model.config.d_model, batches)
    seconds = in_turn(steps, ROUNDS)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    work = {name: matrix_work(name, systems, batches) for name in steps}
    rows = []
    for name, median in medians.items():
        row = {"model": name, "tokens_per_second": tokens / median, "gflop_per_second": work[name] / median / 1e9}
        row["tokens_ratio"] = medians["bare LSTM"] / median
        row["matrix_ratio"] = row["gflop_per_second"] / (work["bare LSTM"] / medians["bare LSTM"] / 1e9)
        rows.append(row | {"spread": spread(seconds[name])})
    reached = next(row["matrix_ratio"] for row in rows if row["model"] == "attention (dot)")
    rows.append({"model": "goal", "attention_of_bare_lstm": reached, "goal": GOAL, "reached": reached >= GOAL})
    return [*rows, {"model": "padding", "share_of_all_positions": padding(lengths, epoch)}]


def bare_lstm(d_model: int, batches: list[Batch]) -> Callable:
    """The LSTMs of the models (two directions of half the width; one of the whole width), fed with zeros of the sizes."""
    forwards, backwards = (nn.LSTM(d_model, d_model // 2, batch_first=True) for _ in range(2))
    decoder = nn.LSTM(d_model, d_model, batch_first=True)

    def step():
        for batch in batches:
            source, target = (torch.zeros(*ids.shape, d_model, requires_grad=True) for ids in batch.inputs)
            loss = forwards(source)[0].sum() + backwards(source)[0].sum() + decoder(target)[0].sum()
            loss.backward()

    return step


def matrix_work(name: str, systems: dict[str, System], batches: list) -> float:
    """Floating-point operations in matrix products of one pass over the batches, forward and backward (three times)."""
    d = systems["rnn"].model.config.d_model
    vocab = systems["rnn"].model.config.target_vocab_size
    total = 0
    for batch in batches:
        (b, source), (_, target) = (ids.shape for ids in batch.inputs)
        products = b * source * 2 * (4 * (d // 2)) * (d + d // 2) + b * target * 4 * d * 2 * d
        if name != "bare LSTM":
            products += b * target * (2 * d * d + d * vocab) + b * d * 2 * d
        if name.startswith("attention"):
            products += b * target * source * 2 * d
        if "additive" in name:
            products += b * (source + target) * d * d
        total += 3 * 2 * products
    return total
