"""One named system per recipe: data, tokenizers, model, objective, budget. A hyper-parameter stands here, once.

`runs.run` does what a recipe says; chapters, command line, tests and benchmarks all call it.
"""

from dataclasses import dataclass, field, replace
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from seqbook.models import ARCHITECTURES
from seqbook.nn.checks import check_positive
from seqbook.tokenizer import Kind
from seqbook.train import Budget


@dataclass(frozen=True, kw_only=True)
class Translation:
    """A system that translates `source` into `target`, both columns of the corpus.

    architecture: a model's class; model: its sizes, where they differ from the defaults of its configuration; corpus: a
    task of the micro-world, of which `size` pairs are for training, or a real corpus; vocab_size: of byte-pair
    vocabularies; beams: with how many the scores are measured.
    """

    about: str
    architecture: str = "RNNSeq2Seq"
    corpus: str = "translation"
    source: str = "en"
    target: str = "zh"
    size: int = 30_000
    source_kind: Kind = "word"
    target_kind: Kind = "character"
    vocab_size: int = 30_000
    reverse_source: bool = False
    label_smoothing: float = 0.0
    beams: int = 1
    model: dict[str, Any] = field(default_factory=dict)
    budget: Budget

    def __post_init__(self):
        check_positive(size=self.size, vocab_size=self.vocab_size, beams=self.beams)


@dataclass(frozen=True, kw_only=True)
class LanguageModel:
    """A system that foretells the next token of a text, the corpus's column "text".

    corpus: a task of the micro-world, of which `size` texts are for training, or a real corpus. Windows of the model's
    max_len are read, batch_size of them at a step.
    """

    about: str
    architecture: str = "GPT"
    corpus: str = "texts"
    size: int = 30_000
    kind: Kind = "word"
    vocab_size: int = 30_000
    model: dict[str, Any] = field(default_factory=dict)
    budget: Budget

    def __post_init__(self):
        check_positive(size=self.size, vocab_size=self.vocab_size)


@dataclass(frozen=True, kw_only=True)
class FineTuning:
    """A system that learns a task from labelled examples, after the network of `base` has learned from text.

    base: the recipe of that network, with the same sizes; corpus: a task of the micro-world, of which `size` examples are
    for training; transformation: how its columns `texts` become rows of tokens; classes: its labels, in the order of
    their numbers (none: they are numbers); pretrained: false begins with random weights instead; lm_weight: λ, the weight
    of the language model's loss beside the task's.
    """

    about: str
    architecture: str = "FineTunedGPT"
    base: str = "gpt"
    corpus: str
    size: int = 20_000
    transformation: Literal["classification", "entailment", "similarity", "multiple_choice"]
    texts: tuple[str, ...]
    classes: tuple[str, ...] = ()
    pretrained: bool = True
    lm_weight: float = 0.5
    model: dict[str, Any] = field(default_factory=dict)
    budget: Budget

    def __post_init__(self):
        check_positive(size=self.size)


Recipe = Translation | LanguageModel | FineTuning

_WORLD = Budget(steps=1_500, batch_size=32, learning_rate=6e-3, warmup=60, evaluations=4)
_TRANSFORMER = {"d_model": 128, "n_layers": 3, "n_heads": 4, "d_ff": 224}
_MULTI30K = {
    "corpus": "multi30k", "source": "de", "target": "en", "source_kind": "bpe", "target_kind": "bpe",
    "vocab_size": 4_000, "label_smoothing": 0.1, "beams": 5,
    "budget": Budget(steps=4_500, batch_size=64, learning_rate=3e-3, warmup=400, evaluations=10),
}  # fmt: skip
_SHAKESPEARE = Budget(steps=2_000, batch_size=12, learning_rate=1e-3, warmup=100, weight_decay=0.1, evaluations=8)
_GPT = {"max_len": 128, "positions": "rotary"}


def _finetuning(
    about: str, head: str, steps: int, batch_size: int = 16, evaluations: int = 5, **settings: Any
) -> FineTuning:
    """The same network, with room for the longest story and its answer, and a head of this kind."""
    n_classes = max(1, len(settings.get("classes", ())))
    return FineTuning(
        about=f"{about}, after pretraining (chapter 3.2)",
        model=_GPT | {"max_len": 192, "dropout": 0.1, "head": head, "n_classes": n_classes},
        budget=Budget(steps=steps, batch_size=batch_size, learning_rate=1e-3, warmup=30, evaluations=evaluations),
        **settings,
    )


