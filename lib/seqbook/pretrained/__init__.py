"""Loading pretrained models and tokenizers in Hugging Face's layout, from a folder or by name from the Hub.

One file per family maps names. Nothing is loaded in part: a file with an option that our networks do not have raises an
error that names the option. Used in chapters 3.3, 4.1 and 5.1.
"""

from pathlib import Path

from torch import nn

from seqbook.pretrained import bart, bert, files, gpt2, t5
from seqbook.pretrained.vocabularies import END_OF_TEXT, load_tokenizer

__all__ = ["END_OF_TEXT", "FAMILIES", "from_pretrained", "load_tokenizer"]

# By architecture, or by model_type if that says enough; a new family adds its own.
FAMILIES = dict.fromkeys(gpt2.ARCHITECTURES, gpt2) | dict.fromkeys(bert.ARCHITECTURES, bert)
FAMILIES |= dict.fromkeys(t5.ARCHITECTURES, t5) | dict.fromkeys(bart.ARCHITECTURES, bart)


def from_pretrained(name_or_folder: str | Path) -> nn.Module:
    """Load a Hugging Face model as our model with the same logits, in fp32, on the CPU, in eval mode.

    Raises:
        ValueError: neither a folder nor a model on the Hub; files that are missing or damaged; an architecture or an
            option that we do not have; tensors that are missing, unknown, of another shape, or with a value that is not
            finite. The message names them.
    """
    folder = files.find(name_or_folder)
    config = files.read_json(folder / "config.json")
    if "model" in config and "objective" in config:
        raise ValueError(f"{folder} is a run of seqbook, not Hugging Face's layout: read it with seqbook.runs.load")
    found = config.get("architectures") or config.get("model_type")
    if isinstance(found, list) and len(found) == 1:
        (found,) = found
    if not isinstance(found, str) or found not in FAMILIES:
        raise ValueError(f"{folder} holds {found}: choose one of {', '.join(FAMILIES)}")
    try:
        return FAMILIES[found].load(folder, config | {"architectures": [found]}).eval()
    except ValueError as error:
        if str(error).startswith(str(folder)):
            raise
        raise ValueError(f"{folder} has a config.json that describes no network ({error})") from error
