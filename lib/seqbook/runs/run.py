"""One run of a recipe, from its name to the trained system. Read `run` from top to bottom."""

import json
import os
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE
from typing import Any

import torch
from accelerate import PartialState
from datasets import DatasetDict, load_from_disk
from torch import nn

from seqbook.identity import code_identity, fingerprint
from seqbook.objectives.batch import Objective
from seqbook.recipes import RECIPES, Recipe, configure, describe
from seqbook.runs import folder as folders
from seqbook.runs.build import build
from seqbook.runs.children import call
from seqbook.runs.prepare import corpus_identity, corpus_modules, prepare
from seqbook.storage import home, locked
from seqbook.training.checkpoints import Identity
from seqbook.training.device import device, device_name, on_cpu
from seqbook.training.loop import fit


@dataclass(frozen=True)
class System:
    """A trained model, and the objective with the tokenizers that it was trained with."""

    model: nn.Module
    objective: Objective

    def generate(self, texts: Sequence[str], **how: Any) -> list[str]:
        """What the model generates for each text: a translation or a continuation. `how`: as in the objective.

        Raises:
            ValueError: a text without tokens, or one that is too long; a system that writes no
                text, such as a classifier or BERT.
        """
        if not hasattr(self.objective, "generate"):
            raise ValueError(f"{type(self.objective).__name__} writes no text: generate with another system")
        return self.objective.generate(self.model, texts, **how)


@dataclass(frozen=True)
class Run(System):
    """The result of a recipe: the trained system, its corpus, its history and its scores."""

    splits: DatasetDict
    history: list[dict]
    result: dict[str, Any]
    folder: Path

    def examples(self, split: str) -> Sequence[tuple]:
        """The examples of a split, as the objective takes them."""
        return self.objective.examples(self.splits[split])


def run(
    name: str, *, seed: int = 0, data: str | Path | None = None, out: str | Path | None = None, **settings: Any
) -> Run:
    """Train the recipe `name` with some settings changed, or load the result if this run exists already.

    data: the local folder of a real corpus (None: the Hub); out: the run's folder (None: one under `home()`).

    Raises:
        ValueError: an unknown recipe or setting; CorpusError: no such corpus; CheckpointError: `out` holds another run.
        FloatingPointError, KeyboardInterrupt, StorageError: as `training.fit`.
    """
    recipe = configure(name, **settings)
    identity = identify(recipe, data, seed)
    folder = Path(out) if out else _home_of(name, identity)
    prepared = prepare(recipe, data, prepare(RECIPES[recipe.base]) if recipe.base else None)
    splits = load_from_disk(str(prepared))

    processes = PartialState(cpu=on_cpu())
    about = {"recipe": name, "seed": seed, "settings": identity.settings, "code": identity.code}
    with locked(folder) if processes.is_main_process else nullcontext():
        if processes.is_main_process:
            folders.begin(folder, about | {"config": describe(recipe)})
        if not folders.is_finished(folder):
            pretrained = run(recipe.base).model if recipe.base and recipe.pretrained else None
            model, objective = build(recipe, prepared, seed, pretrained)
            train, validation = (objective.examples(splits[split]) for split in ("train", "validation"))
            history = fit(
                model, objective, train, validation, recipe.training, seed=seed, out=folder, identity=identity
            )
            if processes.is_main_process:
                began = time.perf_counter()
                scores = objective.scores(model, splits) | {"scoring_seconds": time.perf_counter() - began}
                result = about | {"config": describe(recipe)} | _summary(model, history) | scores
                folders.keep(folder, model, objective, history, result)
            processes.wait_for_everyone()
    result, history = folders.read(folder, identity)
    system = load(folder)
    return Run(system.model, system.objective, splits, history, result, folder)


def _home_of(name: str, identity: Identity) -> Path:
    return home() / "runs" / f"{name}-{fingerprint(identity.settings, identity.code)}"


def identify(recipe: Recipe, data: str | Path | None, seed: int) -> Identity:
    """What identifies the run: its settings, and the meaning of the code that it uses."""
    base = identify(RECIPES[recipe.base], None, 0) if recipe.base else Identity()
    told = {name: value for name, value in describe(recipe).items() if name != "about"}
    modules = {type(config).__module__ for config in (recipe.objective, *recipe.models())}
    used = sorted({*modules, *corpus_modules(recipe), "seqbook.runs.build", "seqbook.training.loop"})
    return Identity(
        settings=fingerprint(told, corpus_identity(recipe, data), seed, base.settings),
        code=fingerprint(code_identity(*used), torch.__version__, base.code),
    )


def arguments(name: str, seed: int, settings: Mapping[str, Any]) -> list[str]:
    """The arguments of `python -m seqbook` that start this run."""
    return ["train", name, f"--seed={seed}", *(f"--set={key}={json.dumps(value)}" for key, value in settings.items())]


def run_all(wanted: Mapping[str, tuple[str, dict[str, Any]]]) -> dict[str, Run]:
    """Several runs, {label: (recipe, settings)}, in the order of the labels. On a CPU, each core trains one at a time.

    A small model trains hardly faster with a second thread, but two models train in parallel at nearly full speed.

    Raises:
        RuntimeError: a run failed; the error contains its message.
    """

    def train(command: list[str]) -> None:
        done = call(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=PIPE, stderr=PIPE, text=True)
        if done.returncode:
            said = (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1]
            raise RuntimeError(f"{shlex.join(command[1:])} failed: {said}")

    commands = []
    for name, settings in wanted.values():
        seed, changed = settings.get("seed", 0), {key: value for key, value in settings.items() if key != "seed"}
        if not folders.is_finished(_home_of(name, identify(configure(name, **changed), None, seed))):
            commands.append([sys.executable, "-m", "seqbook", *arguments(name, seed, changed)])
    if device().type == "cpu" and len(commands) > 1:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(train, commands))
    return {label: run(name, **settings) for label, (name, settings) in wanted.items()}


def load(folder: str | Path) -> System:
    """Load the system of a finished run from its folder, onto the best available device.

    Raises:
        FileNotFoundError: the folder contains no finished run; ValueError: damaged files.
    """
    model, objective = folders.load(Path(folder))
    return System(model.to(device()).eval(), objective)


def _summary(model: nn.Module, history: list[dict]) -> dict[str, Any]:
    """The entries of result.json that every training has."""
    seconds, tokens = (sum(row[key] for row in history) for key in ("seconds", "tokens"))
    last, kept = history[-20:], next((row for row in history if "kept" in row), history[-1])
    return {
        "params": sum(p.numel() for p in model.parameters()),
        "steps": len(history),
        "kept_step": kept["step"],
        "tokens": tokens,
        "seconds": seconds,
        "tokens_per_second": tokens / seconds,
        "device": device_name(),
        "train_loss": sum(row["loss"] for row in last) / len(last),
        "val_loss": kept["val_loss"],
    }
