"""Train mode and eval mode: the only difference between them is dropout. Masks hold in both."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Dropout off inside the block; the model's mode as it was, after it."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
