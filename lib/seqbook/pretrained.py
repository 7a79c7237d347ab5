"""Models and tokenizers that others trained, in Hugging Face's layout: from a folder, or by name from the Hub.

Nothing is unpickled, and nothing is loaded half: what our networks can't do is refused by its name. Used in chapter 3.3.
"""

import json
import re
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from safetensors import SafetensorError
from safetensors.torch import load_file
from tokenizers import AddedToken
from torch import Tensor

from seqbook.models.gpt import GPT, GPTConfig
from seqbook.tokenizer import Tokenizer

END_OF_TEXT = "<|endoftext|>"  # GPT-2's one special token: it stands between texts

_FILES = [
    "config.json",
    "model*.safetensors",
    "model.safetensors.index.json",
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
]
_SIZES = ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head")
_ACTIVATIONS = {
    "relu": "relu", "tanh": "tanh", "silu": "silu", "swish": "silu", "gelu": "gelu", "gelu_python": "gelu",
    "gelu_new": "gelu_tanh", "gelu_fast": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh",
}  # fmt: skip
_OPTIONS = {  # with the one value that our network has, which is also what holds where a file says nothing
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "add_cross_attention": False,
    "tie_word_embeddings": True,
    "layer_norm_epsilon": 1e-5,
}
_PARTS = {  # of a block, theirs: ours; c_attn, which ours has in two, comes apart
    "ln_1": "attention_norm",
    "attn.c_proj": "attention.out",
    "ln_2": "feed_forward_norm",
    "mlp.c_fc": "feed_forward.inner",
    "mlp.c_proj": "feed_forward.out",
}


def from_pretrained(name_or_folder: str | Path) -> GPT:
    """Hugging Face's GPT2LMHeadModel as our `GPT`, with the same logits: in fp32, on the CPU, in eval mode.

    Of its three dropouts, which act in training alone, ours is the one after each part (resid_pdrop).

    Raises:
        ValueError: neither a folder nor to be had from the Hub; files that are missing or damaged; an architecture or
            option that we don't have; tensors that are missing, too many or of another shape. Names which.
    """
    folder = _folder(name_or_folder)
    config = _gpt2_config(_json(folder / "config.json"), folder)
    weights = _gpt2_weights(_tensors(folder), config, folder)
    model = GPT(config)
    model.load_state_dict(weights)
    return model.eval()


def load_tokenizer(name_or_folder: str | Path) -> Tokenizer:
    """The byte-level BPE that comes with a model: its tokenizer.json, or its vocab.json with merges.txt.

    As with every `Tokenizer`, no text can produce a special token: a typed <|endoftext|> is cut up.

    Raises:
        ValueError: neither a folder nor to be had from the Hub; files that are missing, damaged, or no BPE.
    """
    folder = _folder(name_or_folder)
    vocab, merges = folder / "vocab.json", folder / "merges.txt"
    if (folder / "tokenizer.json").is_file():
        tokenizer = Tokenizer.load(folder / "tokenizer.json")
        kind = type(tokenizer.backend.model).__name__
        if kind != "BPE":
            raise ValueError(f"{folder / 'tokenizer.json'} is a {kind} vocabulary: only BPE is read")
    elif vocab.is_file() and merges.is_file():
        tokenizer = Tokenizer.load_bpe(vocab, merges)
    else:
        raise ValueError(
            f"{folder} has neither tokenizer.json nor vocab.json and merges.txt: there is no tokenizer in it"
        )
    tokenizer.backend.no_truncation()  # files may hold the length of somebody's training
    tokenizer.backend.no_padding()
    if tokenizer.backend.token_to_id(END_OF_TEXT) is not None:
        tokenizer.backend.add_special_tokens([AddedToken(END_OF_TEXT, special=True)])
    return tokenizer


def _folder(name_or_folder: str | Path) -> Path:
    folder = Path(name_or_folder).expanduser()
    if folder.is_dir():
        return folder
    try:
        return Path(snapshot_download(str(name_or_folder), allow_patterns=_FILES))
    except Exception as error:  # the library raises whatever its transport raises
        raise ValueError(
            f"there is no folder {name_or_folder}, and no such model can be had from the Hugging Face Hub "
            f"({type(error).__name__}): check the name, connect to the network, or give a folder with config.json and "
            "model.safetensors"
        ) from error


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(f"{file.parent} has no {file.name}: give a folder in Hugging Face's layout") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is damaged ({error}): get it anew") from error
    if not isinstance(content, dict):
        raise ValueError(f"{file} is damaged ({type(content).__name__}, not an object): get it anew")
    return content


def _gpt2_config(theirs: dict[str, Any], folder: Path) -> GPTConfig:
    if "architecture" in theirs:
        raise ValueError(f"{folder} is a run of seqbook, not Hugging Face's layout: read it with seqbook.runs.load")
    names = theirs.get("architectures") or [theirs.get("model_type")]
    if names not in (["GPT2LMHeadModel"], ["gpt2"]):
        raise ValueError(f"{folder} holds {' and '.join(map(str, names))}: GPT2LMHeadModel is what can be read")
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


def _tensors(folder: Path) -> dict[str, Tensor]:
    """All that model.safetensors holds, or the several files that its index names."""
    files = ["model.safetensors"]
    if not (folder / files[0]).is_file() and (folder / "model.safetensors.index.json").is_file():
        files = sorted(set(_json(folder / "model.safetensors.index.json").get("weight_map", {}).values()))
    tensors: dict[str, Tensor] = {}
    for file in files:
        if Path(file).name != file or not (folder / file).is_file():
            raise ValueError(
                f"{folder} has no {file}. Pickled weights (pytorch_model.bin) are not read, since they could run any code: "
                "transformers' GPT2LMHeadModel.from_pretrained(…).save_pretrained(…) writes them as model.safetensors"
            )
        try:
            tensors |= load_file(folder / file)
        except SafetensorError as error:
            raise ValueError(f"{folder / file} is damaged ({error}): get it anew") from error
    return tensors


def _gpt2_weights(tensors: dict[str, Tensor], config: GPTConfig, folder: Path) -> dict[str, Tensor]:
    """Their tensors under our names. Their matrices stand as (in, out), torch's and ours as (out, in)."""
    found = {name.removeprefix("transformer."): t for name, t in tensors.items()}
    found = {
        name: t for name, t in found.items() if not re.fullmatch(r"h\.\d+\.attn\.(bias|masked_bias)", name)
    }  # masks
    head = found.pop("lm_head.weight", None)
    expected = _gpt2_shapes(config)
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
        raise ValueError(
            f"{folder}: lm_head.weight differs from wte.weight, but tie_word_embeddings is all that can be read"
        )
    ours = {"embedding.weight": found["wte.weight"], "positions.table": found["wpe.weight"]}
    for kind in ("weight", "bias"):
        ours[f"norm.{kind}"] = found[f"ln_f.{kind}"]
        for i in range(config.n_layers):
            for their_part, our_part in _PARTS.items():
                ours[f"blocks.{i}.{our_part}.{kind}"] = found[f"h.{i}.{their_part}.{kind}"].t()
            parts = found[f"h.{i}.attn.c_attn.{kind}"].t().split([config.d_model, 2 * config.d_model])
            for our_part, part in zip(("query", "key_value"), parts, strict=True):
                ours[f"blocks.{i}.attention.{our_part}.{kind}"] = part
    return ours


def _gpt2_shapes(config: GPTConfig) -> dict[str, tuple[int, ...]]:
    """What GPT2LMHeadModel's file holds, without the prefix `transformer.`."""
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
