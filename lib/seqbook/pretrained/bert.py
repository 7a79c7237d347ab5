"""Hugging Face's BERT and RoBERTa as our `BERT`. They have a dropout on attention weights too; ours has not.

BertForPreTraining has both heads; BertForMaskedLM and RobertaForMaskedLM have the one over tokens; BertModel and
RobertaModel have the pooler, or nothing if the file has none. Heads that the architecture does not name are not read.
"""

from pathlib import Path
from typing import Any

from torch import Tensor

from seqbook.models.bert import BERT, BERTConfig, Outputs
from seqbook.pretrained import mapping
from seqbook.pretrained.files import read_tensors

ARCHITECTURES: dict[str, Outputs] = {
    "BertForPreTraining": "pretraining",
    "BertForMaskedLM": "masked",
    "BertModel": "pooled",
    "RobertaForMaskedLM": "masked",
    "RobertaModel": "pooled",
}
_SIZES = (
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
    "max_position_embeddings", "type_vocab_size", "pad_token_id",
)  # fmt: skip
_READ = {*_SIZES, "hidden_act", "hidden_dropout_prob", "layer_norm_eps"}
_OPTIONS = {  # the only value that our network supports; it is also the default if a file leaves the option out
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "is_encoder_decoder": False,
    "add_cross_attention": False,
    "cross_attention_hidden_size": None,
    "tie_word_embeddings": True,
    "tie_encoder_decoder": False,
    "pruned_heads": {},
    "quantization_config": None,
}
# What changes no logits in eval mode. The pooler_* stand in Google's multilingual files, where nothing reads them.
_NO_EFFECT = {
    "initializer_range", "layerdrop", "attention_probs_dropout_prob", "language", "directionality", "pooler_fc_size",
    "pooler_num_attention_heads", "pooler_num_fc_layers", "pooler_size_per_head", "pooler_type",
}  # fmt: skip
_PARTS = {  # names of the parts of a block, theirs and ours
    "attention.self.query": "attention.query",
    "attention.self.key": "attention.key",  # our key_value is these two
    "attention.self.value": "attention.value",
    "attention.output.dense": "attention.out",
    "attention.output.LayerNorm": "attention_norm",
    "intermediate.dense": "feed_forward.inner",
    "output.dense": "feed_forward.out",
    "output.LayerNorm": "feed_forward_norm",
}
_POOLER = {"pooler.dense": "pooler"}
_NEXT_SENTENCE = {"cls.seq_relationship": "next_sentence"}
_MASKED = {
    "bert": ("cls.predictions", {"transform.dense": "dense", "transform.LayerNorm": "norm"}),
    "roberta": ("lm_head", {"dense": "dense", "layer_norm": "norm"}),
}


def load(folder: Path, theirs: dict[str, Any]) -> BERT:
    """Build the model that config.json (`theirs`) describes, with the weights in the folder."""
    (architecture,) = theirs["architectures"]
    family = "roberta" if architecture.startswith("Roberta") else "bert"
    found = _clean(read_tensors(folder), family)
    outputs = ARCHITECTURES[architecture]
    if outputs == "pooled" and not any(name.startswith("pooler.") for name in found):
        outputs = "hidden"
    model = BERT(_config(theirs, family, outputs, folder))
    model.load_state_dict(_weights(found, model, family, architecture, folder))
    return model


def _config(theirs: dict[str, Any], family: str, outputs: Outputs, folder: Path) -> BERTConfig:
    theirs = {"pad_token_id": 1 if family == "roberta" else 0} | theirs
    mapping.check_options(theirs, _OPTIONS, folder)
    mapping.check_known(theirs, _READ | _OPTIONS.keys() | _NO_EFFECT, family.upper(), folder)
    mapping.check_sizes(theirs, _SIZES, folder)
    eps = mapping.number(theirs, "layer_norm_eps", 1e-12, folder)
    activation = mapping.activation(theirs, "hidden_act", "gelu", folder)
    if family == "roberta" and activation != "gelu":
        act = theirs["hidden_act"]
        raise ValueError(f"{folder} has hidden_act={act!r}: only 'gelu', which RoBERTa's head always has, can be read")
    first_position = theirs["pad_token_id"] + 1 if family == "roberta" else 0
    return BERTConfig(
        vocab_size=theirs["vocab_size"],
        pad_id=theirs["pad_token_id"],
        d_model=theirs["hidden_size"],
        n_layers=theirs["num_hidden_layers"],
        n_heads=theirs["num_attention_heads"],
        d_ff=theirs["intermediate_size"],
        activation=activation,
        eps=eps,
        first_position=first_position,
        n_segments=theirs["type_vocab_size"],
        outputs=outputs,
        dropout=mapping.number(theirs, "hidden_dropout_prob", 0.1, folder),
        max_len=theirs["max_position_embeddings"] - first_position,
    )


def _clean(tensors: dict[str, Tensor], family: str) -> dict[str, Tensor]:
    """Without the prefix, the numbers 0, 1, 2, … of older files, and TensorFlow's names of a norm's gain and bias."""
    found = {}
    for name, t in tensors.items():
        name = name.removeprefix(f"{family}.")
        name = name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
        if name not in ("embeddings.position_ids", "embeddings.token_type_ids"):
            found[name] = t
    return found


def _weights(found: dict[str, Tensor], model: BERT, family: str, architecture: str, folder: Path) -> dict[str, Tensor]:
    """Their tensors under our names."""
    head, _ = _MASKED[family]
    names = _names(model.config, family)
    mapping.check_tied(found, f"{head}.decoder.bias", f"{head}.bias", "one bias", folder)
    tokens = "embeddings.word_embeddings.weight"
    mapping.check_tied(found, f"{head}.decoder.weight", tokens, "tied embeddings", folder)
    heads = _names(BERTConfig(n_layers=0, outputs="pretraining"), family).keys()
    found = {name: t for name, t in found.items() if name in names or name not in heads}
    mapping.check_names(found, names, architecture, folder)
    return mapping.convert_apart(found, names, model.state_dict(), folder)


def _names(config: BERTConfig, family: str) -> dict[str, list[str]]:
    """Their names, without the prefix `bert.` or `roberta.`, with our name for each."""
    parts = {"embeddings.LayerNorm": "embedding_norm"}
    for i in range(config.n_layers):
        parts |= {f"encoder.layer.{i}.{theirs}": f"stack.blocks.{i}.{ours}" for theirs, ours in _PARTS.items()}
    names = {
        "embeddings.word_embeddings.weight": ["embedding.tokens.weight"],
        "embeddings.position_embeddings.weight": ["embedding.positions.table"],
        "embeddings.token_type_embeddings.weight": ["segments.weight"],
    }
    if config.outputs in ("pretraining", "masked"):
        head, of_head = _MASKED[family]
        names[f"{head}.bias"] = ["masked_head.bias"]
        parts |= {f"{head}.{theirs}": f"masked_head.{ours}" for theirs, ours in of_head.items()}
    if config.outputs in ("pretraining", "pooled"):
        parts |= _POOLER
    if config.outputs == "pretraining":
        parts |= _NEXT_SENTENCE
    return names | {f"{t}.{kind}": [f"{o}.{kind}"] for t, o in parts.items() for kind in ("weight", "bias")}
