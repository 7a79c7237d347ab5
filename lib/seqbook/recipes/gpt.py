"""Part 3: GPT, pretrained, fine-tuned and prompted."""

from dataclasses import replace

from seqbook.models.gpt import GPTConfig
from seqbook.models.heads import FineTunedConfig, Head
from seqbook.objectives.batch import ObjectiveConfig
from seqbook.objectives.causal import CausalConfig
from seqbook.objectives.classification import TRANSFORMATIONS, ClassificationConfig, Transformation
from seqbook.objectives.spans import SpansConfig
from seqbook.objectives.tagging import TaggingConfig
from seqbook.recipes.schema import DataConfig, Recipe
from seqbook.training.optimizer import TrainingConfig

STORIES = GPTConfig(max_len=128, positions="rotary")
SHAKESPEARE = DataConfig(corpus="tiny_shakespeare")
CHARACTERS = CausalConfig(kind="character")
SHAKESPEARE_TRAINING = TrainingConfig(
    steps=2_000, batch_size=12, learning_rate=1e-3, warmup=100, weight_decay=0.1, evaluations=8
)


def _classification(transformation: Transformation, *classes: str) -> ClassificationConfig:
    texts = TRANSFORMATIONS[transformation].reads
    return ClassificationConfig(transformation=transformation, texts=texts, classes=classes, lm_weight=0.5)


def _fine_tuned(
    about: str, corpus: str, size: int, objective: ObjectiveConfig, head: Head = "classes", chapter: str = "3.2"
) -> Recipe:
    """The GPT of chapter 3.1 with a head, and with enough positions for the longest story and its answer. All tasks
    stop by the same rule: an evaluation every 100 steps, and the end after 10 evaluations without a lower validation
    loss."""
    return Recipe(
        about=f"{about}, after pretraining (chapter {chapter})",
        data=DataConfig(corpus=corpus, size=size),
        objective=objective,
        model=FineTunedConfig(backbone=replace(STORIES, max_len=192, dropout=0.1), head=head),
        training=TrainingConfig(
            steps=10_000, batch_size=16, learning_rate=1e-3, warmup=30, evaluations=100, patience=10
        ),
        base="gpt",
    )


RECIPES = {
    "gpt": Recipe(
        about="a decoder alone, which continues stories (chapter 3.1)",
        data=DataConfig(corpus="texts"),
        objective=CausalConfig(),
        model=STORIES,
        training=TrainingConfig(steps=700, batch_size=16, learning_rate=5e-3, warmup=100, evaluations=4),
    ),
    "gpt-sentiment": _fine_tuned(
        "praise or complaint", "sentiment", 10_000, _classification("classification", "negative", "positive")
    ),
    "gpt-entailment": _fine_tuned(
        "whether one sentence follows from another",
        "entailment",
        10_000,
        _classification("entailment", "entailment", "neutral", "contradiction"),
    ),
    "gpt-similarity": _fine_tuned(
        "whether two sentences mean the same",
        "similarity",
        20_000,
        _classification("similarity", "different", "paraphrase"),
    ),
    "gpt-multiple-choice": _fine_tuned(
        "which of four endings is true", "multiple_choice", 10_000, _classification("multiple_choice"), "choices"
    ),
    "gpt-ner": _fine_tuned("which words are names, and of what", "ner", 10_000, TaggingConfig(), "tags", "4.2"),
    "gpt-qa": _fine_tuned("where in a story the answer is", "qa", 10_000, SpansConfig(), "spans", "4.2"),
    "gpt-prompting": Recipe(
        about="the same on stories and on tasks in words (chapter 3.3)",
        data=DataConfig(corpus="prompting"),
        objective=CausalConfig(),
        model=replace(STORIES, max_len=192),  # a window that holds the longest prompt with some text around it
        training=TrainingConfig(steps=1_500, batch_size=6, learning_rate=4e-3, warmup=100, evaluations=4),
    ),
    "gpt-shakespeare": Recipe(
        about="characters of Tiny Shakespeare, with nanoGPT's sizes and budget for a CPU",
        data=SHAKESPEARE,
        objective=CHARACTERS,
        model=GPTConfig(max_len=64),
        training=SHAKESPEARE_TRAINING,
    ),
    "gpt-shakespeare-best": Recipe(
        about="the same text by a smaller network, which reaches 1.88 nats sooner",
        data=SHAKESPEARE,
        objective=CHARACTERS,
        model=GPTConfig(max_len=64, n_layers=2, d_model=96, positions="rotary"),
        training=replace(SHAKESPEARE_TRAINING, steps=800, learning_rate=4e-3, warmup=60),
    ),
}
