"""The settings of training: the number of steps, the learning rate at each step, and the optimiser."""

import math
from dataclasses import dataclass

import torch
from torch import nn

from seqbook.nn.checks import check_positive


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """The settings of the training loop.

    steps: optimiser steps; batch_size: examples per step, over all processes; learning_rate: the peak; warmup: steps
    from 0 to the peak, after which the learning rate falls linearly to 0; weight_decay: of matrices; clip: the largest
    norm of the gradient (math.inf: any); evaluations: how many times during `steps` the validation loss is measured and
    a checkpoint is saved.

    patience: early stopping {cite}`prechelt1998early`. Training ends after this many evaluations in a row without a new
    lowest validation loss, or after `steps` at the latest, and the weights with the lowest one are kept. The last step is
    not known in advance, so the learning rate stays at its peak after the warm-up. 0: no early stopping; the last weights
    are kept.
    """

    steps: int
    batch_size: int = 64
    learning_rate: float = 1e-3
    warmup: int = 100
    weight_decay: float = 0.01
    clip: float = 1.0
    evaluations: int = 5
    patience: int = 0

    def __post_init__(self):
        check_positive(steps=self.steps, batch_size=self.batch_size, evaluations=self.evaluations)
        for name in ("learning_rate", "clip"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}={getattr(self, name)} must be above 0")
        for name, none in {"warmup": "warm-up", "weight_decay": "decay", "patience": "early stopping"}.items():
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name}={getattr(self, name)} must be 0 (no {none}) or more")

    @property
    def evaluate_every(self) -> int:
        """Steps from one evaluation to the next."""
        return math.ceil(self.steps / self.evaluations)


def learning_rate(step: int, config: TrainingConfig) -> float:
    """Linear warm-up for `warmup` steps, then linear decay to 0 {cite}`bergsma2025straight`; with early stopping,
    constant after the warm-up. `step` counts from 0."""
    up = (step + 1) / max(1, config.warmup)
    down = (config.steps - step) / max(1, config.steps - config.warmup)
    return config.learning_rate * min(up, 1.0 if config.patience else down)


def adamw(model: nn.Module, config: TrainingConfig) -> torch.optim.AdamW:
    """AdamW {cite}`loshchilov2019decoupled` with weight decay on matrices only, not on biases and the weights of norms.

    β₂ is 0.95, as in {cite}`brown2020language`. With the usual 0.999, a short run would average over nearly all its
    steps.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.95), fused=True)
