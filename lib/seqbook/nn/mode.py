"""Train mode and eval mode: dropout is the only difference between them. Masks are the same in both."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Dropout is off inside the `with` block; after it the model is in the mode that it was in before."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
