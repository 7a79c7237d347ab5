"""Part 4: BERT, pretrained."""

from dataclasses import replace

from seqbook.models.bert import BERTConfig
from seqbook.objectives.masked import MaskedConfig
from seqbook.recipes.schema import DataConfig, Recipe
from seqbook.training.optimizer import TrainingConfig

ENCODER = BERTConfig(max_len=128, positions="rotary", norm="pre")

RECIPES = {
    "bert": Recipe(
        about="an encoder alone, which fills in masked words (chapter 4.1)",
        data=DataConfig(corpus="texts"),
        objective=MaskedConfig(),
        model=ENCODER,
        training=TrainingConfig(steps=700, batch_size=16, learning_rate=5e-3, warmup=100, evaluations=4),
    ),
    "bert-nsp": Recipe(
        about="the same with next-sentence prediction (chapter 4.1)",
        data=DataConfig(corpus="texts"),
        objective=MaskedConfig(pairs=True),
        model=replace(ENCODER, outputs="pretraining"),
        training=TrainingConfig(steps=700, batch_size=16, learning_rate=5e-3, warmup=100, evaluations=4),
    ),
}
