"""The last two checkpoints of a run, one safetensors file each, never half-written. Nothing is unpickled."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from seqbook.storage import writing

logger = logging.getLogger(__name__)


class CheckpointError(ValueError):
    """The checkpoints belong to another run. The message names them and says what differs."""


@dataclass(frozen=True)
class Identity:
    """What identifies a run. settings: its recipe, data and seed; code: the meaning of the code that it uses."""

    settings: str = ""
    code: str = ""

    def check(self, settings: str | None, code: str | None, where: Path) -> None:
        """Compare with the identity stored in `where`; warn if only the code differs.

        Raises:
            CheckpointError: recipe, data or seed differ.
        """
        if settings != self.settings:
            raise CheckpointError(
                f"{where} belongs to another run (its recipe, data or seed differ): "
                "choose another folder, or delete this one to start anew"
            )
        if code != self.code:
            logger.warning(
                "%s was made by other code, with the same recipe, data and seed: delete it to start anew", where
            )


class Checkpoints:
    """The checkpoints of one run in `folder` (None: nothing is stored). Only the main process writes.

    identity: identifies the run; checkpoints of another run raise an error.
    """

    def __init__(self, folder: Path | None, identity: Identity, is_main_process: bool = True):
        self.folder = folder and Path(folder)
        self.identity = identity
        self.is_main_process = is_main_process

    def save(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        history: list[dict],
        best: Mapping[str, Tensor] = MappingProxyType({}),
    ) -> None:
        """Save the current weights, moments and history, and delete all but the last two checkpoints.

        best: the weights with the lowest validation loss so far (none: without early stopping).

        Raises:
            StorageError: the folder cannot be written; the earlier checkpoints are kept.
        """
        if self.folder is None or not self.is_main_process:
            return
        tensors = {f"model.{name}": t for name, t in model.state_dict().items()}
        tensors |= {f"best.{name}": t for name, t in best.items()}
        for i, moments in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{i}.{name}": t for name, t in moments.items()}
        metadata = {"settings": self.identity.settings, "code": self.identity.code, "history": json.dumps(history)}
        with writing(self.folder / f"step-{history[-1]['step']:08d}.safetensors") as scratch:
            # save_file is not used, because on a full disk it raises its own error instead of OSError.
            scratch.write_bytes(save({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, metadata))
        for old in self._newest_first()[2:]:
            old.unlink(missing_ok=True)

    def resume(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[list[dict], dict[str, Tensor]]:
        """Load the newest undamaged checkpoint into model and optimizer; returns its history and its best weights, both
        empty when there is none.

        If a file is damaged, or its tensors are not those of this model, a warning names it, and the file before it is used.

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
            self.identity.check(metadata.get("settings"), metadata.get("code"), path)
            wrong = _fault(tensors, model, optimizer)
            if wrong:
                logger.warning("%s does not fit (%s): trying the checkpoint before it", path, wrong)
                continue
            model.load_state_dict(_part(tensors, "model."))
            state: dict[int, dict] = {}
            for name, t in _part(tensors, "optimizer.").items():
                i, key = name.split(".")
                state.setdefault(int(i), {})[key] = t
            optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
            return json.loads(metadata["history"]), _part(tensors, "best.")
        return [], {}

    def last_good(self) -> str:
        """A sentence for error messages: what was saved, and how to continue."""
        kept = self._newest_first()
        if not kept:
            return "No checkpoint was saved."
        return f"The last checkpoint is {kept[0]}: the same command continues from there."

    def _newest_first(self) -> list[Path]:
        return sorted(self.folder.glob("step-*.safetensors"), reverse=True) if self.folder else []


def _fault(tensors: Mapping[str, Tensor], model: nn.Module, optimizer: torch.optim.Optimizer) -> str:
    """Which tensor is missing, has another shape than in this model and optimizer, or is not finite. Empty: none."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    moments = {f"optimizer.{i}.{name}": p.shape for i, p in enumerate(parameters) for name in ("exp_avg", "exp_avg_sq")}
    shapes = {f"model.{name}": t.shape for name, t in model.state_dict().items()}
    # A parameter that no step has used has no moments.
    shapes |= {name: shape for name, shape in moments.items() if name in tensors}
    for name, shape in shapes.items():
        if name not in tensors:
            return f"there is no tensor {name}"
        if tensors[name].shape != shape:
            return f"{name} has the shape {tuple(tensors[name].shape)}, and {tuple(shape)} in this model"
    return next((f"{name} is not finite" for name, t in tensors.items() if not t.isfinite().all()), "")


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with the prefix, without it."""
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
