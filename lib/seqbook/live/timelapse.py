"""A training as a time-lapse: the weights of a small model after some of its steps. The trained runs are not touched."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import load_from_disk
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from seqbook import metrics
from seqbook.identity import code_identity, fingerprint
from seqbook.recipes import configure
from seqbook.runs.build import build
from seqbook.runs.prepare import prepare
from seqbook.runs.run import Run, identify
from seqbook.storage import build_once, home
from seqbook.training.loop import fit

# The recipe `attention` with a quarter of its features, so that twelve times its weights are less than 10 MB. At the rate
# of the recipe, so small a model would need more steps.
SMALL = {"d_model": 48, "learning_rate": 3e-2, "steps": 900, "evaluations": 1}
STEPS = (0, 50, 100, 150, 200, 250, 300, 400, 500, 600, 750, 900)


@dataclass(frozen=True)
class Timelapse:
    """A run with the weights of its last step; the weights after each of some steps; and the loss of the validation
    split (nats per token) after each of them."""

    run: Run
    states: dict[int, dict[str, Tensor]]
    losses: dict[int, float]

    def at(self, step: int) -> Run:
        """The run with the weights after this step. It is one model, so a later call changes what an earlier one gave."""
        self.run.model.load_state_dict(self.states[step])
        return self.run


def train(name: str = "attention", kept: Sequence[int] = STEPS, **settings: Any) -> Timelapse:
    """Train a recipe and keep its weights after some of its steps (0: before the first one), or load what was kept.

    kept: these steps; settings: of the recipe (none: `SMALL`).

    Raises:
        ValueError: a step that this training does not have.
    """
    recipe = configure(name, **(settings or SMALL))
    if not set(kept) <= set(range(recipe.training.steps + 1)):
        raise ValueError(f"kept={tuple(kept)}: choose some from 0 to {recipe.training.steps}")
    prepared, identity = prepare(recipe), identify(recipe, None, 0)
    splits, (model, objective) = load_from_disk(str(prepared)), build(recipe, prepared, 0)

    def make(scratch: Path) -> None:
        examples, validation = (objective.examples(splits[split]) for split in ("train", "validation"))
        states = _fit(model, objective, examples, validation, recipe.training, kept)
        losses = {}
        for step, state in states.items():
            model.load_state_dict(state)
            losses[step] = metrics.mean_nll(model, objective, validation)
            save_file(state, scratch / f"{step}.safetensors")
        (scratch / "losses.json").write_text(json.dumps(losses), encoding="utf-8")

    key = fingerprint(identity.settings, identity.code, list(kept), code_identity(__name__))
    folder = build_once(home() / "timelapses" / f"{name}-{key}", make)
    losses = {int(step): loss for step, loss in json.loads((folder / "losses.json").read_text("utf-8")).items()}
    states = {step: load_file(folder / f"{step}.safetensors") for step in kept}
    model.load_state_dict(states[max(kept)])
    return Timelapse(Run(model.eval(), objective, splits, [], {}, folder), states, losses)


def _fit(model: nn.Module, objective: Any, train: Sequence, validation: Sequence, config: Any, kept: Sequence[int]):
    """The weights after these steps. Before its forward pass in training, a model has taken as many steps as it had
    such passes before."""
    states, n_passes = {}, 0

    def keep(step: int) -> None:
        if step in kept:
            states[step] = {name: t.detach().cpu().clone() for name, t in model.state_dict().items()}

    def count(module: nn.Module, _: tuple) -> None:
        nonlocal n_passes
        if module.training:
            keep(n_passes)
            n_passes += 1

    hook = model.register_forward_pre_hook(count)
    fit(model, objective, train, validation, config)
    hook.remove()
    keep(n_passes)
    return states
