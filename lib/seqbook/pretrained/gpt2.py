"""Hugging Face's GPT2LMHeadModel as our `GPT`. Of its three dropouts, ours is the one after each part (resid_pdrop)."""

import re
from pathlib import Path
from typing import Any

from torch import Tensor

from seqbook.models.gpt import GPT, GPTConfig
from seqbook.pretrained.files import read_tensors

_SIZES = ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head")
_ACTIVATIONS = {
    "relu": "relu", "tanh": "tanh", "silu": "silu", "swish": "silu", "gelu": "gelu", "gelu_python": "gelu",
    "gelu_new": "gelu_tanh", "gelu_fast": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh",
}  # fmt: skip
_OPTIONS = {  # with the only value that our network has, which is also the default of a file that leaves it out
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "add_cross_attention": False,
    "tie_word_embeddings": True,
    "layer_norm_epsilon": 1e-5,
}
_PARTS = {  # of a block, theirs: ours; c_attn is split, because ours has two matrices
    "ln_1": "attention_norm",
    "attn.c_proj": "attention.out",
    "ln_2": "feed_forward_norm",
    "mlp.c_fc": "feed_forward.inner",
    "mlp.c_proj": "feed_forward.out",
}


def load(folder: Path, theirs: dict[str, Any]) -> GPT:
    """The model that config.json (`theirs`) describes, with the weights in the folder."""
    config = _config(theirs, folder)
    model = GPT(config)
    model.load_state_dict(_weights(read_tensors(folder), config, folder))
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


def _weights(tensors: dict[str, Tensor], config: GPTConfig, folder: Path) -> dict[str, Tensor]:
    """Their tensors under our names. Their matrices are (in, out), torch's and ours are (out, in)."""
    found = {name.removeprefix("transformer."): t for name, t in tensors.items()}
    found = {
        name: t for name, t in found.items() if not re.fullmatch(r"h\.\d+\.attn\.(bias|masked_bias)", name)
    }  # masks
    head = found.pop("lm_head.weight", None)
    expected = _shapes(config)
    for what, names in {
        "lacks": expected.keys() - found.keys(),
        "has, beyond a GPT-2,": found.keys() - expected.keys(),
    }.items():
        if names:
            raise ValueError(f"{folder} {what} the tensors {', '.join(sorted(names)[:5])} ({len(names)} in all)")
    for name, shape in expected.items():
        if found[name].shape != shape or not found[name].is_floating_point():
            is_, must = (f"{tuple(found[name].shape)} of {found[name].dtype}", f"{shape} of floating point")
            raise ValueError(f"{folder}: the tensor {name} is {is_}, by config.json it must be {must}")
    if head is not None and not torch.equal(head, found["wte.weight"]):
        raise ValueError(f"{folder}: lm_head.weight differs from wte.weight, but only tied embeddings can be read")
    ours = {"embedding.tokens.weight": found["wte.weight"], "embedding.positions.table": found["wpe.weight"]}
    for kind in ("weight", "bias"):
        ours[f"stack.norm.{kind}"] = found[f"ln_f.{kind}"]
        for i in range(config.n_layers):
            for their_part, our_part in _PARTS.items():
                ours[f"stack.blocks.{i}.{our_part}.{kind}"] = found[f"h.{i}.{their_part}.{kind}"].t()
            parts = found[f"h.{i}.attn.c_attn.{kind}"].t().split([config.d_model, 2 * config.d_model])
            for our_part, part in zip(("query", "key_value"), parts, strict=True):
                ours[f"stack.blocks.{i}.attention.{our_part}.{kind}"] = part
    return ours


def _shapes(config: GPTConfig) -> dict[str, tuple[int, ...]]:
    """The names and shapes in GPT2LMHeadModel's file, without the prefix `transformer.`."""
    d_model, d_ff = config.d_model, 4 * config.d_model if config.d_ff is None else config.d_ff
    norms = {"ln_f": d_model}
    matrices = {}
    for i in range(config.n_layers):
        norms |= {f"h.{i}.ln_1": d_model, f"h.{i}.ln_2": d_model}
        matrices |= {
            f"h.{i}.attn.c_attn": (d_model, 3 * d_model),
            f"h.{i}.attn.c_proj": (d_model, d_model),
            f"h.{i}.mlp.c_fc": (d_model, d_ff),
            f"h.{i}.mlp.c_proj": (d_ff, d_model),
        }
    shapes = {"wte.weight": (config.vocab_size, d_model), "wpe.weight": (config.max_len, d_model)}
    for name, width in norms.items():
        shapes |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    for name, shape in matrices.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[1:]}
    return shapes
