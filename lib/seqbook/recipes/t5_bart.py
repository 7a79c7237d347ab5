"""Part 5: encoder-decoders, pretrained on corrupted texts."""

from dataclasses import replace

from seqbook.models.bart import BARTConfig
from seqbook.models.t5 import T5Config
from seqbook.objectives.corruption import DenoisingConfig, SpanCorruptionConfig
from seqbook.recipes.schema import DataConfig, Recipe
from seqbook.training.optimizer import TrainingConfig

TEXTS = DataConfig(corpus="texts")
TRAINING = TrainingConfig(steps=700, batch_size=16, learning_rate=1e-2, warmup=100, evaluations=4)

RECIPES = {
    "t5": Recipe(
        about="an encoder-decoder, which writes the spans that sentinels replace (chapter 5.1)",
        data=TEXTS,
        objective=SpanCorruptionConfig(),
        model=T5Config(max_len=128),
        training=TRAINING,
    ),
    "bart": Recipe(
        about="an encoder-decoder, which rebuilds corrupted texts (chapter 5.1)",
        data=TEXTS,
        objective=DenoisingConfig(),
        model=BARTConfig(max_len=128),
        # texts have 38 tokens on average: 54 of them have about as many as 16 windows
        training=replace(TRAINING, batch_size=54, learning_rate=3e-3),
    ),
}
