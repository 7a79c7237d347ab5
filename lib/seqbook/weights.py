"""Reading the weights of a model from safetensors files: all of them undamaged, and every value a finite number."""

import re
from collections.abc import Iterable
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

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


def _order(name: str) -> tuple[int, str]:
    """A key that sorts names as data flow: an encoder before its decoder, heads last, layer 2 before layer 10."""
    late = max((i for i, part in enumerate(_LATE, 1) if part in name), default=0)
    return late, re.sub(r"\d+", lambda number: number[0].zfill(4), name)
