"""C6: a Transformer with batch norm instead of layer norm in its encoder, in its decoder, or in both.

Batch norm can cause two problems, and using it in only one of the two stacks tells them apart. First, its statistics
are taken over all positions of a batch, including later ones. In the *decoder*, the future therefore leaks past the
causal mask during training; the encoder has no future to hide. Second, in eval mode it uses averages from training
instead of the batch's own statistics. The two differ if batches differ, for example in their padding. This can happen
in both stacks.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn

from seqbook import metrics
from seqbook.experiments.trials import train, untrained
from seqbook.models.transformer import Transformer
from seqbook.recipes import configure

Where = Literal["nowhere", "encoder", "decoder", "everywhere"]
STACKS = {"nowhere": (), "encoder": ("encoder",), "decoder": ("decoder",), "everywhere": ("encoder", "decoder")}


class BatchNorm(nn.BatchNorm1d):
    """Brings each feature of (batch, time, d_model) to mean 0 and standard deviation 1 over all positions of all
    sentences {cite}`ioffe2015batch`.

    is_token: which positions are tokens, (batch, time). With it, padding is left out of the statistics and its own
    vectors become 0; None: padding counts like any token.
    """

    is_token: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        features = x.flatten(0, 1)  # (B·T, D)
        if self.is_token is None:
            return super().forward(features).view_as(x)
        tokens = self.is_token.flatten()
        normed = torch.zeros_like(features)
        normed[tokens] = super().forward(features[tokens])
        return normed.view_as(x)


def use_batch_norm(model: Transformer, where: Where, padding: bool = True) -> Transformer:
    """Replace each layer norm of the named stacks, including the final norms; returns the model.

    padding: whether padding counts in the statistics.
    """
    for stack in STACKS[where]:
        norms = []
        for module in list(model.get_submodule(stack).modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, nn.LayerNorm):
                    norms.append(BatchNorm(child.normalized_shape[0]))
                    setattr(module, name, norms[-1])
        if not padding:
            embedding = model.source_embedding if stack == "encoder" else model.target_embedding
            embedding.register_forward_pre_hook(_tell_tokens(norms, model.config.pad_id))
    return model


def _tell_tokens(norms: list[BatchNorm], pad_id: int):
    def tell(_: nn.Module, given: tuple) -> None:  # the ids, whenever a batch is read
        for norm in norms:
            norm.is_token = given[0] != pad_id

    return tell


@contextmanager
def batch_statistics(model: nn.Module) -> Iterator[None]:
    """Inside the block, batch norms use the statistics of the current batch, as in train mode, and store nothing."""
    norms = [module for module in model.modules() if isinstance(module, BatchNorm)]
    kept = [(norm.running_mean, norm.running_var) for norm in norms]
    for norm in norms:
        norm.running_mean = norm.running_var = None
    try:
        yield
    finally:
        for norm, (mean, var) in zip(norms, kept, strict=True):
            norm.running_mean, norm.running_var = mean, var


@torch.no_grad()
def leak(model: Transformer, seed: int = 0) -> float:
    """The largest change of a logit when only later target tokens change, in the model's current mode. It is 0 if no
    position depends on later tokens."""
    draw, device = torch.Generator().manual_seed(seed), next(model.parameters()).device
    smallest = min(model.config.source_vocab_size, model.config.target_vocab_size)
    source_ids, target_ids, others = torch.randint(1, smallest, (3, 3, 8), generator=draw).to(device)
    changed = torch.cat([target_ids[:, :5], others[:, 5:]], dim=1)
    return (model(source_ids, target_ids) - model(source_ids, changed))[:, :5].abs().max().item()


def batch_norm(*, seed: int, where: Where, padding: bool = True, **settings: Any) -> dict[str, Any]:
    """Train the recipe `transformer-rotary` with batch norm instead of layer norm.

    loss: nats per token of the test split in eval mode, with the stored statistics; loss_with_batch_statistics: with
    the statistics of its own batches, as in training; train_loss: over the last 100 steps; leak: in train mode, after
    training.
    """
    recipe = configure("transformer-rotary", **settings)
    run = train(untrained(recipe, seed, lambda model: use_batch_norm(model, where, padding)), recipe, seed)
    model, objective, test = run.model, run.objective, run.examples("test")

    # as in training, padding included: batches of the same size
    loss = metrics.mean_nll(model, objective, test, recipe.training.batch_size)
    with batch_statistics(model):
        as_trained = metrics.mean_nll(model, objective, test, recipe.training.batch_size)
        leaked = leak(model.eval())  # with the batch's statistics, and without changing those that are kept
    last = [step["loss"] for step in run.history[-100:]]
    found = {
        "loss": loss,
        "loss_with_batch_statistics": as_trained,
        "train_loss": sum(last) / len(last),
        "leak": leaked,
        **_written(model, objective, run.splits["test"]),
    }
    return run.result | found


def _written(model: Transformer, objective, rows) -> dict[str, float]:
    """BLEU and exact match of greedy decoding, in eval mode."""
    config = objective.config
    hypotheses, references = objective.generate(model, rows[config.source][:]), rows[config.target][:]
    bleu = metrics.bleu(hypotheses, references, config.target).score
    return {"bleu": bleu, "exact_match": metrics.exact_match(hypotheses, references)}
