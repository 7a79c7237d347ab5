"""The folder of a run. It has run.json first, which says what is run; then checkpoints; and when the run is finished,
config.json, tokenizers, model.safetensors, history.json, and result.json last."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError
from safetensors.torch import save
from torch import nn

from seqbook import models, objectives, weights
from seqbook.data.tokenizer import Tokenizer, load_tokenizers
from seqbook.identity import fingerprint
from seqbook.objectives.batch import Objective
from seqbook.recipes.schema import describe
from seqbook.storage import read_text, writing
from seqbook.training.checkpoints import CheckpointError, Identity


def is_finished(folder: Path) -> bool:
    return (folder / "result.json").is_file()


def begin(folder: Path, about: dict[str, Any]) -> None:
    """Check that the folder is free, or that it has the run `about`: its recipe, seed, config and `settings`, their
    fingerprint with the data's.

    Raises:
        CheckpointError: it has another run; the message says which settings differ.
        StorageError: the folder cannot be written.
    """
    part = "result" if is_finished(folder) else "run"
    used = is_finished(folder) or any(folder.glob("step-*.safetensors"))
    there = _about(folder, part) if used and (folder / f"{part}.json").is_file() else about
    if there["settings"] != about["settings"]:
        raise CheckpointError(
            f"{folder} belongs to another run ({_differences(there, about)}): choose another folder for --out, repeat that "
            "run with its own settings, or delete this folder to start anew"
        )
    if not used:
        with writing(folder / "run.json") as scratch:
            scratch.write_text(json.dumps(about, indent=1, ensure_ascii=False), encoding="utf-8")


def _about(folder: Path, part: str) -> dict[str, Any]:
    """run.json or result.json, which both say what is run."""
    found = _content(folder, part)
    keys = ("recipe", "seed", "settings", "code", "config")
    lacks = [key for key in keys if not isinstance(found, dict) or key not in found]
    if lacks:
        raise ValueError(f"{folder / part}.json has no {lacks[0]}: {_ANEW.format(folder)}")
    return found


def _differences(there: dict[str, Any], here: dict[str, Any]) -> str:
    """What differs between two runs, as in "steps is 700 there and 900 here"."""
    if there["recipe"] != here["recipe"]:
        return f"recipe is {there['recipe']} there and {here['recipe']} here"
    both = [_leaves(about["config"]) | {"seed": about["seed"]} for about in (there, here)]
    names = [name for name in both[1] | both[0] if name != "about" and both[0].get(name) != both[1].get(name)]
    return (
        ", ".join(
            f"{name.removesuffix('.class').split('.')[-1]} is {both[0].get(name)!r} there and {both[1].get(name)!r} here"
            for name in names
        )
        or "its data differ, or the recipe of the model that it starts from"
    )


def _leaves(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """The settings of a configuration and of those inside it: {"training.steps": 700, …}."""
    found = {}
    for name, value in config.items():
        found |= _leaves(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return found


def keep(folder: Path, model: nn.Module, objective: Objective, history: list[dict], result: dict[str, Any]) -> None:
    """Write all files. result.json comes last, so if it exists, all other files exist too.

    Raises:
        StorageError: the folder cannot be written.
    """
    config = {"model": describe(model.config), "objective": describe(objective.config)}
    for name, tokenizer in objective.tokenizers.items():
        tokenizer.save(folder / f"{name}.json")
    tensors = {name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}
    with writing(folder / "model.safetensors") as scratch:
        scratch.write_bytes(save(tensors, {"mark": _mark(result, objective.tokenizers)}))
    for name, content in {"config": config, "history": history, "result": result}.items():
        with writing(folder / f"{name}.json") as scratch:
            scratch.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


def read(folder: Path, identity: Identity) -> tuple[dict[str, Any], list[dict]]:
    """Read the result and the history of a finished run.

    Raises:
        CheckpointError: the folder contains a run of another recipe, data or seed. ValueError: a damaged file.
    """
    result, history = _about(folder, "result"), _content(folder, "history")
    if not isinstance(history, list) or not all(isinstance(row, dict) for row in history):
        raise ValueError(f"{folder / 'history.json'} is no list of steps: {_ANEW.format(folder)}")
    identity.check(result["settings"], result["code"], folder)
    return result, history


def load(folder: Path) -> tuple[nn.Module, Objective]:
    """Load the model and the objective.

    Raises:
        FileNotFoundError: the folder contains no finished run; ValueError: a file that is missing or damaged, or that
            belongs to another run.
    """
    if not is_finished(folder):
        raise FileNotFoundError(
            f"{folder} holds no finished run: train one with --out {folder}, or give the command of an interrupted one again"
        )
    config, file = _content(folder, "config"), folder / "model.safetensors"
    for part in ("model", "objective"):
        if not isinstance(config, dict) or not isinstance(config.get(part), dict):
            raise ValueError(f"{folder / 'config.json'} has no {part}: {_ANEW.format(folder)}")
    try:
        model = restore(config["model"]).build()
    except (ValueError, RuntimeError, AssertionError) as error:  # the last two are torch's: too large, padding outside
        raise ValueError(f"{folder / 'config.json'} describes no network ({error}): {_ANEW.format(folder)}") from error
    try:
        tokenizers = load_tokenizers(folder)
    except ValueError as error:
        raise ValueError(f"{error}: {_ANEW.format(folder)}") from error
    try:
        objective = restore(config["objective"]).build(tokenizers, model.config.max_len)
    except ValueError as error:
        raise ValueError(
            f"{folder / 'config.json'} does not fit the folder ({error}): {_ANEW.format(folder)}"
        ) from error
    except (KeyError, TypeError) as error:
        has = ", ".join(f"{name}.json" for name in tokenizers) or "none"
        raise ValueError(f"{folder} lacks a tokenizer (it has {has}): {_ANEW.format(folder)}") from error
    found = weights.read([file], _ANEW.format(folder))
    ours = {name: tuple(t.shape) for name, t in model.state_dict().items()}
    theirs = {name: tuple(t.shape) for name, t in found.items()}
    for name in ours | theirs:
        if ours.get(name) != theirs.get(name):
            has, wants = theirs.get(name, "missing"), ours.get(name, "not in the network")
            raise ValueError(f"{file} belongs to another run: {name} is {has}, and by config.json it is {wants}")
    model.load_state_dict(found)
    for name, size in objective.sizes().items():
        if getattr(model.config, name, size) != size:
            wants = getattr(model.config, name)
            raise ValueError(f"the tokenizers in {folder} belong to another run: {name} is {size}, not {wants}")
    mark = _mark(_about(folder, "result"), tokenizers)
    if weights.metadata(file).get("mark", mark) != mark:  # runs of older versions have none
        raise ValueError(f"{file} belongs to another run than result.json or the tokenizers: {_ANEW.format(folder)}")
    return model, objective


def _mark(result: dict[str, Any], tokenizers: Mapping[str, Tokenizer]) -> str:
    """What the weights of a run are stored with, so that no other run's file of the same sizes is taken for one of it."""
    return fingerprint(
        result["settings"], {name: tokenizer.backend.get_vocab() for name, tokenizer in tokenizers.items()}
    )


