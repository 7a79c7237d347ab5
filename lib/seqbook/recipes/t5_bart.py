"""Part 5: encoder-decoders, pretrained on corrupted texts, and fine-tuned."""

from dataclasses import replace
from typing import get_args

from seqbook.models.bart import BARTConfig
from seqbook.models.heads import FineTunedConfig
from seqbook.models.t5 import T5Config
from seqbook.objectives.corruption import DenoisingConfig, SpanCorruptionConfig
from seqbook.objectives.text_to_text import Task, TextToTextConfig
from seqbook.recipes import gpt
from seqbook.recipes.schema import DataConfig, Recipe
from seqbook.training.optimizer import TrainingConfig

TEXTS = DataConfig(corpus="texts")
TRAINING = TrainingConfig(steps=700, batch_size=16, learning_rate=3e-3, warmup=100, evaluations=4)
# Of all fine-tunings, with a head and as text. Nothing stops early, so that both take the same steps.
FINE_TUNING = TrainingConfig(steps=400, batch_size=32, learning_rate=1e-3, warmup=40, evaluations=4)
T5, BART = T5Config(max_len=192, dropout=0.1), BARTConfig(max_len=128, dropout=0.1)


def _with_head(task: str, backbone: T5Config | BARTConfig, base: str) -> Recipe:
    """GPT's recipe for the task, with another network and its special tokens in place of GPT."""
    twin = gpt.RECIPES[f"gpt-{task}"]
    return replace(
        twin,
        about=twin.about.replace("3.2", "5.1"),
        objective=replace(twin.objective, layout="bart", lm_weight=0.0),
        model=FineTunedConfig(backbone=backbone),
        data=DataConfig(corpus=task, size=10_000),
        training=FINE_TUNING,
        base=base,
    )


def _as_text(task: Task) -> Recipe:
    return Recipe(
        about=f"{task.replace('_', ' ')} as text, after pretraining (chapter 5.1)",
        data=DataConfig(corpus=task, size=10_000),
        objective=TextToTextConfig(task=task),
        model=T5,
        training=FINE_TUNING,
        base="t5",
    )


RECIPES = {
    "t5": Recipe(
        about="an encoder-decoder, which writes the spans that sentinels replace (chapter 5.1)",
        data=TEXTS,
        objective=SpanCorruptionConfig(),
        # With windows of 128 tokens and 700 steps, the decoder learns to ignore its source.
        model=T5Config(max_len=48),
        training=replace(TRAINING, steps=2_500, learning_rate=1e-3),
    ),
    "bart": Recipe(
        about="an encoder-decoder, which rebuilds corrupted texts (chapter 5.1)",
        data=TEXTS,
        objective=DenoisingConfig(),
        model=BARTConfig(max_len=128),
        # texts have 38 tokens on average: 54 of them have about as many as 16 windows
        training=replace(TRAINING, batch_size=54),
    ),
} | {
    **{f"t5-{task}-as-text": _as_text(task) for task in get_args(Task)},
    **{
        f"{base}-{task}": _with_head(task, backbone, base)
        for base, backbone in (("t5", T5), ("bart", BART))
        for task in ("sentiment", "entailment", "similarity")
    },
}
