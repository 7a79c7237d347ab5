"""Reading a folder in Hugging Face's layout: find it, read its JSON and its tensors. Nothing is unpickled."""

import codecs
import json
import re
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from torch import Tensor

from seqbook import weights

MARK = codecs.BOM_UTF8.decode()  # the byte-order mark
_FILES = [
    "config.json",
    "generation_config.json",
    "model*.safetensors",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
]
_WRAPPERS = re.compile(  # of torch and DeepSpeed, around a model or a part of it
    r"(?<![^.])(_orig_mod|module|_fsdp_wrapped_module|_checkpoint_wrapped_module|_forward_module)\."
)


def find(name_or_folder: str | Path) -> Path:
    """The folder itself, or the folder to which the model from the Hub is downloaded.

    Raises:
        ValueError: there is no such folder, and no such model can be downloaded.
    """
    folder = Path(name_or_folder).expanduser()
    if folder.is_dir():
        return folder
    try:
        return Path(snapshot_download(str(name_or_folder), allow_patterns=_FILES))
    except Exception as error:  # the library passes on the exceptions of its HTTP client
        raise ValueError(
            f"there is no folder {name_or_folder}, and no such model can be downloaded from the Hugging Face Hub "
            f"({type(error).__name__}): check the name, connect to the network, or give a folder with config.json and "
            "model.safetensors"
        ) from error


def not_here(folder: Path, lacking: str) -> str:
    """The message for a folder without the files that were looked for. It may have the name of a model on the Hub."""
    return (
        f"the folder {folder} has {lacking}: give another folder, or, for the model of that name on the Hugging Face Hub, "
        "its full name, such as openai-community/gpt2, where no folder is called so"
    )


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ValueError: the file is missing or damaged.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8").lstrip(MARK))  # some editors put it first, some twice
    except FileNotFoundError as error:
        raise ValueError(not_here(file.parent, f"no {file.name}, as in Hugging Face's layout")) from error
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{file} is damaged ({error}): download it again") from error
    if not isinstance(content, dict):
        raise ValueError(f"{file} is damaged ({type(content).__name__}, not an object): download it again")
    return content


def read_json_if_any(file: Path) -> dict[str, Any]:
    """`read_json`, where the file may be missing; then it is empty."""
    return read_json(file) if file.is_file() else {}


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """Read all tensors of model.safetensors, or of the files that its index lists, by their plain names:
    without the `_orig_mod` of a compiled model, the `module` of one on several GPUs, and the like.

    Raises:
        ValueError: a file is missing or damaged, or holds a value that is not finite.
    """
    files, index = ["model.safetensors"], folder / "model.safetensors.index.json"
    if not (folder / files[0]).is_file() and index.is_file():
        listed = read_json(index).get("weight_map")
        if not isinstance(listed, dict) or not listed or not all(isinstance(file, str) for file in listed.values()):
            raise ValueError(f"{index} is damaged (its weight_map={listed!r} lists no files): download it again")
        files = sorted(set(listed.values()))
    for file in files:
        if Path(file).name != file or not (folder / file).is_file():
            raise ValueError(
                f"{folder} has no {file}. Pickled weights (pytorch_model.bin) are not read, because they could run any code: "
                "from_pretrained(…).save_pretrained(…) of transformers writes them as model.safetensors"
            )
    tensors = weights.read([folder / file for file in files], "download it again")
    plain = {_WRAPPERS.sub("", name): t for name, t in tensors.items()}
    if len(plain) < len(tensors):
        raise ValueError(
            f"{folder} has tensors both with and without the prefix _orig_mod. or module.: keep only one of each"
        )
    return plain
