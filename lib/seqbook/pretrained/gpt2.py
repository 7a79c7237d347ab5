"""Hugging Face's GPT-2 as our `GPT`. It has three dropouts; ours is the one after each part (resid_pdrop).

GPT2Model has no output layer; ours is the embedding weight in any case.
"""

import re
from pathlib import Path
from typing import Any

from torch import Tensor

from seqbook.models.gpt import GPT, GPTConfig
from seqbook.pretrained import mapping
from seqbook.pretrained.files import read_tensors

ARCHITECTURES = ("GPT2LMHeadModel", "GPT2Model", "gpt2")
_SIZES = ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head")
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
    mapping.check_options(theirs, _OPTIONS, folder)
    if theirs.get("n_inner") is None:
        theirs = theirs | {"n_inner": 4 * mapping.size(theirs, "n_embd", folder)}
    mapping.check_sizes(theirs, (*_SIZES, "n_inner"), folder)
    return GPTConfig(
        vocab_size=theirs["vocab_size"],
        d_model=theirs["n_embd"],
        n_layers=theirs["n_layer"],
        n_heads=theirs["n_head"],
        d_ff=theirs["n_inner"],
        activation=mapping.activation(theirs, "activation_function", "gelu_new", folder),
        dropout=mapping.number(theirs, "resid_pdrop", 0.1, folder),
        max_len=theirs["n_positions"],
    )


def _weights(tensors: dict[str, Tensor], model: GPT, folder: Path) -> dict[str, Tensor]:
    """Their tensors under our names. Their matrices are (in, out), while torch's and ours are (out, in)."""
    found = {name.removeprefix("transformer."): t for name, t in tensors.items()}
    found = {
        name: t for name, t in found.items() if not re.fullmatch(r"h\.\d+\.attn\.(bias|masked_bias)", name)
    }  # masks
    names = _names(model.config.n_layers)
    mapping.check_tied(found, "lm_head.weight", "wte.weight", "tied embeddings", folder)
    mapping.check_names(found, names, "GPT-2", folder)
    return mapping.convert(found, names, model.state_dict(), folder, lambda name: name.startswith("h."))


def _names(n_layers: int) -> dict[str, list[str]]:
    """Their names, without the prefix `transformer.`, with our names for each."""
    names = {"wte.weight": ["embedding.tokens.weight"], "wpe.weight": ["embedding.positions.table"]}
    for kind in ("weight", "bias"):
        names[f"ln_f.{kind}"] = [f"stack.norm.{kind}"]
        for i in range(n_layers):
            for theirs, ours in _PARTS.items():
                names[f"h.{i}.{theirs}.{kind}"] = [f"stack.blocks.{i}.{part}.{kind}" for part in ours]
    return names
