"""Train mode and eval mode. They differ only in dropout; masks are the same in both."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Switch dropout off inside the `with` block; afterwards the model is in the same mode as before."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
