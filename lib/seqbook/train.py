"""The one training loop of the course, over accelerate: any model, any objective, any number of processes.

All that is random in a step (its batch, its dropout) is a function of the seed and the step alone. So a run needs only
weights, moments and the step to go on exactly as if it had never been interrupted.
"""

import math
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator, PartialState
from torch import nn
from tqdm import tqdm

from seqbook import metrics
from seqbook.checkpoints import Checkpoints
from seqbook.data.loader import batches
from seqbook.nn.checks import check_positive
from seqbook.objectives.batch import Objective


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How long and how fast a model trains. Compared models share it.

    steps: optimiser steps; batch_size: examples a step, over all processes; learning_rate: at its peak; warmup: steps
    from 0 to the peak, after which a straight line leads to 0; clip: the gradient's largest norm; evaluations: how often,
    over the run, the validation loss is measured and a checkpoint is kept.
    """

    steps: int
    batch_size: int = 64
    learning_rate: float = 1e-3
    warmup: int = 100
    weight_decay: float = 0.01
    clip: float = 1.0
    evaluations: int = 5

    def __post_init__(self):
        check_positive(steps=self.steps, batch_size=self.batch_size, evaluations=self.evaluations)


def fit(
    model: nn.Module,
    objective: Objective,
    train: Sequence,
    validation: list,
    budget: Budget,
    *,
    seed: int = 0,
    out: Path | None = None,
    identity: str = "",
) -> list[dict]:
    """Train `model` in place and return its history: a dict a step with loss (nats per token), learning rate, tokens.

    out: the folder of the checkpoints; a run that finds its own there goes on from the last one.
    identity: what this run is; a checkpoint of another one is refused.

    Raises:
        FloatingPointError: the loss or the gradient is not finite; names step, loss and learning rate.
        KeyboardInterrupt: after Ctrl-C, once the step is complete and a checkpoint is kept.
        StorageError: `out` can't be written.
    """
    accelerator = Accelerator(mixed_precision=precision(), cpu=on_cpu())
    optimizer = adamw(model, budget)
    plan = batches(train, objective.lengths, budget.batch_size, seed)
    checkpoints = Checkpoints(out, identity, accelerator.is_main_process)
    history = checkpoints.resume(model, optimizer)
    network, optimizer = accelerator.prepare(model, optimizer)
    rank, processes = accelerator.process_index, accelerator.num_processes
    save_every = math.ceil(budget.steps / budget.evaluations)
    network.train()
    with ctrl_c() as interrupted, progress(accelerator, budget.steps, len(history)) as bar:
        for step in range(len(history), budget.steps):
            began = time.perf_counter()
            torch.manual_seed(hash((seed, step, rank)))
            batch = objective.collate([train[i] for i in plan.batch(step)[rank::processes]]).to(accelerator.device)
            counts = torch.tensor([batch.n_labels, batch.n_tokens], device=accelerator.device)
            n_labels, n_tokens = accelerator.reduce(counts).tolist()
            with accelerator.autocast():
                loss = objective.loss(network(*batch.inputs), batch.labels) / n_labels
            del batch  # what backward needs of it, the graph holds
            accelerator.backward(loss * processes)  # the processes' gradients are averaged, the loss is a sum over them
            norm = accelerator.clip_grad_norm_(network.parameters(), budget.clip)
            nats = accelerator.reduce(loss.detach()).item()
            rate = learning_rate(step, budget)
            if not math.isfinite(nats + float(norm)):
                raise FloatingPointError(
                    f"step {step + 1}: loss {nats}, gradient norm {float(norm)}, at learning rate {rate:.3g}. "
                    f"{checkpoints.last_good()} Lower learning_rate, or lengthen warmup."
                )
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
            optimizer.zero_grad()
            seconds = time.perf_counter() - began
            history.append(
                {"step": step + 1, "loss": nats, "learning_rate": rate, "tokens": n_tokens, "seconds": seconds}
            )
            if (step + 1) % save_every == 0 or step + 1 == budget.steps:
                history[-1]["val_loss"] = metrics.nats_per_token(model, objective, validation)
            if "val_loss" in history[-1] or interrupted.is_set():
                checkpoints.save(model, optimizer, history)
            show(bar, history)
            if interrupted.is_set():
                raise KeyboardInterrupt(f"stopped after step {step + 1} of {budget.steps}. {checkpoints.last_good()}")
    return history


def learning_rate(step: int, budget: Budget) -> float:
    """Up in a straight line for `warmup` steps, then down to 0 in another {cite}`bergsma2025straight`. `step` counts from 0."""
    up = (step + 1) / max(1, budget.warmup)
    down = (budget.steps - step) / max(1, budget.steps - budget.warmup)
    return budget.learning_rate * min(1.0, up, down)


def adamw(model: nn.Module, budget: Budget) -> torch.optim.AdamW:
    """AdamW {cite}`loshchilov2019decoupled` that leaves biases and gains, which have one dimension, undecayed.

    β₂ is 0.95, as in {cite}`brown2020language`: in runs this short the usual 0.999 remembers the first steps to the end.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": budget.weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=budget.learning_rate, betas=(0.9, 0.95), fused=True)


def precision() -> str:
    """bf16 where the device has it fast (a GPU since 2020), else fp32."""
    return "bf16" if torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False) else "no"


def device() -> torch.device:
    """The best device that is here: CUDA, then MPS, then the CPU."""
    return PartialState(cpu=on_cpu()).device


def on_cpu() -> bool:
    """Whether there is no GPU. Accelerate must be told, or several processes on CPUs each train alone."""
    return not (torch.cuda.is_available() or torch.backends.mps.is_available())


@contextmanager
def ctrl_c() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets, so that a step is never cut in the middle; outside the main thread, never set."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = signal.signal(signal.SIGINT, lambda *_: event.set())
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)


def progress(accelerator: Accelerator, steps: int, done: int) -> tqdm:
    """A bar that only the main process draws."""
    return tqdm(total=steps, initial=done, unit="step", disable=not accelerator.is_main_process, mininterval=0.5)


def show(bar: tqdm, history: list[dict]) -> None:
    recent = history[-20:]
    tokens_per_second = sum(row["tokens"] for row in recent) / sum(row["seconds"] for row in recent)
    bar.set_postfix_str(f"loss {history[-1]['loss']:.3f}, {tokens_per_second:,.0f} tokens/s", refresh=False)
    bar.update()