_FIXED = ("about", "architecture", "base", "texts", "classes", "model", "budget")  # not by name
RECIPES: dict[str, Recipe] = {
    "rnn": Translation(
        about="LSTM encoder and decoder with one context vector (chapter 1.1)",
        model={"context": "last", "d_model": 192, "bidirectional": True},
        budget=_WORLD,
    ),
    "attention": Translation(
        about="the same LSTMs with dot-product attention (chapter 1.2)",
        model={"context": "dot", "d_model": 192, "bidirectional": True},
        budget=_WORLD,
    ),
    "transformer": Translation(
        about="encoder and decoder of attention alone (chapter 2.2)",
        architecture="Transformer",
        model=_TRANSFORMER,
        budget=replace(_WORLD, learning_rate=3e-3),
    ),
    "transformer-rotary": Translation(
        about="the same with rotary positions, label smoothing and a longer training (chapter 2.2)",
        architecture="Transformer",
        label_smoothing=0.1,
        model=_TRANSFORMER | {"positions": "rotary"},
        budget=replace(_WORLD, steps=2_400, learning_rate=4e-3, warmup=200),
    ),
    "rnn-multi30k": Translation(
        about="German to English without attention, on real captions",
        model={"context": "last", "d_model": 256, "bidirectional": True, "dropout": 0.3},
        **_MULTI30K,
    ),
    "attention-multi30k": Translation(
        about="German to English with dot-product attention, on real captions",
        model={"context": "dot", "d_model": 256, "bidirectional": True, "dropout": 0.3},
        **_MULTI30K,
    ),
    "transformer-multi30k": Translation(
        about="a Transformer, German to English, or back (--set source=en --set target=de), on real captions",
        architecture="Transformer",
        model={"d_model": 128, "n_layers": 4, "n_heads": 4, "d_ff": 256, "positions": "rotary", "dropout": 0.15},
        **_MULTI30K | {"budget": replace(_MULTI30K["budget"], steps=6_000)},
    ),
    "gpt": LanguageModel(
        about="a decoder alone that goes on with stories (chapter 3.1)",
        model=_GPT,
        budget=Budget(steps=700, batch_size=16, learning_rate=5e-3, warmup=100, evaluations=4),
    ),
    "gpt-sentiment": _finetuning(
        "praise or complaint",
        "classification",
        steps=300,
        corpus="sentiment",
        size=10_000,
        transformation="classification",
        texts=("text",),
        classes=("negative", "positive"),
    ),
    "gpt-entailment": _finetuning(
        "whether one sentence follows from another",
        "classification",
        steps=800,
        corpus="entailment",
        size=10_000,
        transformation="entailment",
        texts=("premise", "hypothesis"),
        classes=("entailment", "neutral", "contradiction"),
    ),
    "gpt-similarity": _finetuning(
        "whether two sentences mean the same",
        "similarity",
        steps=2_500,
        corpus="similarity",
        size=20_000,
        transformation="similarity",
        texts=("first", "second"),
        classes=("different", "paraphrase"),
    ),
    "gpt-multiple-choice": _finetuning(
        "which of four endings is true",
        "multiple_choice",
        steps=800,
        batch_size=4,
        evaluations=2,  # each takes as long as a sixth of the training
        corpus="multiple_choice",
        size=10_000,
        transformation="multiple_choice",
        texts=("context", "choices"),
    ),
    "gpt-prompting": LanguageModel(
        about="the same on stories and tasks in words (chapter 3.3)",
        corpus="prompting",
        model=_GPT | {"max_len": 192},  # a window that holds the longest prompt and what stands around it
        budget=Budget(steps=1_500, batch_size=6, learning_rate=4e-3, warmup=100, evaluations=4),
    ),
    "gpt-shakespeare": LanguageModel(
        about="characters of Tiny Shakespeare, with nanoGPT's sizes and budget for a CPU",
        corpus="tiny_shakespeare",
        kind="character",
        model={"max_len": 64},
        budget=_SHAKESPEARE,
    ),
    "gpt-shakespeare-best": LanguageModel(
        about="the same text by a smaller network, which reaches 1.88 nats sooner",
        corpus="tiny_shakespeare",
        kind="character",
        model={"max_len": 64, "n_layers": 2, "d_model": 96, "positions": "rotary"},
        budget=replace(_SHAKESPEARE, steps=800, learning_rate=4e-3, warmup=60),
    ),
}


def configure(name: str, **settings: Any) -> Recipe:
    """The recipe `name` with some settings changed: its own, its model's or its budget's. Text becomes the setting's type.

    Raises:
        ValueError: an unknown recipe or setting, or a value of the wrong type; names the choices.
    """
    if name not in RECIPES:
        raise ValueError(f"unknown recipe {name!r}: choose one of {', '.join(RECIPES)}")
    recipe = RECIPES[name]
    _, config = ARCHITECTURES[recipe.architecture]
    places = {
        "recipe": {k: t for k, t in get_type_hints(type(recipe)).items() if k not in _FIXED},
        "model": {k: t for k, t in get_type_hints(config).items() if not k.endswith("vocab_size")},
        "budget": get_type_hints(Budget),
    }
    changes: dict[str, dict[str, Any]] = {place: {} for place in places}
    for key, value in settings.items():
        place = next((place for place, types in places.items() if key in types), None)
        if place is None:
            choices = ", ".join(sorted(key for types in places.values() for key in types))
            raise ValueError(f"unknown setting {key!r} of recipe {name}: choose one of {choices}")
        changes[place][key] = _convert(key, value, places[place][key])
    return replace(
        recipe,
        **changes["recipe"],
        model=recipe.model | changes["model"],
        budget=replace(recipe.budget, **changes["budget"]),
    )


def _convert(key: str, value: Any, kind: Any) -> Any:
    """`value` as `kind`: text from the command line is read, everything else must already be right."""
    if isinstance(kind, UnionType):  # such as int | None, where None is the default
        kind, _ = get_args(kind)
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise ValueError(f"{key}={value!r}: choose one of {', '.join(get_args(kind))}")
        return value
    if kind is bool and str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    try:
        if isinstance(value, str) and kind in (int, float):
            return kind(value)
        if kind is float and type(value) is int:
            return float(value)
    except ValueError:
        pass
    if type(value) is not kind:
        example = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}[kind]
        raise ValueError(f"{key}={value!r} must be {example}")
    return value
