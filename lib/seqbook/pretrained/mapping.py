"""What all families do with Hugging Face's layout: check config.json, and put its tensors under our names."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seqbook.nn.layers import Activation

_ACTIVATIONS: dict[str, Activation] = {
    "relu": "relu", "tanh": "tanh", "silu": "silu", "swish": "silu", "gelu": "gelu", "gelu_python": "gelu",
    "gelu_new": "gelu_tanh", "gelu_fast": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh",
}  # fmt: skip


def check_options(theirs: Mapping[str, Any], options: Mapping[str, Any], folder: Path) -> None:
    """Check that config.json (`theirs`) has no other values than `options`, which are also the defaults.

    Raises:
        ValueError: an option has another value.
    """
    for option, ours in options.items():
        if theirs.get(option, ours) != ours:
            raise ValueError(f"{folder} has {option}={theirs[option]!r}: only {ours!r} can be read")


def check_sizes(theirs: Mapping[str, Any], sizes: Iterable[str], folder: Path) -> None:
    """Check that config.json has these whole numbers.

    Raises:
        ValueError: one of them is missing, or something else.
    """
    for size in sizes:
        if type(theirs.get(size)) is not int:
            raise ValueError(f"{folder} has {size}={theirs.get(size)!r} in config.json: it must be a whole number")


def activation(theirs: Mapping[str, Any], option: str, default: str, folder: Path) -> Activation:
    """Our name of the activation function in config.json.

    Raises:
        ValueError: we do not have it.
    """
    name = theirs.get(option, default)
    if name not in _ACTIVATIONS:
        raise ValueError(f"{folder} has {option}={name!r}: choose one of {', '.join(_ACTIVATIONS)}")
    return _ACTIVATIONS[name]


def check_names(found: Mapping[str, Tensor], names: Mapping[str, Any], family: str, folder: Path) -> None:
    """Check that the folder has the tensors `names`, and no other ones.

    Raises:
        ValueError: tensors are missing or unknown.
    """
    missing, unknown = names.keys() - found.keys(), found.keys() - names.keys()
    for what, wrong in (("lacks", missing), (f"has, beyond a {family},", unknown)):
        if wrong:
            raise ValueError(f"{folder} {what} the tensors {', '.join(sorted(wrong)[:5])} ({len(wrong)} in all)")


def check_tied(found: dict[str, Tensor], copy: str, original: str, what: str, folder: Path) -> None:
    """Take a tensor that repeats another one out of `found`, if it is there.

    Raises:
        ValueError: it differs from the other one.
    """
    t = found.pop(copy, None)
    if t is not None and original in found and not torch.equal(t, found[original]):
        raise ValueError(f"{folder}: {copy} differs from {original}, but only {what} can be read")


def convert(
    found: Mapping[str, Tensor],
    names: Mapping[str, Sequence[str]],
    here: Mapping[str, Tensor],
    folder: Path,
    transposed: Callable[[str], bool] = lambda name: False,
) -> dict[str, Tensor]:
    """Their tensors under our names.

    names: for each of their tensors, ours, into which its rows are split. here: ours, for their shapes. transposed:
    which of their matrices are (in, out); torch's and ours are (out, in).

    Raises:
        ValueError: a tensor of another shape, or one of whole numbers.
    """
    ours = {}
    for theirs, mine in names.items():
        t, expected = found[theirs], torch.cat([here[name] for name in mine])
        turn = transposed(theirs) and t.dim() == 2
        shape = tuple(expected.t().shape if turn else expected.shape)
        if t.shape != shape or not t.is_floating_point():
            is_, must = f"{tuple(t.shape)} of {t.dtype}", f"{shape} of floating point"
            raise ValueError(f"{folder}: the tensor {theirs} is {is_}, by config.json it must be {must}")
        parts = (t.t() if turn else t).split([len(here[name]) for name in mine])
        ours |= dict(zip(mine, parts, strict=True))
    return ours
