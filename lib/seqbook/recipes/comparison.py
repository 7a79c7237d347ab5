"""Part 7: every family on every task, from scratch, with the same data, steps and batches."""

from dataclasses import replace

from seqbook.models.bert import BERTConfig
from seqbook.models.prefix_lm import PrefixLMConfig
from seqbook.models.rnn import RNNConfig
from seqbook.models.transformer import TransformerConfig
from seqbook.objectives.task_pairs import FORMATS, PairTask, TaskPairsConfig
from seqbook.recipes import bert
from seqbook.recipes.schema import DataConfig, Recipe
from seqbook.training.optimizer import TrainingConfig

# Widths and depths give every family about a million parameters beside its vocabulary.
STACK = PrefixLMConfig(d_model=128, n_layers=5, positions="rotary", max_len=192)
FAMILIES = {
    "recurrent": RNNConfig(context="dot", d_model=234, bidirectional=True, max_len=192),
    "encoder-decoder": TransformerConfig(d_model=128, n_layers=3, n_heads=4, d_ff=256, positions="rotary", max_len=192),
    "causal": STACK,
    "prefix": STACK,
}
ENCODER = BERTConfig(d_model=128, n_layers=5, positions="rotary", norm="pre", max_len=192)
CORPORA = {"infilling": "texts", "continuation": "texts"}  # of the others, the task's own
TRAINING = TrainingConfig(steps=800, batch_size=32, learning_rate=3e-3, warmup=60, evaluations=5)
TRAININGS = {task: TRAINING for task in FORMATS} | {  # of each task, the same for all families
    "translation": replace(TRAINING, steps=1_000),
    "sentiment": replace(TRAINING, steps=300),
    "qa": replace(TRAINING, batch_size=16),  # a story is four times as long as a sentence
}
HEADS = ("sentiment", "entailment", "ner", "qa")  # the tasks that an encoder does with a head


def _pairs(family: str, task: PairTask) -> Recipe:
    model = ENCODER if family == "encoder" else FAMILIES[family]
    return Recipe(
        about=f"{task}, from scratch, by the family {family} (chapter 7.1)",
        data=DataConfig(corpus=CORPORA.get(task, task)),
        objective=TaskPairsConfig(task=task, network="encoder-decoder" if family == "recurrent" else family),
        model=model,
        training=TRAININGS[task],
    )


def _head(task: str) -> Recipe:
    """BERT's recipe of chapter 4.2 for the task, without its pretraining."""
    twin = bert.RECIPES[f"bert-{task}"]
    return replace(
        twin,
        about=f"{task}, from scratch, by the family encoder (chapter 7.1)",
        data=DataConfig(corpus=task),
        model=replace(twin.model, backbone=replace(ENCODER, outputs="hidden")),
        training=TRAININGS[task],
        pretrained=False,
    )


RECIPES = (
    {f"compare-{family}-{task}": _pairs(family, task) for family in FAMILIES for task in FORMATS}
    | {f"compare-encoder-{task}": _head(task) for task in HEADS}
    | {"compare-encoder-infilling": _pairs("encoder", "infilling")}
)
