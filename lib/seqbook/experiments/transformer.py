"""Part 2, measurements of Transformers: roles of heads, gradients with pre-norm and post-norm, times, two kinds of
BLEU.

Training with batch norm (C6) is in `experiments.batch_norm`, and scores by length are in `experiments.recurrent`.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from typing import Any, Literal

import pandas as pd
import torch
import torch.nn.functional as F
from datasets import Dataset, load_from_disk
from sacrebleu.metrics import BLEU
from torch import Tensor

from seqbook.experiments.recurrent import alignment_of_linked_characters
from seqbook.models.transformer import Transformer, TransformerConfig
from seqbook.nn.mode import evaluating
from seqbook.nn.record import record
from seqbook.recipes import configure
from seqbook.runs import Run, System
from seqbook.runs.build import build
from seqbook.runs.prepare import prepare
from seqbook.training import fit
from seqbook.training.device import device

OFFSETS = (-3, -2, -1, 0, 1, 2, 3)  # of the key from the query, in tokens
BATCH_SIZE = 64
Maps = dict[str, list[Tensor]]  # of each attention, for each sentence: (heads, query, key)


# ---- What the heads do


@torch.no_grad()
def attention_maps(system: System, rows: Dataset) -> Maps:
    """The weights of all heads of a Transformer for each row of `rows`, teacher-forced, without padding."""
    model, objective = system.model, system.objective
    device, examples, found = next(model.parameters()).device, objective.examples(rows), {}
    for start in range(0, len(examples), BATCH_SIZE):
        chosen = examples[start : start + BATCH_SIZE]
        with evaluating(model), record(model) as maps:
            model(*objective.collate(chosen).to(device).inputs)
        for name, (weights,) in maps.items():
            for (x, y), w in zip(chosen, weights.cpu(), strict=True):
                sizes = {"source": len(x), "target": len(y) + 1}  # the decoder reads <bos> y
                queries = sizes["source" if name.startswith("encoder.") else "target"]
                keys = sizes["target" if name.startswith("decoder.") and not _crosses(name) else "source"]
                found.setdefault(name, []).append(w[:, :queries, :keys])
    return found


def head_roles(maps: Maps, offsets: Sequence[int] = OFFSETS) -> pd.DataFrame:
    """For each head of self-attention, the mean weight that a query gives to the key at each offset from it.

    There is one row per head and one column per offset. `even` is the weight of each key if the weights of all keys
    that the query may attend to were equal. A query without a key at an offset gives it 0.
    """
    found = {}
    for name, sentences in maps.items():
        if _crosses(name):
            continue
        shares = [
            torch.stack([w.diagonal(k, 1, 2).sum(-1) / w.shape[1] for k in offsets], dim=-1)  # (H, offsets)
            for w in sentences
        ]
        even = sum(_even(w, causal=name.startswith("decoder.")) for w in sentences) / len(sentences)
        for head, row in enumerate(torch.stack(shares).mean(0).tolist()):
            columns = {f"{k:+d}" if k else "0": share for k, share in zip(offsets, row, strict=True)}
            found[f"{_short(name)}, head {head}"] = columns | {"even": even}
    return pd.DataFrame.from_dict(found, orient="index")


def head_alignment_errors(maps: Maps, rows: Dataset) -> pd.DataFrame:
    """The alignment error rate of each head of cross-attention, and of the mean of a block's heads.

    One row per block. The rate is the column `error` of `experiments.recurrent.alignment_of_linked_characters`.
    """

    def error(weights: list[Tensor]) -> float:
        return float(alignment_of_linked_characters(rows, weights).loc["attention", "error"])

    found = {}
    for name, sentences in maps.items():
        if _crosses(name):
            heads = {f"head {h}": error([w[h] for w in sentences]) for h in range(len(sentences[0]))}
            found[_short(name)] = heads | {"mean of the heads": error([w.mean(0) for w in sentences])}
    return pd.DataFrame.from_dict(found, orient="index")


def heads(system: System, rows: Dataset) -> dict[str, float]:
    """The numbers in chapter 2.3 about the heads of a Transformer, over `rows`.

    alignment_error: the lowest rate of a head of cross-attention; alignment_error_of_mean: the lowest rate of the mean
    of a block's heads; previous: the largest weight that a head gives to the previous token; previous_even: its weight
    there if it attended to all keys equally.
    """
    maps = attention_maps(system, rows)
    errors, roles = head_alignment_errors(maps, rows), head_roles(maps)
    back = roles["-1"].idxmax()
    return {
        "alignment_error": float(errors.drop(columns="mean of the heads").min(axis=None)),
        "alignment_error_of_mean": float(errors["mean of the heads"].min()),
        "previous": float(roles.loc[back, "-1"]),
        "previous_even": float(roles.loc[back, "even"]),
    }


def _even(weights: Tensor, causal: bool) -> float:
    n = weights.shape[2]
    return sum(1 / k for k in range(1, n + 1)) / n if causal else 1 / n


def _crosses(name: str) -> bool:
    return name.endswith("cross_attention")


def _short(name: str) -> str:
    """ "encoder.blocks.0.attention" → "encoder block 0"."""
    stack, _, block, _ = name.split(".")
    return f"{stack} block {block}"


# ---- Where the norm stands


def first_gradients(
    config: TransformerConfig, *, seeds: int = 3, batch_size: int = 32, length: int = 12
) -> list[float]:
    """The norm of the gradient of each decoder block's feed-forward output weight, before any training.

    This is the mean over several initialisations, each with a batch of random tokens, from the first block to the last.
    """
    found = []
    for seed in range(seeds):
        torch.manual_seed(seed)
        model = Transformer(config)
        smallest = min(config.source_vocab_size, config.target_vocab_size)
        ids = torch.randint(1, smallest, (batch_size, length))  # 0 is padding
        logits = model(ids, ids)[:, :-1]
        F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten()).backward()
        found.append([block.feed_forward.out.weight.grad.norm() for block in model.decoder.blocks])
    return torch.tensor(found).mean(0).tolist()


def norm_and_warmup(
    seed: int, norm: Literal["pre", "post"], warmup: int, steps: int = 150, **settings: Any
) -> dict[str, Any]:
    """The recipe `transformer` with this place of the norm and this warm-up (1: none), trained for a few steps.

    losses: the training loss, as means of 10 steps each; val_loss: after the last step. Nothing is decoded.
    """
    recipe = configure("transformer", norm=norm, warmup=warmup, steps=steps, evaluations=1, **settings)
    prepared = prepare(recipe)
    model, objective = build(recipe, prepared, seed)
    splits = load_from_disk(str(prepared))
    train, validation = (objective.examples(splits[split]) for split in ("train", "validation"))
    history = fit(model.to(device()), objective, train, validation, recipe.training, seed=seed)
    losses = [row["loss"] for row in history]
    means = [sum(losses[i : i + 10]) / len(losses[i : i + 10]) for i in range(0, steps, 10)]
    about = {"steps": steps, "learning_rate": recipe.training.learning_rate}
    return about | {"losses": means, "val_loss": history[-1]["val_loss"]}


@torch.no_grad()
def stream_sizes(
    model: Transformer, source_ids: Tensor, target_ids: Tensor
) -> tuple[float, list[tuple[str, float, float]]]:
    """The root mean square of the decoder's residual stream: before the first part, and for each part (its name, what it
    adds, the stream after it). Positions of padding are not counted.

    Raises:
        ValueError: post-norm blocks, whose stream is normalised after each part.
    """
    if model.config.norm != "pre":
        raise ValueError(f"norm={model.config.norm!r}: the stream grows in pre-norm blocks alone")
    real = target_ids != model.config.pad_id
    names, streams, added, hooks = [], [], [], []

    def size(x: Tensor) -> float:
        return float(x[real].square().mean().sqrt())

    for block in model.decoder.blocks:
        parts = {"self-attention": "attention", "cross-attention": "cross_attention", "feed-forward": "feed_forward"}
        for name, part in parts.items():
            norm = block.get_submodule(f"{part.removesuffix('_attention')}_norm")
            names.append(name)
            hooks.append(norm.register_forward_hook(lambda _, given, y: streams.append(size(given[0]))))
            hooks.append(block.get_submodule(part).register_forward_hook(lambda _, given, y: added.append(size(y))))
    hooks.append(model.decoder.norm.register_forward_hook(lambda _, given, y: streams.append(size(given[0]))))
    try:
        with evaluating(model):
            model(source_ids, target_ids)
    finally:
        for hook in hooks:
            hook.remove()
    return streams[0], list(zip(names, added, streams[1:], strict=True))


# ---- Time (C8)


def scoring_and_generating(
    model: Transformer, lengths: Sequence[int] = (8, 16, 32, 64, 128), *, source_length: int = 16, repeats: int = 5
) -> pd.DataFrame:
    """Milliseconds (medians) to score a given target of n tokens in one pass, and to generate n tokens step by step, with
    and without the cache: one row per n, one sentence at a time. The measurements take turns, so that a slower machine
    affects all of them.
    """

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
            times: dict[str, list[float]] = {name: [] for name in ways}
            for _ in range(repeats):
                for name, way in ways.items():
                    times[name].append(_milliseconds(way, given))
            rows[n] = {name: median(values) for name, values in times.items()}
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
    take turns, so that a slower machine affects all of them; a first turn, which is not counted, warms them up.
    """

    def step(network: Callable[[Tensor], Tensor], x: Tensor) -> None:
        network(x).square().mean().backward()

    rows = {}
    for length in lengths:
        x = torch.randn(tokens // length, length, d_model)
        times: dict[str, list[float]] = {name: [] for name in networks}
        for _ in range(repeats + 1):
            for name, network in networks.items():
                times[name].append(_milliseconds(step, (network, x)))
        rows[length] = {name: median(values[1:]) for name, values in times.items()}
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


def _milliseconds(function: Callable, given: Iterable[Any]) -> float:
    began = time.perf_counter()
    function(*given)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return 1000 * (time.perf_counter() - began)


# ---- Scores


def bleu_lowercased(run: Run) -> dict[str, Any]:
    """BLEU of the test split without a difference between upper and lower case, and its signature.

    A run's own score, `bleu`, is computed by sacrebleu on cased plain text, which the metric itself tokenises (13a).
    Many papers on these captions score text that was lowercased and tokenised before {cite}`wu2021good`; this function
    is the closest that sacrebleu offers. The two are different measures, so a score should be compared only with its
    own kind.
    """
    config, test = run.objective.config, run.splits["test"]
    written = run.generate(test[config.source][:], beams=config.beams)
    metric = BLEU(lowercase=True, tokenize="13a")
    score = metric.corpus_score(written, [test[config.target][:]]).score
    return {"bleu_lowercased": score, "bleu_lowercased_signature": str(metric.get_signature())}


def best_rates(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """The learning rate with the lowest validation loss at the end of training, for each recipe of a published search."""
    best: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        if row["recipe"] not in best or row["val_loss"] < best[row["recipe"]]["val_loss"]:
            best[row["recipe"]] = row
    return {recipe: row["config"]["training"]["learning_rate"] for recipe, row in best.items()}
