"""How soon 1.88 nats per character, nanoGPT's loss on a CPU (`python -m benchmarks.shakespeare`, about 12 minutes).

Three trainings on the first nine tenths of Tiny Shakespeare, measured on the whole last tenth, for three seeds: the
reference, transformers' GPT2LMHeadModel with the sizes, beginning, optimiser and schedule that nanoGPT has for CPUs (4
layers, 4 heads, 128 wide, windows of 64, batches of 12, 2,000 steps, a cosine to a tenth of the rate, β2 of 0.99); the
recipe gpt-shakespeare, the same sizes, batches and steps as the course trains them; and gpt-shakespeare-best.

They train in turn, a twentieth of each at a time, so that a machine that slows down slows all. The goal is a third of the
time of the faster of the first two. No part of `make bench`, which measures steps.
"""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import seqbook  # noqa: F401  before torch: it sets how threads wait

# isort: split
import torch
from accelerate import Accelerator
from benchmarks.corpora import corpus
from benchmarks.gpt import GPT2
from datasets import load_from_disk
from torch import nn

from seqbook.data.loader import batches
from seqbook.metrics import mean_nll
from seqbook.recipes import configure
from seqbook.runs.build import build
from seqbook.runs.prepare import prepare
from seqbook.runs.published import FOLDER, commit
from seqbook.training import TrainingConfig, adamw, learning_rate, training_step
from seqbook.training.device import device_name

SEEDS, SLICES, LOSS, GOAL = 3, 20, 1.88, 1 / 3
RECIPES = ("gpt-shakespeare", "gpt-shakespeare-best")


class Training:
    """One system on its way; `go` takes it a slice of its steps further."""

    def __init__(self, name: str, folder: Path, seed: int):
        recipe = configure("gpt-shakespeare" if name == "reference" else name)
        prepared = prepare(recipe, folder)
        self.model: nn.Module
        self.model, self.objective = build(recipe, prepared, seed)
        splits, self.config, self.seconds = load_from_disk(str(prepared)), recipe.training, 0.0
        self.train, self.validation = (self.objective.examples(splits[part]) for part in ("train", "validation"))
        self.plan = batches(self.train, self.objective.lengths, self.config.batch_size, seed)
        self.rate: Callable[[int, TrainingConfig], float] = learning_rate
        if name == "reference":
            sizes = {
                key: getattr(self.model.config, key)
                for key in ("d_model", "n_heads", "n_layers", "max_len", "vocab_size")
            }
            self.model, self.rate = GPT2(**sizes, activation="gelu"), cosine
        self.optimizer, self.accelerator = adamw(self.model.train(), self.config), Accelerator(cpu=True)
        if name == "reference":
            for group in self.optimizer.param_groups:
                group["betas"] = (0.9, 0.99)

    def go(self, part: int) -> None:
        steps = self.config.steps
        began = time.perf_counter()
        for step in range(steps * part // SLICES, steps * (part + 1) // SLICES):
            training_step(
                self.model,
                self.objective,
                self.objective.collate([self.train[i] for i in self.plan.batch(step)]),
                self.optimizer,
                self.rate(step, self.config),
                self.config.clip,
                self.accelerator,
            )
        self.seconds += time.perf_counter() - began


def cosine(step: int, config: TrainingConfig) -> float:
    """The reference's learning rate: up to the peak, then half a wave down to a tenth of it."""
    if step < config.warmup:
        return config.learning_rate * (step + 1) / (config.warmup + 1)
    done = (step - config.warmup) / (config.steps - config.warmup)
    return config.learning_rate * (0.1 + 0.45 * (1 + math.cos(math.pi * done)))


def measure(seed: int) -> list[dict]:
    trainings = {name: Training(name, corpus("tiny_shakespeare"), seed) for name in ("reference", *RECIPES)}
    for part in range(SLICES):
        for training in trainings.values():
            training.go(part)
    least = min(trainings[name].seconds for name in ("reference", RECIPES[0]))
    rows = []
    for name, training in trainings.items():
        loss = mean_nll(training.model, training.objective, training.validation)
        row = {"system": name, "seed": seed, "params": sum(p.numel() for p in training.model.parameters())}
        row |= {"steps": training.config.steps, "val_loss": loss, "seconds": training.seconds}
        rows.append(row | {"of_the_faster": training.seconds / least})
    best = rows[-1]
    reached = best["val_loss"] <= LOSS and best["of_the_faster"] <= GOAL
    return [*rows, {"goal": f"{LOSS} in a third of the time", "seed": seed, "reached": reached}]


if __name__ == "__main__":
    torch.set_num_threads(min(2, torch.get_num_threads()))
    rows = []
    for seed in range(SEEDS):
        rows += measure(seed)
        print(*rows[-4:], sep="\n", flush=True)
    result = {"command": "python -m benchmarks.shakespeare", "commit": commit(), "device": device_name(), "rows": rows}
    (FOLDER / "shakespeare.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
