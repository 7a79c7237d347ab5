"""The training loop of the course: any model, any objective, any number of processes.

All random choices of a step (its batch, its masks, its dropout) are a function of the seed and the step. So the
weights, the optimiser's moments and the step are enough to continue a run exactly as if it had not been interrupted.
"""

import math
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch import nn
from tqdm import tqdm

from seqbook import metrics
from seqbook.data.loader import batches
from seqbook.objectives.batch import Batch, Objective
from seqbook.training.checkpoints import Checkpoints, Identity
from seqbook.training.device import on_cpu, precision
from seqbook.training.optimizer import TrainingConfig, adamw, learning_rate

SAVE_AFTER = 300.0  # seconds since the last checkpoint: where steps are slow, a fifth of them is hours


def fit(
    model: nn.Module,
    objective: Objective,
    train: Sequence,
    validation: Sequence,
    config: TrainingConfig,
    *,
    seed: int = 0,
    out: Path | None = None,
    identity: Identity = Identity(),  # noqa: B008
) -> list[dict]:
    """Train `model` in place; returns its history, one dict per step with loss (nats per token), learning rate, tokens.

    A step with an evaluation also has val_loss, and val_accuracy if the labels are classes. With early stopping, the
    model ends with the weights of the evaluation with the lowest val_loss, and the row of this step is marked as "kept".

    out: the folder of the checkpoints; a run that finds its own checkpoints there continues from the last one.
    identity: identifies this run; checkpoints of another run raise an error.

    Raises:
        FloatingPointError: the loss or the gradient is not finite; names step, loss and learning rate.
        KeyboardInterrupt: after Ctrl-C or SIGTERM, once the step is complete and a checkpoint is saved.
        StorageError: `out` cannot be written.
    """
    accelerator = Accelerator(mixed_precision=precision(), cpu=on_cpu())
    optimizer = adamw(model, config)
    plan = batches(train, objective.lengths, config.batch_size, seed)
    checkpoints = Checkpoints(out, identity, accelerator.is_main_process)
    history, best = checkpoints.resume(model, optimizer)
    network, optimizer = accelerator.prepare(model, optimizer)
    rank, processes = accelerator.process_index, accelerator.num_processes
    network.train()

    saved = time.monotonic()
    with _asked_to_stop() as interrupted, _progress_bar(accelerator, config.steps, len(history)) as bar:
        for step in range(len(history), config.steps):
            if interrupted.is_set() or _runs_out_of_patience(history, config.patience):
                break
            began = time.perf_counter()

            # batch: this process takes every n-th example of the step's batch
            draw = hash((seed, step, rank))
            torch.manual_seed(draw)
            chosen = [train[i] for i in plan.batch(step)[rank::processes]]

            # forward, loss, backward, clip, update
            rate = learning_rate(step, config)
            loss, norm, n_tokens = training_step(
                network,
                objective,
                objective.collate(chosen, torch.Generator().manual_seed(draw)).to(accelerator.device),
                optimizer,
                rate,
                config.clip,
                accelerator,
            )
            if not math.isfinite(loss + norm):
                raise FloatingPointError(
                    f"step {step + 1}: loss {loss}, gradient norm {norm}, at learning rate {rate:.3g}. "
                    f"{checkpoints.last_good()} Lower learning_rate, or lengthen warmup."
                )

            # log
            seconds = time.perf_counter() - began
            history.append(
                {"step": step + 1, "loss": loss, "learning_rate": rate, "tokens": n_tokens, "seconds": seconds}
            )

            # evaluate, keep the best weights, save
            if (step + 1) % config.evaluate_every == 0 or step + 1 == config.steps:
                # as the first process finds it: all of them must stop at the same step
                (found,) = broadcast_object_list([metrics.evaluate(model, objective, validation)])
                history[-1] |= {f"val_{name}": value for name, value in found.items()}
                if config.patience and _is_best(history):
                    best = {name: t.detach().clone() for name, t in model.state_dict().items()}
            if "val_loss" in history[-1] or time.monotonic() - saved > SAVE_AFTER:
                checkpoints.save(model, optimizer, history, best)
                saved = time.monotonic()
            _show(bar, history)
        if interrupted.is_set():
            if history:
                checkpoints.save(model, optimizer, history, best)
            raise KeyboardInterrupt(f"stopped after step {len(history)} of {config.steps}. {checkpoints.last_good()}")
    if best:
        model.load_state_dict(best)
    return history


def training_step(
    model: nn.Module,
    objective: Objective,
    batch: Batch,
    optimizer: torch.optim.Optimizer,
    rate: float,
    clip: float,
    accelerator: Accelerator,
) -> tuple[float, float, int]:
    """Update the weights once. Returns the mean loss, the norm of the gradient and the number of predicted tokens, over
    the batches of all processes. If the loss or its gradient is not finite, the weights do not change."""
    counts = torch.tensor([batch.n_labels, batch.n_tokens], device=accelerator.device)
    n_labels, n_tokens = accelerator.reduce(counts).tolist()

    # forward, loss: the loss is a sum over labels, also over those of the other processes
    with accelerator.autocast():
        loss = objective.loss(model(*batch.inputs), batch.labels) / n_labels
    del batch  # frees what the graph does not need

    # backward: gradients are averaged over the processes, where we want their sum
    accelerator.backward(loss * accelerator.num_processes)

    # clip, update
    norm = accelerator.clip_grad_norm_(model.parameters(), clip)
    for group in optimizer.param_groups:
        group["lr"] = rate
    if norm.isfinite():
        optimizer.step()
    optimizer.zero_grad()
    return accelerator.reduce(loss.detach()).item(), norm.item(), n_tokens


def _is_best(history: list[dict]) -> bool:
    """Whether the newest validation loss is the lowest so far. If so, its row is marked as kept, in place of another."""
    newest, before = history[-1], next((row for row in history if "kept" in row), None)
    if before is not None and not newest["val_loss"] < before["val_loss"]:
        return False
    if before is not None:
        del before["kept"]
    newest["kept"] = True
    return True


def _runs_out_of_patience(history: list[dict], patience: int) -> bool:
    """Whether none of the last `patience` evaluations was the best one. Called after each evaluation."""
    if not patience or not history or "val_loss" not in history[-1]:
        return False
    evaluated = [row for row in history if "val_loss" in row]
    return not any("kept" in row for row in evaluated[-patience:])


@contextmanager
def _asked_to_stop() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, so that no step is interrupted in the middle; never set outside the main
    thread. SIGTERM is how schedulers, and Colab, end a program."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = {kind: signal.signal(kind, lambda *_: event.set()) for kind in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def _progress_bar(accelerator: Accelerator, steps: int, done: int) -> tqdm:
    """A progress bar that only the main process shows."""
    return tqdm(total=steps, initial=done, unit="step", disable=not accelerator.is_main_process, mininterval=0.5)


def _show(bar: tqdm, history: list[dict]) -> None:
    recent = history[-20:]
    tokens_per_second = sum(row["tokens"] for row in recent) / sum(row["seconds"] for row in recent)
    bar.set_postfix_str(f"loss {history[-1]['loss']:.3f}, {tokens_per_second:,.0f} tokens/s", refresh=False)
    bar.update()
