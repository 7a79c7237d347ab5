"""The definition of a recipe: data, objective, model and training of one named system. It holds all hyperparameters."""

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from seqbook.nn.checks import check_positive
from seqbook.objectives.batch import ObjectiveConfig
from seqbook.training.optimizer import TrainingConfig


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """corpus: a task of the micro-world, or a real corpus; size: training examples from the micro-world."""

    corpus: str
    size: int = 30_000

    def __post_init__(self):
        check_positive(size=self.size)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One named system, which `runs.run` trains for chapters, the command line, tests and benchmarks.

    about: a short description; model: the configuration of a model, whose vocabulary sizes come from the tokenizers;
    base: the recipe whose tokenizers this one uses, and also its weights if `pretrained`.
    """

    about: str
    data: DataConfig
    objective: ObjectiveConfig
    model: Any
    training: TrainingConfig
    base: str | None = None
    pretrained: bool = True

    def settings(self) -> dict[str, Any]:
        """All settings that `change` can change, in one dict. Each name occurs only once."""
        parts = (self.data, self.objective, *self.models(), self.training)
        found = {} if self.base is None else {"pretrained": self.pretrained}
        for part in parts:
            found |= {f.name: getattr(part, f.name) for f in fields(part) if not is_dataclass(getattr(part, f.name))}
        return {name: value for name, value in found.items() if name not in self.objective.fills}

    def models(self) -> list[Any]:
        """The configuration of the model, and the configurations of the models inside it."""
        return _nested(self.model)

    def change(self, **settings: Any) -> "Recipe":
        """A copy with some settings changed.

        Raises:
            ValueError: an unknown setting, or a value of the wrong type; the message lists the choices.
        """
        for name in settings:
            if name not in self.settings():
                raise ValueError(f"unknown setting {name!r}: choose one of {', '.join(sorted(self.settings()))}")
        return _change(self, settings)


def fill(config: Any, sizes: dict[str, int]) -> Any:
    """A copy of a model's configuration with the sizes that the tokenizers determine."""
    inner = {f.name: fill(value, sizes) for f in fields(config) if is_dataclass(value := getattr(config, f.name))}
    return replace(config, **inner, **{f.name: sizes[f.name] for f in fields(config) if f.name in sizes})


def describe(config: Any) -> Any:
    """A configuration in a form for JSON: {"class": name, setting: value, …}."""
    if is_dataclass(config):
        return {"class": type(config).__name__} | {f.name: describe(getattr(config, f.name)) for f in fields(config)}
    return list(config) if isinstance(config, tuple) else config


def _nested(config: Any) -> list[Any]:
    """The configuration, and the configurations inside it."""
    inner = (getattr(config, f.name) for f in fields(config))
    return [config, *(part for value in inner if is_dataclass(value) for part in _nested(value))]


def _change(config: Any, settings: dict[str, Any]) -> Any:
    changes = {}
    for field in fields(config):
        value = getattr(config, field.name)
        if is_dataclass(value):
            changes[field.name] = _change(value, settings)
        elif field.name in settings:
            kind = get_type_hints(type(config))[field.name]
            changes[field.name] = _checked(field.name, settings[field.name], kind)
    return replace(config, **changes)


def _checked(name: str, value: Any, kind: Any) -> Any:
    try:
        return TypeAdapter(kind).validate_python(tuple(value) if isinstance(value, list) else value, strict=True)
    except ValidationError as error:
        message = error.errors()[0]["msg"]
        raise ValueError(f"{name}={value!r}: {message[0].lower()}{message[1:]}") from error
