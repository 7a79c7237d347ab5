"""Part 6, measurements of prefix decoders: reading with either mask (C25), operations (C26), and several turns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any, Literal

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from seqbook.experiments.trials import folder_of, train, untrained
from seqbook.models.prefix_lm import PrefixLM, PrefixLMConfig, PrefixState
from seqbook.nn import masks
from seqbook.nn.mode import evaluating
from seqbook.objectives.batch import Batch, Objective
from seqbook.objectives.chain import Chain, ChainConfig, Rows
from seqbook.objectives.prefix import PrefixMask
from seqbook.recipes import configure
from seqbook.training import TrainingConfig, fit

# ---- C25: tasks where the whole input matters


def chain(
    seed: int,
    prefix: PrefixMask,
    hops: int,
    steps: int,
    *,
    learning_rate: float = 1e-3,
    n_layers: int = 2,
    n_train: int = 400_000,
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
    training = TrainingConfig(steps=steps, batch_size=64, learning_rate=learning_rate, warmup=100, evaluations=10)
    splits = Rows(n_train, config, seed=seed), Rows(500, config, seed=1_000_000)
    out = folder_of(__name__, seed, prefix, hops, steps, learning_rate, n_layers, n_train)
    history = [step for step in fit(model, objective, *splits, training, seed=seed, out=out) if "val_loss" in step]
    return {
        "params": sum(p.numel() for p in model.parameters()),
        "chance": 1 / config.n_chains,
        "evaluated_at": [step["step"] for step in history],
        "accuracies": [step["val_accuracy"] for step in history],
        "val_loss": history[-1]["val_loss"],
    }


def order(
    seed: int,
    prefix: PrefixMask,
    positions: Literal["rotary", "learned", "none"],
    *,
    n_layers: int = 2,
    steps: int = 1_000,
) -> dict[str, Any]:
    """Translation by one stack with this mask and these positions. Nothing is decoded.

    Without positions, only the mask can tell the order of the tokens.
    """
    changed = {"positions": "learned"} if positions == "learned" else {}
    recipe = configure("prefix-translation", prefix=prefix, n_layers=n_layers, steps=steps, evaluations=2, **changed)
    change = without_positions if positions == "none" else lambda model: model
    run = train(untrained(recipe, seed, change), recipe, seed)
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
    rows = {}
    with torch.no_grad(), evaluating(model):
        timed, counted = (_Conversation(model, prefix, message, answer) for _ in range(2))
        for turn in range(1, n_turns + 1):
            before, began = timed.positions, perf_counter()
            timed.take_turn()
            seconds = perf_counter() - began
            rows[turn] = {
                "positions": timed.positions - before,
                "operations": operations(counted.take_turn) / 1e9,
                "seconds": seconds,
            }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("turn")


class _Conversation:
    def __init__(self, model: PrefixLM, prefix: PrefixMask, message: int, answer: int):
        self.model, self.bidirectional, self.message, self.answer = model, prefix == "bidirectional", message, answer
        self.ids = torch.empty(1, 0, dtype=torch.long)
        self.state: PrefixState | None = None
        self.positions = 0

    def take_turn(self) -> None:
        """Read a message of random tokens, and write an answer of random tokens."""
        model = self.model
        new = torch.randint(model.config.vocab_size, (1, self.message + self.answer))
        read, written = new.tensor_split([self.message], dim=1)
        if self.bidirectional:
            read = torch.cat([self.ids, read], dim=1)
            self.state = model.prefill(read)[1]
        elif self.state is None:
            self.state = model.prefill(read, prefix_lengths=torch.zeros(1, dtype=torch.long))[1]
        else:
            self.state = append(model, read, self.state)[1]
        for t in range(written.shape[1]):
            self.state = model.decode(written[:, t], self.state)[1]
        self.positions += read.shape[1] + written.shape[1]
        self.ids = torch.cat([self.ids, new], dim=1)


def append(model: PrefixLM, ids: Tensor, state: PrefixState) -> tuple[Tensor, PrefixState]:
    """Read several more tokens at once, with a causal mask: logits of the next token, and the state for `decode`."""
    seen = state.length
    position_ids = torch.arange(seen, seen + ids.shape[1], device=ids.device).expand_as(ids)
    x = model.embedding(ids, position_ids=position_ids)
    mask = masks.causal(seen + ids.shape[1], seen, ids.device)
    h = model.stack(x, mask, state=state, position_ids=position_ids)
    return model.embedding.logits(h[:, -1]), replace(state, position=position_ids[:, -1])


def by_value(rows: Sequence[Mapping[str, Any]], column: str, measure: str) -> dict[Any, list[float]]:
    """The values of `measure` of all rows, for each value of `column`."""
    found: dict[Any, list[float]] = {}
    for row in rows:
        found.setdefault(row[column], []).append(row[measure])
    return found
