"""Doing what a recipe says, once: prepare its data, train, score, keep the result in a folder, read it again."""

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_type_hints

import torch
from accelerate import PartialState
from datasets import Dataset, DatasetDict, concatenate_datasets, load_from_disk
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from seqbook.checkpoints import CheckpointError
from seqbook.data import corpora, world
from seqbook.generate import translate
from seqbook.home import build_once, fingerprint, home, locked, source_fingerprint, writing
from seqbook.models import ARCHITECTURES
from seqbook.objectives.batch import Objective
from seqbook.objectives.seq2seq import Seq2Seq
from seqbook.recipes import FineTuning, Recipe, configure
from seqbook.results import device_name
from seqbook.tasks import OBJECTIVES, task_of
from seqbook.tokenizer import Tokenizer
from seqbook.train import device, fit, on_cpu

PACKAGE = Path(__file__).parent


@dataclass(frozen=True)
class System:
    """A model with the tokenizers and the objective that give its ids a meaning."""

    model: nn.Module
    objective: Objective

    def translate(self, texts: list[str], beams: int = 1) -> list[str]:
        """Each text in the target language.

        Raises:
            ValueError: a text without tokens, or one that is too long; a system that doesn't translate.
        """
        if not isinstance(self.objective, Seq2Seq):
            raise ValueError(f"a system trained for {type(self.objective).__name__} doesn't translate")
        return translate(self.model, self.objective, texts, beams=beams)


@dataclass(frozen=True)
class Run(System):
    """What a recipe made: the trained system, the texts it learned from, the course of its training, its scores."""

    splits: DatasetDict
    history: list[dict]
    result: dict[str, Any]
    folder: Path

    def examples(self, split: str) -> Sequence[tuple[list[int], ...]]:
        """The split's texts as ids, as the objective takes them."""
        return self.objective.examples(self.splits[split])


def run(
    name: str, *, seed: int = 0, data: str | Path | None = None, out: str | Path | None = None, **settings: Any
) -> Run:
    """Train the recipe `name`, its settings changed as given, or take its result from where it was trained before.

    data: the local folder of a real corpus (None: the Hub); out: the run's folder (None: under `home()`).

    Raises:
        ValueError: an unknown recipe or setting; CorpusError: no such corpus; CheckpointError: `out` holds another run.
        FloatingPointError, KeyboardInterrupt, StorageError: as `train.fit`.
    """
    recipe = configure(name, **settings)
    prepared = prepare(recipe, data)
    identity = fingerprint(code_version(), asdict(recipe), prepared.name, seed)
    folder = Path(out) if out else home() / "runs" / f"{name}-{identity}"
    splits = load_from_disk(str(prepared))
    processes = PartialState(cpu=on_cpu())
    with locked(folder) if processes.is_main_process else nullcontext():
        if not (folder / "result.json").exists():
            torch.manual_seed(seed)
            system = build(recipe, prepared)
            train, validation = (system.objective.examples(splits[split]) for split in ("train", "validation"))
            history = fit(
                system.model,
                system.objective,
                train,
                validation,
                recipe.budget,
                seed=seed,
                out=folder,
                identity=identity,
            )
            if processes.is_main_process:
                about = {"recipe": name, "seed": seed, "identity": identity, "config": asdict(recipe)}
                _save(folder, recipe, system, history, about | score(recipe, system, splits, history))
            processes.wait_for_everyone()
        result, history = (json.loads((folder / f"{part}.json").read_text()) for part in ("result", "history"))
    if result["identity"] != identity:
        raise CheckpointError(f"{folder} holds another run ({result['recipe']}): choose another folder, or delete it")
    system = load(folder)
    return Run(system.model, system.objective, splits, history, result, folder)


def run_all(wanted: Mapping[str, tuple[str, dict[str, Any]]]) -> dict[str, Run]:
    """Several runs, {label: (recipe, settings)}, in the order of the labels; on a CPU one at a time on each core.

    A model this small gains little from a second thread, two models at once gain nearly everything.

    Raises:
        RuntimeError: a run failed; with what it said.
    """

    def train(arguments: list[str]) -> None:
        command = [sys.executable, "-m", "seqbook", "train", *arguments]
        done = subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
        if done.returncode:
            said = (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1]
            raise RuntimeError(f"{shlex.join(command[1:])} failed: {said}")

    if device().type == "cpu":
        commands = [
            [name, *(f"--seed={value}" if key == "seed" else f"--set={key}={value}" for key, value in settings.items())]
            for name, settings in wanted.values()
        ]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(train, commands))
    return {label: run(name, **settings) for label, (name, settings) in wanted.items()}


def load(folder: str | Path) -> System:
    """The system that a run left in its folder, ready to generate, on the best device that is here.

    Raises:
        FileNotFoundError: no finished run there; ValueError: damaged weights.
    """
    folder = Path(folder)
    if not (folder / "result.json").is_file():
        raise FileNotFoundError(f"{folder} holds no finished run: train one with --out {folder}")
    config = json.loads((folder / "config.json").read_text())
    architecture, sizes = ARCHITECTURES[config["architecture"]]
    model = architecture(sizes(**config["model"]))
    try:
        model.load_state_dict(load_file(folder / "model.safetensors"))
    except SafetensorError as error:
        raise ValueError(
            f"{folder / 'model.safetensors'} is damaged ({error}): delete {folder} and train anew"
        ) from error
    objective = OBJECTIVES[config["objective"]](**_tokenizers(folder), **config["objective_settings"])
    return System(model.to(device()).eval(), objective)


