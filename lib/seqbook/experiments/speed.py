"""Part 2, time: of scoring and of generating (C8), and of a training step of an LSTM and of a Transformer block."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import median
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from seqbook.models.transformer import Transformer
from seqbook.nn.mode import evaluating


def scoring_and_generating(
    model: Transformer, lengths: Sequence[int] = (8, 16, 32, 64, 128), *, source_length: int = 16, repeats: int = 5
) -> pd.DataFrame:
    """Milliseconds (medians) to score a given target of n tokens in one pass, and to generate n tokens step by step, with
    and without the cache: one row per n, one sentence at a time."""

    def with_cache(source_ids: Tensor, ids: Tensor) -> None:
        _, state = model.prefill(source_ids, ids[:, :1])
        for t in range(1, ids.shape[1]):
            _, state = model.decode(ids[:, t], state)

    def without_cache(source_ids: Tensor, ids: Tensor) -> None:
        for t in range(ids.shape[1]):
            model(source_ids, ids[:, : t + 1])

    ways = {"one pass": model, "step by step, with cache": with_cache, "step by step, without cache": without_cache}
    device, rows = next(model.parameters()).device, {}
    smallest = min(model.config.source_vocab_size, model.config.target_vocab_size)
    with torch.inference_mode(), evaluating(model):
        for n in lengths:
            given = [torch.randint(1, smallest, (1, length), device=device) for length in (source_length, n)]
            rows[n] = _medians({name: partial(way, *given) for name, way in ways.items()}, repeats)
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("target tokens")


def training_milliseconds(
    networks: Mapping[str, Callable[[Tensor], Tensor]],
    d_model: int,
    lengths: Sequence[int] = (8, 32, 128, 512),
    *,
    tokens: int = 1_024,
    repeats: int = 3,
) -> pd.DataFrame:
    """Milliseconds (medians) of a forward and a backward pass over `tokens` random vectors, for sequences of each length:
    one row per length, one column per network. The longer the sequences, the fewer there are in the batch. The networks
    take turns.
    """

    def step(network: Callable[[Tensor], Tensor], x: Tensor) -> None:
        network(x).square().mean().backward()

    rows = {}
    for length in lengths:
        x = torch.randn(tokens // length, length, d_model)
        rows[length] = _medians({name: partial(step, network, x) for name, network in networks.items()}, repeats)
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("length")


def longest_chain(output: Tensor) -> int:
    """The largest number of matrix products in the computation of `output` of which each needs the result of the one
    before: they cannot be computed at the same time, on any machine. It is read from autograd's graph.
    """
    counts: dict[Any, int] = {}
    waiting = [output.grad_fn]
    while waiting:  # a node is counted when all nodes that it needs have been counted
        node = waiting[-1]
        needed = [before for before, _ in node.next_functions if before is not None]
        missing = [before for before in needed if before not in counts]
        if missing:
            waiting += missing
            continue
        waiting.pop()
        is_product = any(name in node.name() for name in ("mm", "ScaledDotProduct"))
        own = 2 if "ScaledDotProduct" in node.name() else int(is_product)  # queries with keys, weights with values
        counts[node] = own + max((counts[before] for before in needed), default=0)
    return counts[output.grad_fn]


def in_turn(calls: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each call in each round. The calls take turns, so that a slower machine affects all of them; a first
    round, which is not counted, warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds + 1):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if turn:
                seconds[name].append(time.perf_counter() - began)
    return seconds


def _medians(calls: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    return {name: 1000 * median(seconds) for name, seconds in in_turn(calls, rounds).items()}
