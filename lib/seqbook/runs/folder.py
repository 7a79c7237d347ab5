"""The folder of a finished run: config.json, tokenizers, model.safetensors, history.json, and result.json last."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from seqbook import models, objectives
from seqbook.data.tokenizer import load_tokenizers
from seqbook.objectives.batch import Objective
from seqbook.recipes.schema import describe
from seqbook.storage import writing
from seqbook.training.checkpoints import Identity


def is_finished(folder: Path) -> bool:
    return (folder / "result.json").is_file()


def keep(folder: Path, model: nn.Module, objective: Objective, history: list[dict], result: dict[str, Any]) -> None:
    """Write all files. result.json comes last, so if it exists, all other files exist too.

    Raises:
        StorageError: the folder cannot be written.
    """
    config = {"model": describe(model.config), "objective": describe(objective.config)}
    for name, tokenizer in objective.tokenizers.items():
        tokenizer.save(folder / f"{name}.json")
    weights = {name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}
    with writing(folder / "model.safetensors") as scratch:
        scratch.write_bytes(save(weights))
    for name, content in {"config": config, "history": history, "result": result}.items():
        with writing(folder / f"{name}.json") as scratch:
            scratch.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


def read(folder: Path, identity: Identity) -> tuple[dict[str, Any], list[dict]]:
    """Read the result and the history of a finished run.

    Raises:
        CheckpointError: the folder contains a run of another recipe, data or seed.
    """
    result, history = (json.loads((folder / f"{part}.json").read_text("utf-8")) for part in ("result", "history"))
    identity.check(result["settings"], result["code"], folder)
    return result, history


def load(folder: Path) -> tuple[nn.Module, Objective]:
    """Load the model and the objective.

    Raises:
        FileNotFoundError: the folder contains no finished run; ValueError: damaged files.
    """
    if not is_finished(folder):
        raise FileNotFoundError(f"{folder} holds no finished run: train one with --out {folder}")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    model = restore(config["model"]).build()
    try:
        model.load_state_dict(load_file(folder / "model.safetensors"))
    except SafetensorError as error:
        raise ValueError(
            f"{folder / 'model.safetensors'} is damaged ({error}): delete {folder} and train anew"
        ) from error
    return model, restore(config["objective"]).build(load_tokenizers(folder), model.config.max_len)


def restore(description: dict[str, Any]) -> Any:
    """The configuration with this description, as `describe` makes it.

    Raises:
        ValueError: a class or a setting that does not exist.
    """
    known = {config.__name__: config for config in (*models.CONFIGS, *objectives.CONFIGS)}
    name, settings = description.get("class"), {k: v for k, v in description.items() if k != "class"}
    if name not in known:
        raise ValueError(f"configuration of an unknown class {name!r}: choose one of {', '.join(known)}")
    for key, value in settings.items():
        settings[key] = (
            restore(value) if isinstance(value, dict) else tuple(value) if isinstance(value, list) else value
        )
    try:
        return known[name](**settings)
    except TypeError as error:
        raise ValueError(f"{name}: {error}") from error
