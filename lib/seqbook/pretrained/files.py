"""Reading a folder in Hugging Face's layout: find it, read its JSON and its tensors. Nothing is unpickled."""

import json
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

_FILES = [
    "config.json",
    "model*.safetensors",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
]


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


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ValueError: the file is missing or damaged.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(f"{file.parent} has no {file.name}: give a folder in Hugging Face's layout") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is damaged ({error}): download it again") from error
    if not isinstance(content, dict):
        raise ValueError(f"{file} is damaged ({type(content).__name__}, not an object): download it again")
    return content


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """Read all tensors of model.safetensors, or of the files that its index lists.

    Raises:
        ValueError: a file is missing or damaged.
    """
    files = ["model.safetensors"]
    if not (folder / files[0]).is_file() and (folder / "model.safetensors.index.json").is_file():
        files = sorted(set(read_json(folder / "model.safetensors.index.json").get("weight_map", {}).values()))
    tensors: dict[str, Tensor] = {}
    for file in files:
        if Path(file).name != file or not (folder / file).is_file():
            raise ValueError(
                f"{folder} has no {file}. Pickled weights (pytorch_model.bin) are not read, because they could run any code: "
                "from_pretrained(…).save_pretrained(…) of transformers writes them as model.safetensors"
            )
        try:
            tensors |= load_file(folder / file)
        except SafetensorError as error:
            raise ValueError(f"{folder / file} is damaged ({error}): download it again") from error
    return tensors
