"""Hugging Face's BART as our `BART`. It has dropouts inside the parts too; ours has the one after each part, and the one on
tokens. BartModel has no final_logits_bias; then it is 0."""

from pathlib import Path
from typing import Any

import torch

from seqbook.models.bart import BART, FIRST_POSITION, BARTConfig
from seqbook.pretrained import mapping
from seqbook.pretrained.files import read_tensors

ARCHITECTURES = ("BartForConditionalGeneration", "BartModel", "bart")
_SIZES = (
    "vocab_size", "d_model", "encoder_layers", "decoder_layers", "encoder_attention_heads", "encoder_ffn_dim",
    "max_position_embeddings", "pad_token_id",
)  # fmt: skip
_READ = {*_SIZES, "decoder_attention_heads", "decoder_ffn_dim", "activation_function", "dropout"}
_OPTIONS = {  # the only value that our network supports; it is also the default if a file leaves the option out
    "is_encoder_decoder": True,
    "is_decoder": False,
    "scale_embedding": False,
    "tie_word_embeddings": True,
    "tie_encoder_decoder": False,
    "quantization_config": None,
    "normalize_before": False,
    "normalize_embedding": True,
    "add_final_layer_norm": False,
    "add_bias_logits": False,
    "static_position_embeddings": False,
    "extra_pos_embeddings": FIRST_POSITION,
}
# Beside training, these are defaults of generation, which older files have in config.json.
_NO_EFFECT = {
    "init_std", "attention_dropout", "activation_dropout", "encoder_layerdrop", "decoder_layerdrop", "classif_dropout",
    "num_hidden_layers", "save_step", "prefix", "do_sample", "early_stopping", "force_bos_token_to_be_generated",
    "forced_bos_token_id", "forced_eos_token_id", "length_penalty", "max_length", "min_length", "no_repeat_ngram_size",
    "num_beams",
}  # fmt: skip
_BLOCK = {  # names of the parts of a block, theirs and ours; our key_value is key and value
    "self_attn": "attention",
    "self_attn_layer_norm": "attention_norm",
    "fc1": "feed_forward.inner",
    "fc2": "feed_forward.out",
    "final_layer_norm": "feed_forward_norm",
}
_CROSS = {"encoder_attn": "cross_attention", "encoder_attn_layer_norm": "cross_norm"}
_PROJECTIONS = {"q_proj": "query", "k_proj": "key", "v_proj": "value", "out_proj": "out"}


def load(folder: Path, theirs: dict[str, Any]) -> BART:
    """Build the model that config.json (`theirs`) describes, with the weights in the folder."""
    model = BART(_config(theirs, folder))
    found = {name.removeprefix("model."): t for name, t in read_tensors(folder).items()}
    for unused in ("encoder.version", "decoder.version"):
        found.pop(unused, None)
    for copy in ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"):
        mapping.check_tied(found, copy, "shared.weight", "tied embeddings", folder)
    bias = found.get("final_logits_bias", torch.zeros(1, model.config.vocab_size))
    found["final_logits_bias"] = bias[0] if bias.dim() == 2 else bias
    names = _names(model.config)
    mapping.check_names(found, names, "BART", folder)
    model.load_state_dict(mapping.convert_apart(found, names, model.state_dict(), folder))
    return model


def _config(theirs: dict[str, Any], folder: Path) -> BARTConfig:
    theirs = {"pad_token_id": 1} | theirs
    mapping.check_options(theirs, _OPTIONS, folder)
    mapping.check_known(theirs, _READ | _OPTIONS.keys() | _NO_EFFECT, "BART", folder)
    mapping.check_sizes(theirs, _SIZES, folder)
    for size in ("attention_heads", "ffn_dim"):
        of_both = [theirs.get(f"{stack}_{size}") for stack in ("encoder", "decoder")]
        if of_both[0] != of_both[1]:
            raise ValueError(
                f"{folder} has encoder_{size}={of_both[0]} and decoder_{size}={of_both[1]}: only equal ones can be read"
            )
    start, end = theirs.get("decoder_start_token_id", 2), theirs.get("eos_token_id", 2)
    if start != end:
        raise ValueError(f"{folder} has decoder_start_token_id={start}: only eos_token_id={end} can be read")
    return BARTConfig(
        vocab_size=theirs["vocab_size"],
        pad_id=theirs["pad_token_id"],
        d_model=theirs["d_model"],
        n_layers=theirs["encoder_layers"],
        n_decoder_layers=theirs["decoder_layers"],
        n_heads=theirs["encoder_attention_heads"],
        d_ff=theirs["encoder_ffn_dim"],
        activation=mapping.activation(theirs, "activation_function", "gelu", folder),
        dropout=mapping.number(theirs, "dropout", 0.1, folder),
        max_len=theirs["max_position_embeddings"],
    )


def _names(config: BARTConfig) -> dict[str, list[str]]:
    """Their names, without the prefix `model.`, with our name for each."""
    names = {"shared.weight": ["embedding.tokens.weight"], "final_logits_bias": ["out_bias"]}
    parts = {}
    for stack, side, n_layers in (
        ("encoder", "source", config.n_layers),
        ("decoder", "target", config.n_decoder_layers),
    ):
        names[f"{stack}.embed_positions.weight"] = [f"{side}_positions.table"]
        parts[f"{stack}.layernorm_embedding"] = f"{side}_norm"
        for i in range(n_layers):
            for theirs, ours in (_BLOCK if stack == "encoder" else _BLOCK | _CROSS).items():
                inner = _PROJECTIONS if theirs.endswith("_attn") else {"": ""}
                for their_part, our_part in inner.items():
                    name = f"{stack}.layers.{i}.{theirs}.{their_part}".rstrip(".")
                    parts[name] = f"{stack}.blocks.{i}.{ours}.{our_part}".rstrip(".")
    return names | {f"{t}.{kind}": [f"{o}.{kind}"] for t, o in parts.items() for kind in ("weight", "bias")}
