"""Part 6, measurements of prefix decoders: reading with either mask (C25), operations (C26), and several turns."""

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any

import pandas as pd
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from seqbook.experiments.trials import train, untrained
from seqbook.models.prefix_lm import PrefixLM, PrefixLMConfig
from seqbook.nn.mode import evaluating
from seqbook.objectives.batch import Batch, Objective
from seqbook.objectives.chain import Chain, ChainConfig, Rows
from seqbook.objectives.prefix import PrefixMask
from seqbook.recipes import configure
from seqbook.training import TrainingConfig, fit

# ---- C25: tasks where the whole input matters


def chain(
    seed: int, prefix: PrefixMask, hops: int, *, n_layers: int = 2, steps: int = 2_000, n_train: int = 20_000
) -> dict[str, Any]:
    """A small stack that learns to follow chains of assignments, with this mask.

    accuracies: the share of right answers for held-out rows, at the steps `evaluated_at`; chance: that of a model that
    answers with the end of a random chain.
    """
    config = ChainConfig(hops=hops)
    objective = Chain(config, bidirectional=prefix == "bidirectional")
    torch.manual_seed(seed)
    sizes = {"d_model": 64, "n_layers": n_layers, "max_len": 2 * config.n_chains * hops + 2}
    model = PrefixLMConfig(**objective.sizes(), **sizes, positions="rotary").build()
    training = TrainingConfig(steps=steps, batch_size=64, learning_rate=3e-3, warmup=100, evaluations=10)
    splits = Rows(n_train, config, seed=seed), Rows(500, config, seed=1_000_000)
    history = [step for step in fit(model, objective, *splits, training, seed=seed) if "val_loss" in step]
    return {
        "params": sum(p.numel() for p in model.parameters()),
        "chance": 1 / config.n_chains,
        "evaluated_at": [step["step"] for step in history],
        "accuracies": [step["val_accuracy"] for step in history],
        "val_loss": history[-1]["val_loss"],
    }


def order(seed: int, prefix: PrefixMask, rotary: bool, *, n_layers: int = 2, steps: int = 1_000) -> dict[str, Any]:
    """Translation by one stack with this mask, with rotary positions or without any. Nothing is decoded.

    Without positions, only the mask can tell the order of the tokens.
    """
    recipe = configure("prefix-translation", prefix=prefix, n_layers=n_layers, steps=steps, evaluations=2)
    run = train(untrained(recipe, seed, (lambda model: model) if rotary else without_positions), recipe, seed)
    return {name: run.result[name] for name in ("params", "steps", "learning_rate", "val_losses", "val_loss")}


def without_positions(model: PrefixLM) -> PrefixLM:
    """The model without its rotary positions, changed in place."""
    for block in model.stack.blocks:
        block.attention.rotary = None
    return model


# ---- C26: what a step costs


def operations(call: Callable[[], Any]) -> int:
    """The floating-point operations of the matrix products in `call`, counted by torch: two per multiplication and sum.

    Attention is computed without a fused kernel meanwhile, because torch cannot look into one. In both ways of computing
    it, products of hidden pairs count.
    """
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


def step_operations(model: nn.Module, objective: Objective, batch: Batch) -> dict[str, int]:
    """What one training step computes: the positions that the model reads, those with logits, and the operations of its
    forward and backward pass."""

    def step() -> None:
        objective.loss(model(*batch.inputs), batch.labels).backward()

    counted = operations(step)
    model.zero_grad(set_to_none=True)
    read = sum(t.numel() for t in batch.inputs if t.dim() == 2)
    return {"positions": read, "with logits": batch.labels.numel(), "step": counted}


# ---- Several turns


def turns(
    model: PrefixLM, prefix: PrefixMask, *, n_turns: int = 6, message: int = 40, answer: int = 40
) -> pd.DataFrame:
    """What each turn of a conversation costs: one row per turn, with the number of positions that the model computes, the
    operations (10⁹) and the seconds. Messages and answers are random tokens.

    causal: the cache of the earlier turns stays valid, so only the message and the answer are read. bidirectional: the
    history and the message are one prefix, so its states change with every message, and all of it is read again.
    """
    with torch.inference_mode(), evaluating(model):
        conversation = _Conversation(model, prefix, message, answer)
        rows = {}
        for turn in range(1, n_turns + 1):
            before, history = conversation.positions, conversation.ids
            began = perf_counter()
            conversation.take_turn(history)
            seconds = perf_counter() - began
            rows[turn] = {"positions": conversation.positions - before, "seconds": seconds}
        again = _Conversation(model, prefix, message, answer)
        for turn in range(1, n_turns + 1):
            rows[turn]["operations"] = operations(lambda: again.take_turn(again.ids)) / 1e9
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("turn")


class _Conversation:
    def __init__(self, model: PrefixLM, prefix: PrefixMask, message: int, answer: int):
        self.model, self.prefix, self.message, self.answer = model, prefix, message, answer
        self.ids = torch.empty(1, 0, dtype=torch.long)
        self.state, self.positions = None, 0

    def take_turn(self, history: torch.Tensor) -> None:
        """Read a message of random tokens, and write an answer of random tokens."""
        vocab_size, model = self.model.config.vocab_size, self.model
        new = torch.randint(vocab_size, (1, self.message + self.answer))
        read, written = new[:, : self.message], new[:, self.message :]
        if self.prefix == "bidirectional" or self.state is None:
            read = torch.cat([history, read], dim=1)
            causal = None if self.prefix == "bidirectional" else torch.zeros(1, dtype=torch.long)
            _, self.state = model.prefill(read, prefix_lengths=causal)
        else:
            for t in range(read.shape[1]):
                _, self.state = model.decode(read[:, t], self.state)
        for t in range(written.shape[1]):
            _, self.state = model.decode(written[:, t], self.state)
        self.positions += read.shape[1] + written.shape[1]
        self.ids = torch.cat([history, new], dim=1)


def by_value(rows: Sequence[Mapping[str, Any]], column: str, measure: str) -> dict[Any, list[float]]:
    """The values of `measure` of all rows, for each value of `column`."""
    found: dict[Any, list[float]] = {}
    for row in rows:
        found.setdefault(row[column], []).append(row[measure])
    return found
