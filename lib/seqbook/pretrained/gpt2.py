"""Hugging Face's GPT2LMHeadModel as our `GPT`. It has three dropouts; ours is the one after each part (resid_pdrop)."""

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seqbook.models.gpt import GPT, GPTConfig
from seqbook.pretrained.files import read_tensors

_SIZES = ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head")
_ACTIVATIONS = {
    "relu": "relu", "tanh": "tanh", "silu": "silu", "swish": "silu", "gelu": "gelu", "gelu_python": "gelu",
    "gelu_new": "gelu_tanh", "gelu_fast": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh",
}  # fmt: skip
_OPTIONS = {  # the only value that our network supports; it is also the default if a file leaves the option out
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "add_cross_attention": False,
    "tie_word_embeddings": True,
    "layer_norm_epsilon": 1e-5,
}
_PARTS = {  # names of the parts of a block, theirs and ours
    "ln_1": ["attention_norm"],
    "attn.c_attn": ["attention.query", "attention.key_value"],
    "attn.c_proj": ["attention.out"],
    "ln_2": ["feed_forward_norm"],
    "mlp.c_fc": ["feed_forward.inner"],
    "mlp.c_proj": ["feed_forward.out"],
}


def load(folder: Path, theirs: dict[str, Any]) -> GPT:
    """Build the model that config.json (`theirs`) describes, with the weights in the folder."""
    model = GPT(_config(theirs, folder))
    model.load_state_dict(_weights(read_tensors(folder), model, folder))
    return model


def _config(theirs: dict[str, Any], folder: Path) -> GPTConfig:
    for option, ours in _OPTIONS.items():
        if theirs.get(option, ours) != ours:
            raise ValueError(f"{folder} has {option}={theirs[option]!r}: only {ours!r} can be read")
    for size in _SIZES:
        if type(theirs.get(size)) is not int:
            raise ValueError(f"{folder} has {size}={theirs.get(size)!r} in config.json: it must be a whole number")
    activation = theirs.get("activation_function", "gelu_new")
    if activation not in _ACTIVATIONS:
        raise ValueError(f"{folder} has activation_function={activation!r}: choose one of {', '.join(_ACTIVATIONS)}")
    return GPTConfig(
        vocab_size=theirs["vocab_size"],
        d_model=theirs["n_embd"],
        n_layers=theirs["n_layer"],
        n_heads=theirs["n_head"],
        d_ff=theirs.get("n_inner"),
        activation=_ACTIVATIONS[activation],
        dropout=theirs.get("resid_pdrop", 0.1),
        max_len=theirs["n_positions"],
    )


def _weights(tensors: dict[str, Tensor], model: GPT, folder: Path) -> dict[str, Tensor]:
    """Their tensors under our names. Their matrices are (in, out), while torch's and ours are (out, in)."""
    found = {name.removeprefix("transformer."): t for name, t in tensors.items()}
    found = {
        name: t for name, t in found.items() if not re.fullmatch(r"h\.\d+\.attn\.(bias|masked_bias)", name)
    }  # masks
    head = found.pop("lm_head.weight", None)
    names = _names(model.config.n_layers)
    for what, wrong in {
        "lacks": names.keys() - found.keys(),
        "has, beyond a GPT-2,": found.keys() - names.keys(),
    }.items():
        if wrong:
            raise ValueError(f"{folder} {what} the tensors {', '.join(sorted(wrong)[:5])} ({len(wrong)} in all)")
    if head is not None and not torch.equal(head, found["wte.weight"]):
        raise ValueError(f"{folder}: lm_head.weight differs from wte.weight, but only tied embeddings can be read")

    here, ours = model.state_dict(), {}
    for theirs, mine in names.items():
        transpose = theirs.startswith("h.") and found[theirs].dim() == 2
        expected = torch.cat([here[name] for name in mine])  # their query, key and value are one matrix
        shape, t = tuple(expected.t().shape if transpose else expected.shape), found[theirs]
        if t.shape != shape or not t.is_floating_point():
            is_, must = f"{tuple(t.shape)} of {t.dtype}", f"{shape} of floating point"
            raise ValueError(f"{folder}: the tensor {theirs} is {is_}, by config.json it must be {must}")
        parts = (t.t() if transpose else t).split([len(here[name]) for name in mine])
        ours |= dict(zip(mine, parts, strict=True))
    return ours


def _names(n_layers: int) -> dict[str, list[str]]:
    """Their names, without the prefix `transformer.`, with our names for each."""
    names = {"wte.weight": ["embedding.tokens.weight"], "wpe.weight": ["embedding.positions.table"]}
    for kind in ("weight", "bias"):
        names[f"ln_f.{kind}"] = [f"stack.norm.{kind}"]
        for i in range(n_layers):
            for theirs, ours in _PARTS.items():
                names[f"h.{i}.{theirs}.{kind}"] = [f"stack.blocks.{i}.{part}.{kind}" for part in ours]
    return names
