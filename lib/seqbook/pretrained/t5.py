"""Hugging Face's T5ForConditionalGeneration as our `T5`. It has dropouts inside the parts and after each stack; ours has
the one after each part, and the one on tokens.

Version 1.1 has an output weight of its own, and no factor 1/√d_model before it. transformers 5 writes these two facts
in several ways: tie_word_embeddings says nothing about the weights in a file that it wrote itself, where it is always
true, and scale_decoder_outputs stands for the factor. In older files tie_word_embeddings stands for both.
"""

from pathlib import Path
from typing import Any

import torch

from seqbook.models.t5 import T5, T5Config
from seqbook.nn.layers import Activation
from seqbook.pretrained import mapping
from seqbook.pretrained.files import read_tensors

ARCHITECTURES = ("T5ForConditionalGeneration", "T5Model", "t5")
_DEFAULTS = {  # what holds if the file leaves it out
    "relative_attention_num_buckets": 32,
    "relative_attention_max_distance": 128,
    "pad_token_id": 0,
    "n_positions": 512,  # of the pretraining; the network itself has no limit
    "feed_forward_proj": "relu",
}
_SIZES = (
    "vocab_size", "d_model", "d_kv", "d_ff", "num_layers", "num_heads", "relative_attention_num_buckets",
    "relative_attention_max_distance", "pad_token_id", "n_positions",
)  # fmt: skip
_READ = {
    *_SIZES, *_DEFAULTS, "num_decoder_layers", "dropout_rate", "layer_norm_epsilon", "tie_word_embeddings",
    "scale_decoder_outputs",
}  # fmt: skip
_OPTIONS = {  # the only value that our network supports; it is also the default if a file leaves the option out
    "is_encoder_decoder": True,
    "is_decoder": False,
    "tie_encoder_decoder": False,
    "quantization_config": None,
}
_NO_EFFECT = {"initializer_factor", "dense_act_fn", "is_gated_act"}  # the last two repeat feed_forward_proj
_ATTENTION = {"q": "query", "k": "key", "v": "value", "o": "out"}  # our key_value is k and v
_UNUSED = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"  # in T5's first files


def load(folder: Path, theirs: dict[str, Any]) -> T5:
    """Build the model that config.json (`theirs`) describes, with the weights in the folder."""
    found = read_tensors(folder)
    for copy in ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight"):
        mapping.check_tied(found, copy, "shared.weight", "one embedding for both sides", folder)
    found.pop(_UNUSED, None)

    tie = mapping.flag(theirs, "tie_word_embeddings", True, folder)
    scaled = mapping.flag(theirs, "scale_decoder_outputs", tie, folder)
    shared = found.get("shared.weight")
    out = found.pop("lm_head.weight", shared)
    tied = scaled and (out is shared or (shared is not None and torch.equal(out, shared)))
    model = T5(_config(theirs, tied, folder))
    if not tied and out is not None:
        # Our output layer has no factor, so that it becomes part of a weight that is not tied.
        found["lm_head.weight"] = out * theirs["d_model"] ** -0.5 if scaled else out

    names = _names(model.config)
    mapping.check_names(found, names, "T5", folder)
    model.load_state_dict(mapping.convert_apart(found, names, model.state_dict(), folder))
    return model


def _config(theirs: dict[str, Any], tied: bool, folder: Path) -> T5Config:
    theirs = _DEFAULTS | theirs
    mapping.check_options(theirs, _OPTIONS, folder)
    mapping.check_known(theirs, _READ | _OPTIONS.keys() | _NO_EFFECT, "T5", folder)
    if theirs.get("num_decoder_layers") is None:
        theirs = theirs | {"num_decoder_layers": theirs.get("num_layers")}
    mapping.check_sizes(theirs, (*_SIZES, "num_decoder_layers"), folder)
    start, pad_id = theirs.get("decoder_start_token_id"), theirs["pad_token_id"]
    if start not in (None, pad_id):
        raise ValueError(f"{folder} has decoder_start_token_id={start}: only pad_token_id={pad_id} can be read")
    activation, gated = _feed_forward(theirs["feed_forward_proj"], folder)
    return T5Config(
        vocab_size=theirs["vocab_size"],
        pad_id=pad_id,
        d_model=theirs["d_model"],
        n_layers=theirs["num_layers"],
        n_decoder_layers=theirs["num_decoder_layers"],
        n_heads=theirs["num_heads"],
        d_head=theirs["d_kv"],
        d_ff=theirs["d_ff"],
        activation=activation,
        gated=gated,
        tied=tied,
        eps=mapping.number(theirs, "layer_norm_epsilon", 1e-6, folder),
        n_buckets=theirs["relative_attention_num_buckets"],
        max_distance=theirs["relative_attention_max_distance"],
        dropout=mapping.number(theirs, "dropout_rate", 0.1, folder),
        max_len=theirs["n_positions"],
    )


def _feed_forward(name: Any, folder: Path) -> tuple[Activation, bool]:
    """The activation and whether it gates: "relu", "gated-silu"; "gated-gelu" means the GELU with tanh."""
    gated = isinstance(name, str) and name.startswith("gated-")
    inner = "gelu_new" if name == "gated-gelu" else name.removeprefix("gated-") if gated else name
    return mapping.activation({"feed_forward_proj": inner}, "feed_forward_proj", "relu", folder), gated


def _names(config: T5Config) -> dict[str, list[str]]:
    """Their names, with our name for each."""
    names = {"shared": "embedding.tokens"} | ({} if config.tied else {"lm_head": "out"})
    inner = {"wi_0": "gate", "wi_1": "inner"} if config.gated else {"wi": "inner"}
    for stack, n_layers in (("encoder", config.n_layers), ("decoder", config.n_decoder_layers)):
        names[f"{stack}.final_layer_norm"] = f"{stack}.norm"
        parts = [("SelfAttention", "attention", "attention_norm", _ATTENTION)]
        if stack == "decoder":
            parts.append(("EncDecAttention", "cross_attention", "cross_norm", _ATTENTION))
        parts.append(("DenseReluDense", "feed_forward", "feed_forward_norm", inner | {"wo": "out"}))
        for i in range(n_layers):
            for n, (part, ours, norm, of_part) in enumerate(parts):
                layer, block = f"{stack}.block.{i}.layer.{n}", f"{stack}.blocks.{i}"
                names[f"{layer}.layer_norm"] = f"{block}.{norm}"
                names |= {f"{layer}.{part}.{theirs}": f"{block}.{ours}.{mine}" for theirs, mine in of_part.items()}
    weights = {f"{theirs}.weight": [f"{ours}.weight"] for theirs, ours in names.items()}
    tables = {
        f"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight": [f"{stack}.relative.table"]
        for stack in ("encoder", "decoder")
    }
    return weights | tables
