"""Training steps of part 1's models against torch.nn.LSTM alone at the same sizes, forward and backward (the ceiling).

On the recipe's own batches (length buckets). Runs are interleaved, so that a machine that slows down slows all; the
medians are compared. `tokens_ratio` compares real target tokens a second; the bare LSTM has less to do for a token (no scores,
no vocabulary), so `matrix_ratio` compares the work done: multiplications in matrix products a second.
"""

import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

from seqbook import runs
from seqbook.data.loader import LengthBuckets
from seqbook.recipes import configure
from seqbook.train import adamw

ROUNDS, BATCHES = 7, 12
GOAL = 0.6  # of the bare LSTM's rate at the same matrix work, for attention at the recipe's sizes


def measure() -> list[dict]:
    recipe = configure("attention")
    prepared = runs.prepare(recipe)
    systems = {
        "attention (dot)": runs.build(recipe, prepared),
        "attention (additive)": runs.build(configure("attention", context="additive"), prepared),
        "rnn": runs.build(configure("rnn"), prepared),
    }
    objective = systems["rnn"].objective
    examples = runs.examples(runs.load_from_disk(str(prepared))["train"])
    plan = LengthBuckets([objective.lengths(example) for example in examples], recipe.budget.batch_size)
    batches = [objective.collate([examples[i] for i in plan.batch(step)]) for step in range(BATCHES)]
    tokens = sum(batch.n_tokens for batch in batches)

    steps = {name: training_step(system) for name, system in systems.items()}
    steps["bare LSTM"] = bare_lstm(systems["rnn"].model.config.d_model)
    seconds = {name: [] for name in steps}
    for turn in range(ROUNDS + 1):
        for name, step in steps.items():
            began = time.perf_counter()
            for batch in batches:
                step(batch)
            if turn:  # the first round warms up
                seconds[name].append(time.perf_counter() - began)

    medians = {name: statistics.median(times) for name, times in seconds.items()}
    work = {name: matrix_work(name, systems, batches) for name in steps}
    rows = []
    for name, median in medians.items():
        row = {"model": name, "tokens_per_second": tokens / median, "gflop_per_second": work[name] / median / 1e9}
        row["tokens_ratio"] = medians["bare LSTM"] / median
        row["matrix_ratio"] = row["gflop_per_second"] / (work["bare LSTM"] / medians["bare LSTM"] / 1e9)
        rows.append(row | {"spread": [min(seconds[name]) / median, max(seconds[name]) / median]})
    reached = next(row["matrix_ratio"] for row in rows if row["model"] == "attention (dot)")
    rows.append({"model": "goal", "attention_of_bare_lstm": reached, "goal": GOAL, "reached": reached >= GOAL})
    return [*rows, {"model": "padding", "share_of_all_positions": padding(plan, examples)}]


def training_step(system: runs.System) -> Callable:
    """What `train.fit` does with a batch: forward, loss, backward, clip, step."""
    model, objective = system.model, system.objective
    optimizer = adamw(model, configure("attention").budget)

    def step(batch):
        loss = objective.loss(model(*batch.inputs), batch.labels) / batch.n_tokens
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def bare_lstm(d_model: int) -> Callable:
    """The LSTMs of the models (two directions of half the width; one of the whole width), fed with zeros of the sizes."""
    forwards, backwards = (nn.LSTM(d_model, d_model // 2, batch_first=True) for _ in range(2))
    decoder = nn.LSTM(d_model, d_model, batch_first=True)

    def step(batch):
        source, target = (torch.zeros(*ids.shape, d_model, requires_grad=True) for ids in batch.inputs)
        loss = forwards(source)[0].sum() + backwards(source)[0].sum() + decoder(target)[0].sum()
        loss.backward()

    return step


def matrix_work(name: str, systems: dict[str, runs.System], batches: list) -> float:
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


def padding(plan: LengthBuckets, examples: list) -> float:
    """The share of positions, of sources and targets of an epoch's batches, that hold padding."""
    padded = real = 0
    for step in range(plan.steps_per_epoch):
        chosen = [examples[i] for i in plan.batch(step)]
        for side, extra in ((0, 0), (1, 1)):
            lengths = [len(example[side]) + extra for example in chosen]
            real += sum(lengths)
            padded += len(lengths) * max(lengths) - sum(lengths)
    return padded / (padded + real)