def prepare(recipe: Recipe, data: str | Path | None = None) -> Path:
    """The folder with the recipe's corpus, its ids, and the tokenizers learned from its training split; made once.

    Raises:
        CorpusError: no such corpus, or a broken one; ValueError: a column that it lacks, a text that is too long.
    """
    task = task_of(recipe)
    if recipe.corpus in world.TASKS:
        corpus = world.load(recipe.corpus, size=recipe.size)
    else:
        corpus = corpora.load(recipe.corpus, data)
    wanted, there = task.columns(recipe), corpus["train"].column_names
    for role, column in wanted.items():
        if column not in there:
            raise ValueError(f"{role}={column!r} is no column of {recipe.corpus}: it has {', '.join(there)}")
    max_len = _config(recipe, {}).max_len
    texts = {split: {role: rows[column][:] for role, column in wanted.items()} for split, rows in corpus.items()}
    code = source_fingerprint(*(PACKAGE / part for part in ("tokenizer.py", "objectives", "tasks", "runs.py")))
    kinds = {key: value for key, value in vars(recipe).items() if "kind" in key}
    base = prepare(configure(recipe.base)) if isinstance(recipe, FineTuning) else None
    key = fingerprint(code, texts, wanted, kinds, base.name if base else recipe.vocab_size, max_len)

    def make(scratch: Path) -> None:
        tokenizers = task.tokenizers(recipe, texts["train"], _tokenizers(base) if base else {})
        for name, tokenizer in tokenizers.items():
            tokenizer.save(scratch / f"{name}.json")
        objective = task.objective(recipe)(**tokenizers, max_len=max_len)
        prepared = DatasetDict()
        for split, rows in corpus.items():
            ids = Dataset.from_dict(objective.columns(**texts[split]))
            prepared[split] = concatenate_datasets([rows, ids], axis=1)
        prepared.save_to_disk(str(scratch))

    return build_once(home() / "prepared" / f"{recipe.corpus}-{key}", make)


def score(recipe: Recipe, system: System, splits: DatasetDict, history: list[dict]) -> dict[str, Any]:
    """Everything that result.json holds beside the configuration."""
    seconds = sum(row["seconds"] for row in history)
    tokens = sum(row["tokens"] for row in history)
    result = {
        "params": sum(p.numel() for p in system.model.parameters()),
        "steps": len(history),
        "tokens": tokens,
        "seconds": seconds,
        "tokens_per_second": tokens / seconds,
        "device": device_name(),
        "train_loss": sum(row["loss"] for row in history[-20:]) / len(history[-20:]),
        "val_loss": history[-1]["val_loss"],
    }
    began = time.perf_counter()
    result |= task_of(recipe).score(recipe, system, splits)
    return result | {"scoring_seconds": time.perf_counter() - began}


def code_version() -> str:
    """Changes when any code changes that a result depends on."""
    drawing = {PACKAGE / "viz", PACKAGE / "__main__.py"}
    return fingerprint(
        source_fingerprint(*(path for path in PACKAGE.iterdir() if path not in drawing)), torch.__version__
    )


def build(recipe: Recipe, prepared: Path) -> System:
    """The recipe's system before its training, with the tokenizers of the folder that `prepare` made."""
    tokenizers, task = _tokenizers(prepared), task_of(recipe)
    architecture, _ = ARCHITECTURES[recipe.architecture]
    model = architecture(_config(recipe, tokenizers))
    if isinstance(recipe, FineTuning) and recipe.pretrained:
        model.take_over(run(recipe.base).model)
    objective = task.objective(recipe)(**tokenizers, max_len=model.config.max_len, **task.settings(recipe))
    return System(model, objective)


def _tokenizers(folder: Path) -> dict[str, Tokenizer]:
    return {path.stem: Tokenizer.load(path) for path in sorted(folder.glob("*tokenizer.json"))}


def _config(recipe: Recipe, tokenizers: Mapping[str, Tokenizer]):
    """The model's configuration; without tokenizers with vocabularies of one token, for all else."""
    _, config = ARCHITECTURES[recipe.architecture]
    names = [name for name in get_type_hints(config) if name.endswith("vocab_size")]
    sizes = {name: len(tokenizers.get(name.replace("vocab_size", "tokenizer"), " ")) for name in names}
    return config(**sizes, **recipe.model)


def _save(folder: Path, recipe: Recipe, system: System, history: list[dict], result: dict[str, Any]) -> None:
    """result.json last: where it is, the rest is."""
    config = {
        "architecture": type(system.model).__name__,
        "model": asdict(system.model.config),
        "objective": type(system.objective).__name__,
        "objective_settings": {"max_len": system.model.config.max_len} | task_of(recipe).settings(recipe),
    }
    for name, tokenizer in system.objective.tokenizers.items():
        tokenizer.save(folder / f"{name}.json")
    with writing(folder / "model.safetensors") as scratch:
        scratch.write_bytes(save(_weights(system.model)))
    for name, content in {"config": config, "history": history, "result": result}.items():
        with writing(folder / f"{name}.json") as scratch:
            scratch.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


def _weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}
