"""Loading pretrained models and tokenizers in Hugging Face's layout, from a folder or by name from the Hub.

One file per family maps names. Nothing is loaded in part: a file with an option that our networks do not have raises an
error that names the option. Used in chapter 3.3.
"""

from pathlib import Path

from tokenizers import AddedToken
from torch import nn

from seqbook.data.tokenizer import Tokenizer
from seqbook.pretrained import files, gpt2

FAMILIES = {"GPT2LMHeadModel": gpt2, "gpt2": gpt2}  # by architecture or model_type; a new family adds its own
END_OF_TEXT = "<|endoftext|>"  # GPT-2's only special token, which separates texts


def from_pretrained(name_or_folder: str | Path) -> nn.Module:
    """Load a Hugging Face model as our model with the same logits, in fp32, on the CPU, in eval mode.

    Raises:
        ValueError: neither a folder nor a model on the Hub; files that are missing or damaged; an architecture or an
            option that we do not have; tensors that are missing, unknown or of another shape. The message names them.
    """
    folder = files.find(name_or_folder)
    config = files.read_json(folder / "config.json")
    if "model" in config and "objective" in config:
        raise ValueError(f"{folder} is a run of seqbook, not Hugging Face's layout: read it with seqbook.runs.load")
    names = config.get("architectures") or [config.get("model_type")]
    if len(names) != 1 or names[0] not in FAMILIES:
        raise ValueError(f"{folder} holds {' and '.join(map(str, names))}: choose one of {', '.join(FAMILIES)}")
    return FAMILIES[names[0]].load(folder, config).eval()


def load_tokenizer(name_or_folder: str | Path) -> Tokenizer:
    """Load the byte-level BPE of a model: its tokenizer.json, or its vocab.json with merges.txt.

    As with every `Tokenizer`, no text can produce a special token: if a reader types <|endoftext|>, it is split.

    Raises:
        ValueError: neither a folder nor a model on the Hub; files that are missing, damaged, or not a BPE.
    """
    folder = files.find(name_or_folder)
    vocab, merges = folder / "vocab.json", folder / "merges.txt"
    if (folder / "tokenizer.json").is_file():
        tokenizer = Tokenizer.load(folder / "tokenizer.json")
        kind = type(tokenizer.backend.model).__name__
        if kind != "BPE":
            raise ValueError(f"{folder / 'tokenizer.json'} is a {kind} vocabulary: only BPE is read")
    elif vocab.is_file() and merges.is_file():
        tokenizer = Tokenizer.load_bpe(vocab, merges)
    else:
        raise ValueError(f"{folder} has neither tokenizer.json nor vocab.json and merges.txt: it holds no tokenizer")
    tokenizer.backend.no_truncation()  # the file may contain the lengths used in training
    tokenizer.backend.no_padding()
    if tokenizer.backend.token_to_id(END_OF_TEXT) is not None:
        tokenizer.backend.add_special_tokens([AddedToken(END_OF_TEXT, special=True)])
    return tokenizer