_ANEW = "delete {} and train anew"


def _content(folder: Path, part: str) -> Any:
    file = folder / f"{part}.json"
    try:
        return json.loads(read_text(file))
    except (OSError, ValueError) as error:
        raise ValueError(f"{file} is damaged ({error}): {_ANEW.format(folder)}") from error


def restore(description: dict[str, Any]) -> Any:
    """The configuration with this description, as `describe` makes it.

    Raises:
        ValueError: a class or a setting that does not exist, or a value of another type.
    """
    known = {config.__name__: config for config in (*models.CONFIGS, *objectives.CONFIGS)}
    name, settings = description.get("class"), {k: v for k, v in description.items() if k != "class"}
    if not isinstance(name, str) or name not in known:
        raise ValueError(f"configuration of an unknown class {name!r}: choose one of {', '.join(known)}")
    for key, value in settings.items():
        settings[key] = (
            restore(value) if isinstance(value, dict) else tuple(value) if isinstance(value, list) else value
        )
    for key, kind in get_type_hints(known[name]).items():
        try:
            if key in settings:
                TypeAdapter(kind).validate_python(settings[key], strict=True)
        except ValidationError as error:
            raise ValueError(f"{name}: {key}={settings[key]!r}: {error.errors()[0]['msg']}") from error
    try:
        return known[name](**settings)
    except TypeError as error:
        raise ValueError(f"{name}: {error}") from error
