"""A run's last two checkpoints: one safetensors file each, written whole or not at all, never unpickled."""

import json
import logging
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from seqbook.home import writing

logger = logging.getLogger(__name__)


class CheckpointError(ValueError):
    """Checkpoints that belong to another run; the message names them and what differs."""


class Checkpoints:
    """The checkpoints of one run in `folder` (None: keep none). Only the main process writes.

    identity: what the run is (code, configuration, data, seed); one that differs is refused.
    """

    def __init__(self, folder: Path | None, identity: str, is_main_process: bool = True):
        self.folder = folder and Path(folder)
        self.identity = identity
        self.is_main_process = is_main_process

    def save(self, model: nn.Module, optimizer: torch.optim.Optimizer, history: list[dict]) -> None:
        """Keep weights, moments and history as of now, and drop all but the last two.

        Raises:
            StorageError: the folder can't be written; what was there before still is.
        """
        if self.folder is None or not self.is_main_process:
            return
        tensors = {f"model.{name}": t for name, t in model.state_dict().items()}
        for i, moments in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{i}.{name}": t for name, t in moments.items()}
        metadata = {"identity": self.identity, "history": json.dumps(history)}
        with writing(self.folder / f"step-{history[-1]['step']:08d}.safetensors") as scratch:
            # Not save_file: on a full disk it raises an error of its own instead of OSError.
            scratch.write_bytes(save({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, metadata))
        for old in self._newest_first()[2:]:
            old.unlink(missing_ok=True)

    def resume(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> list[dict]:
        """Load the newest checkpoint that is whole into model and optimizer; its history, or [] when there is none.

        A damaged file is named in a warning, and the one before it is used.

        Raises:
            CheckpointError: the checkpoints belong to another run.
        """
        for path in self._newest_first():
            try:
                with safe_open(path, framework="pt") as file:
                    metadata = file.metadata() or {}
                    tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            except (SafetensorError, OSError) as error:
                logger.warning("%s is damaged (%s): trying the checkpoint before it", path, error)
                continue
            if metadata.get("identity") != self.identity:
                raise CheckpointError(
                    f"{path} belongs to another run (its code, configuration, data or seed differ): "
                    "choose another folder, or delete this one to start anew"
                )
            weights = {k.removeprefix("model."): t for k, t in tensors.items() if k.startswith("model.")}
            model.load_state_dict(weights)
            state: dict[int, dict] = {}
            for name, t in tensors.items():
                if name.startswith("optimizer."):
                    _, i, key = name.split(".")
                    state.setdefault(int(i), {})[key] = t
            optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
            return json.loads(metadata["history"])
        return []

    def last_good(self) -> str:
        """A sentence that says what is kept and how to go on, for messages."""
        kept = self._newest_first()
        if not kept:
            return "No checkpoint was kept."
        return f"The last checkpoint is {kept[0]}: the same command goes on from there."

    def _newest_first(self) -> list[Path]:
        return sorted(self.folder.glob("step-*.safetensors"), reverse=True) if self.folder else []
