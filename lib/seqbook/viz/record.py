"""Reading attention weights while a model runs, without a flag in its forward."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn


@contextmanager
def record(model: nn.Module) -> Iterator[dict[str, list[Tensor]]]:
    """Inside the block, every forward appends its attention weights to the list under the attention's name.

    Weights are (batch, query, key), each row summing to 1. The model computes what it would without being watched.

    Raises:
        ValueError: the model has no attention to record.
    """
    modules = {
        name.removesuffix(".weights"): module
        for name, module in model.named_modules()
        if isinstance(module, nn.Softmax)
    }
    if not modules:
        raise ValueError(f"{type(model).__name__} has no attention: there are no weights to record")
    maps: dict[str, list[Tensor]] = {name: [] for name in modules}
    handles = [
        module.register_forward_hook(lambda *call, name=name: maps[name].append(call[-1].detach()))
        for name, module in modules.items()
    ]
    try:
        yield maps
    finally:
        for handle in handles:
            handle.remove()
