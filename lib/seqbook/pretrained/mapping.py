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
LARGEST = 2**31  # no size of a model that fits into a computer's memory
# Options of any family that change no logits in eval mode: about training, generation, other heads, and how the file was
# made.
NO_EFFECT = {
    "_name_or_path", "transformers_version", "dtype", "torch_dtype", "auto_map", "model_type", "architectures",
    "gradient_checkpointing", "use_cache", "output_past", "output_attentions", "output_hidden_states", "return_dict",
    "torchscript", "chunk_size_feed_forward", "attn_implementation", "_attn_implementation_autoset", "bos_token_id",
    "eos_token_id", "sep_token_id", "cls_token_id", "mask_token_id", "unk_token_id", "decoder_start_token_id",
    "id2label", "label2id", "num_labels", "problem_type", "finetuning_task", "task_specific_params", "tokenizer_class",
    "classifier_dropout",
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
    for name in sizes:
        size(theirs, name, folder)


def size(theirs: Mapping[str, Any], name: str, folder: Path) -> int:
    """The whole number in config.json: a size, or the id of a token.

    Raises:
        ValueError: it is missing, or something else.
    """
    value, smallest = theirs.get(name), 0 if name.endswith("_id") else 1
    if type(value) is not int or not smallest <= value < LARGEST:
        raise ValueError(
            f"{folder} has {name}={value!r} in config.json: it must be a whole number from {smallest} to below {LARGEST:,}"
        )
    return value


def check_known(theirs: Mapping[str, Any], known: Iterable[str], family: str, folder: Path) -> None:
    """Check that config.json has no other options than these and those of `NO_EFFECT`.

    Raises:
        ValueError: it has others.
    """
    if unknown := theirs.keys() - set(known) - NO_EFFECT:
        listed = ", ".join(f"{name}={theirs[name]!r}" for name in sorted(unknown))
        raise ValueError(f"{folder} has {listed} in config.json, which no {family} that we know has")


def number(theirs: Mapping[str, Any], option: str, default: float, folder: Path) -> float:
    """The number in config.json: the eps of a norm, or a share that is dropped.

    Raises:
        ValueError: it is something else.
    """
    value = theirs.get(option, default)
    if type(value) not in (int, float) or not 0 <= value < 1:
        raise ValueError(
            f"{folder} has {option}={value!r} in config.json: it must be a number from 0 to below 1, such as {default}"
        )
    return float(value)


def flag(theirs: Mapping[str, Any], option: str, default: bool, folder: Path) -> bool:
    """True or false in config.json.

    Raises:
        ValueError: it is something else.
    """
    value = theirs.get(option, default)
    if not isinstance(value, bool):
        raise ValueError(f"{folder} has {option}={value!r} in config.json: it must be true or false")
    return value


def activation(theirs: Mapping[str, Any], option: str, default: str, folder: Path) -> Activation:
    """Our name of the activation function in config.json.

    Raises:
        ValueError: we do not have it.
    """
    name = theirs.get(option, default)
    if not isinstance(name, str) or name not in _ACTIVATIONS:
        raise ValueError(f"{folder} has {option}={name!r}: choose one of {', '.join(_ACTIVATIONS)}")
    return _ACTIVATIONS[name]


def check_names(found: Mapping[str, Tensor], names: Mapping[str, Any], family: str, folder: Path) -> None:
    """Check that the folder has the tensors `names`, and no other ones.

    Raises:
        ValueError: tensors are missing or unknown.
    """
    missing, unknown = names.keys() - found.keys(), found.keys() - names.keys()
    wrong = [
        f"{what} the tensors {', '.join(sorted(those)[:5])} ({len(those)} in all)"
        for what, those in (("lacks", missing), (f"has, beyond a {family},", unknown))
        if those
    ]
    if wrong:
        raise ValueError(f"{folder} {', and '.join(wrong)}")


def check_tied(found: dict[str, Tensor], copy: str, original: str, what: str, folder: Path) -> None:
    """Take a tensor that repeats another one out of `found`. A file may have either of the two names, or both.

    Raises:
        ValueError: the two differ.
    """
    t = found.pop(copy, None)
    if t is not None and not torch.equal(t, found.setdefault(original, t)):
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


def convert_apart(
    found: Mapping[str, Tensor], names: Mapping[str, Sequence[str]], here: Mapping[str, Tensor], folder: Path
) -> dict[str, Tensor]:
    """`convert` for families whose keys and values are two matrices: `names` has key and value for our key_value.

    Raises:
        ValueError: as `convert`.
    """
    apart = {}
    for name, t in here.items():
        if "key_value" in name:
            apart |= zip((name.replace("key_value", part) for part in ("key", "value")), t.chunk(2), strict=True)
        else:
            apart[name] = t
    ours = convert(found, names, apart, folder)
    for name in [name for name in ours if "attention.key." in name]:
        pair = [ours.pop(name), ours.pop(name.replace("attention.key.", "attention.value."))]
        ours[name.replace("attention.key.", "attention.key_value.")] = torch.cat(pair)
    return ours
