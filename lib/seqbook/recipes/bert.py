"""Part 4: BERT, pretrained."""

from dataclasses import replace

from seqbook.models.bert import BERTConfig
from seqbook.objectives.classification import ClassificationConfig
from seqbook.objectives.masked import MaskedConfig
from seqbook.recipes import gpt
from seqbook.recipes.schema import DataConfig, Recipe
from seqbook.training.optimizer import TrainingConfig

ENCODER = BERTConfig(max_len=128, positions="rotary", norm="pre")


def _fine_tuned(task: str) -> Recipe:
    """GPT's recipe for the task, with the BERT of chapter 4.1 and its special tokens in place of GPT. Everything else is
    the same, except the language model's loss, which needs a causal network."""
    twin = gpt.RECIPES[f"gpt-{task}"]
    causal_only = {"lm_weight": 0.0} if isinstance(twin.objective, ClassificationConfig) else {}
    max_len, dropout = twin.model.max_len, twin.model.backbone.dropout
    return replace(
        twin,
        about=twin.about.replace("3.2", "4.2"),
        objective=replace(twin.objective, layout="bert", **causal_only),
        model=replace(twin.model, backbone=replace(ENCODER, outputs="hidden", max_len=max_len, dropout=dropout)),
        base="bert",
    )


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
        # pairs are shorter than windows: 42 of them have as many tokens as 16 windows
        training=TrainingConfig(steps=700, batch_size=42, learning_rate=5e-3, warmup=100, evaluations=4),
    ),
} | {f"bert-{task}": _fine_tuned(task) for task in ("sentiment", "entailment", "similarity", "ner", "qa")}
