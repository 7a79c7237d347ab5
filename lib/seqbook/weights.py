"""Reading the weights of a model from safetensors files: all of them undamaged, and every value a finite number. And
watching that what the model computes with them is finite too."""

import re
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

_LATE = ("decoder", "ln_f", "pooler", "cls", "lm_head", "masked_head", "next_sentence")


def read(files: Iterable[Path], way_out: str) -> dict[str, Tensor]:
    """All tensors of the files.

    way_out: the end of the error messages, which says what to do.

    Raises:
        ValueError: a damaged file; a value that is NaN or infinite, with the name of the first such layer.
    """
    tensors: dict[str, Tensor] = {}
    for file in files:
        try:
            found = load_file(file)
        except (SafetensorError, OSError) as error:
            raise ValueError(f"{file} is damaged ({error}): {way_out}") from error
        wrong = [name for name, t in found.items() if t.is_floating_point() and not t.float().isfinite().all()]
        if wrong:
            first = min(wrong, key=_order)
            values = found[first].float()
            raise ValueError(
                f"{file}: the tensor {first} has {int((~values.isfinite()).sum())} of {values.numel()} values that are NaN or "
                f"infinite, as {len(wrong)} of {len(found)} tensors have: {way_out}"
            )
        tensors |= found
    return tensors


def metadata(file: Path) -> dict[str, str]:
    """What a safetensors file says about its tensors."""
    with safe_open(file, framework="pt") as opened:
        return opened.metadata() or {}


def watch(model: nn.Module) -> nn.Module:
    """The same model, which from now on raises an error as soon as a layer computes a value that is not finite.

    Finite weights can lead to such values if they are large. They would make any text, or none, the most probable one.

    Raises:
        FloatingPointError: in the model's calls; it contains the name of the first such layer.
    """
    for name, layer in model.named_modules():
        if not any(layer.children()):
            layer.register_forward_hook(partial(_check_finite, name))
        if hasattr(layer, "logits"):  # a method, for which there are no hooks
            layer.logits = partial(_checked, layer.logits, f"{name}.logits".lstrip("."))
    return model


def _checked(method: Callable, name: str, *inputs: Any) -> Tensor:
    found = method(*inputs)
    _check_finite(name, method, inputs, found)
    return found


def _check_finite(name: str, _layer: Any, _inputs: Any, output: Any) -> None:
    for t in output if isinstance(output, tuple) else (output,):
        if isinstance(t, Tensor) and not t.isfinite().all():
            raise FloatingPointError(
                f"the layer {name} computes values that are NaN or infinite: a weight is not finite or too large, so download "
                "the model again or train it anew"
            )


def _order(name: str) -> tuple[int, str]:
    """A key that sorts names as data flow: an encoder before its decoder, heads last, layer 2 before layer 10."""
    late = max((i for i, part in enumerate(_LATE, 1) if part in name), default=0)
    return late, re.sub(r"\d+", lambda number: number[0].zfill(4), name)
