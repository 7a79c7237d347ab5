"""Doing what a recipe says, once: prepare its data, train, score, keep the result in a folder, read it again."""

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from datasets import Dataset, DatasetDict, concatenate_datasets, load_from_disk
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from seqbook import metrics
from seqbook.checkpoints import CheckpointError
from seqbook.data import corpora, world
from seqbook.generate import translate
from seqbook.home import build_once, fingerprint, home, locked, source_fingerprint, writing
from seqbook.models import ARCHITECTURES
from seqbook.objectives.seq2seq import Example, Seq2Seq
from seqbook.recipes import Translation, configure
from seqbook.results import device_name
from seqbook.tokenizer import Tokenizer
from seqbook.train import device, fit, on_cpu

PACKAGE = Path(__file__).parent


@dataclass(frozen=True)
class System:
    """A model with the tokenizers and the objective that give its ids a meaning."""

    model: nn.Module
    objective: Seq2Seq

    def translate(self, texts: list[str], beams: int = 1) -> list[str]:
        """Each text in the target language.

        Raises:
            ValueError: a text without tokens, or one that is too long.
        """
        return translate(self.model, self.objective, texts, beams=beams)


@dataclass(frozen=True)
class Run(System):
    """What a recipe made: the trained system, the pairs it learned from, the course of its training, its scores."""

    splits: DatasetDict
    history: list[dict]
    result: dict[str, Any]
    folder: Path

    def examples(self, split: str) -> list[Example]:
        """The split's pairs as (source ids, target ids)."""
        return examples(self.splits[split])


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
            train, validation = examples(splits["train"]), examples(splits["validation"])
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
    tokenizers = [Tokenizer.load(folder / f"{side}_tokenizer.json") for side in ("source", "target")]
    return System(model.to(device()).eval(), Seq2Seq(*tokenizers, **config["objective"]))


def prepare(recipe: Translation, data: str | Path | None = None) -> Path:
    """The folder with the recipe's corpus, its ids, and the tokenizers learned from its training split; made once.

    Raises:
        CorpusError: no such corpus, or a broken one; ValueError: a column that it lacks, a text that is too long.
    """
    if recipe.corpus == "world":
        corpus = world.load("translation", size=recipe.size)
    else:
        corpus = corpora.load(recipe.corpus, data)
    columns = corpus["train"].column_names
    for side in ("source", "target"):
        if getattr(recipe, side) not in columns:
            raise ValueError(
                f"{side}={getattr(recipe, side)!r} is no column of {recipe.corpus}: it has {', '.join(columns)}"
            )
    max_len = _config(recipe, 1, 1).max_len
    parts = {split: [rows[recipe.source][:], rows[recipe.target][:]] for split, rows in corpus.items()}
    kinds = {"source": recipe.source_kind, "target": recipe.target_kind}
    code = source_fingerprint(PACKAGE / "tokenizer.py", PACKAGE / "objectives", PACKAGE / "runs.py")
    key = fingerprint(code, parts, recipe.source, recipe.target, kinds, recipe.vocab_size, max_len)

    def make(scratch: Path) -> None:
        tokenizers = [
            Tokenizer.train(texts, kind, recipe.vocab_size)
            for texts, kind in zip(parts["train"], kinds.values(), strict=True)
        ]
        for side, tokenizer in zip(kinds, tokenizers, strict=True):
            tokenizer.save(scratch / f"{side}_tokenizer.json")
        objective = Seq2Seq(*tokenizers, max_len=max_len)
        prepared = DatasetDict()
        for split, rows in corpus.items():
            source_ids, target_ids = zip(*objective.encode(*parts[split]), strict=True)
            ids = Dataset.from_dict({"source_ids": source_ids, "target_ids": target_ids})
            prepared[split] = concatenate_datasets([rows, ids], axis=1)
        prepared.save_to_disk(str(scratch))

    return build_once(home() / "prepared" / f"{recipe.corpus}-{key}", make)


def score(recipe: Translation, system: System, splits: DatasetDict, history: list[dict]) -> dict[str, Any]:
    """Everything that result.json holds beside the configuration; the test split's scores, and those of other test splits."""
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
        "beams": recipe.beams,
    }
    began = time.perf_counter()
    for split in sorted(set(splits) - {"train", "validation"}, key=lambda split: split != "test"):
        rows = splits[split]
        hypotheses, references = system.translate(rows[recipe.source][:], recipe.beams), rows[recipe.target][:]
        bleu = metrics.bleu(hypotheses, references, recipe.target)
        scores = {
            "loss": metrics.nats_per_token(system.model, system.objective, examples(rows)),
            "bleu": bleu.score,
            "bleu_signature": bleu.signature,
            "exact_match": metrics.exact_match(hypotheses, references),
        }
        result |= scores if split == "test" else {f"{split}_{key}": value for key, value in scores.items()}
    return result | {"scoring_seconds": time.perf_counter() - began}


def code_version() -> str:
    """Changes when any code changes that a result depends on."""
    drawing = {PACKAGE / "viz", PACKAGE / "__main__.py"}
    return fingerprint(
        source_fingerprint(*(path for path in PACKAGE.iterdir() if path not in drawing)), torch.__version__
    )


def build(recipe: Translation, prepared: Path) -> System:
    """The recipe's untrained system, with the tokenizers of the folder that `prepare` made."""
    tokenizers = [Tokenizer.load(prepared / f"{side}_tokenizer.json") for side in ("source", "target")]
    architecture, _ = ARCHITECTURES[recipe.architecture]
    model = architecture(_config(recipe, *map(len, tokenizers)))
    objective = Seq2Seq(
        *tokenizers,
        max_len=model.config.max_len,
        reverse_source=recipe.reverse_source,
        label_smoothing=recipe.label_smoothing,
    )
    return System(model, objective)


def _config(recipe: Translation, source_vocab_size: int, target_vocab_size: int):
    _, config = ARCHITECTURES[recipe.architecture]
    return config(source_vocab_size=source_vocab_size, target_vocab_size=target_vocab_size, **recipe.model)


def _save(folder: Path, recipe: Translation, system: System, history: list[dict], result: dict[str, Any]) -> None:
    """result.json last: where it is, the rest is."""
    config = {
        "architecture": type(system.model).__name__,
        "model": asdict(system.model.config),
        "objective": {"max_len": system.model.config.max_len, "reverse_source": recipe.reverse_source},
    }
    system.objective.source_tokenizer.save(folder / "source_tokenizer.json")
    system.objective.target_tokenizer.save(folder / "target_tokenizer.json")
    with writing(folder / "model.safetensors") as scratch:
        scratch.write_bytes(save(_weights(system.model)))
    for name, content in {"config": config, "history": history, "result": result}.items():
        with writing(folder / f"{name}.json") as scratch:
            scratch.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


def _weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}


def examples(rows: Dataset) -> list[Example]:
    """A prepared split's pairs as (source ids, target ids)."""
    return list(zip(rows["source_ids"][:], rows["target_ids"][:], strict=True))
