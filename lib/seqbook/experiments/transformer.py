"""Part 2, measurements of Transformers: gradients and training with pre-norm and post-norm, and two kinds of BLEU.

Heads are in `experiments.heads`, times in `experiments.speed`, training with batch norm (C6) in
`experiments.batch_norm`, and scores by length in `experiments.recurrent`.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from seqbook import metrics
from seqbook.experiments.trials import train, untrained
from seqbook.models.transformer import Transformer, TransformerConfig
from seqbook.nn.mode import evaluating
from seqbook.recipes import configure
from seqbook.runs import Run

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
    run = train(untrained(recipe, seed), recipe, seed)
    losses = [row["loss"] for row in run.history]
    means = [sum(losses[i : i + 10]) / len(losses[i : i + 10]) for i in range(0, steps, 10)]
    return {key: run.result[key] for key in ("steps", "learning_rate", "val_loss")} | {"losses": means}


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
    score, signature = metrics.bleu(written, test[config.target][:], config.target, lowercase=True)
    return {"bleu_lowercased": score, "bleu_lowercased_signature": signature}


def best_rates(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """The learning rate with the lowest validation loss at the end of training, for each recipe of a published search."""
    best: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        if row["recipe"] not in best or row["val_loss"] < best[row["recipe"]]["val_loss"]:
            best[row["recipe"]] = row
    return {recipe: row["config"]["training"]["learning_rate"] for recipe, row in best.items()}
