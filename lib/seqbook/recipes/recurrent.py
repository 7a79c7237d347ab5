"""Part 1: translation with recurrent networks."""

from dataclasses import replace

from seqbook.models.rnn import RNNConfig
from seqbook.objectives.seq2seq import Seq2SeqConfig
from seqbook.recipes.schema import DataConfig, Recipe
from seqbook.training.optimizer import TrainingConfig

WORLD = DataConfig(corpus="translation")
TRAINING = TrainingConfig(steps=1_500, batch_size=32, learning_rate=6e-3, warmup=60, evaluations=4)

MULTI30K = DataConfig(corpus="multi30k")
CAPTIONS = Seq2SeqConfig(
    source="de",
    target="en",
    source_kind="bpe",
    target_kind="bpe",
    max_vocab_size=4_000,
    label_smoothing=0.1,
    beams=5,
)
LONG_TRAINING = TrainingConfig(steps=4_500, batch_size=64, learning_rate=3e-3, warmup=400, evaluations=10)

RECIPES = {
    "rnn": Recipe(
        about="LSTM encoder and decoder with one context vector (chapter 1.1)",
        data=WORLD,
        objective=Seq2SeqConfig(),
        model=RNNConfig(context="last", d_model=192, bidirectional=True),
        training=replace(TRAINING, learning_rate=1.2e-2),
    ),
    "attention": Recipe(
        about="the same LSTMs with dot-product attention (chapter 1.2)",
        data=WORLD,
        objective=Seq2SeqConfig(),
        model=RNNConfig(context="dot", d_model=192, bidirectional=True),
        training=replace(TRAINING, learning_rate=1.2e-2),
    ),
    "rnn-multi30k": Recipe(
        about="German to English without attention, on real captions",
        data=MULTI30K,
        objective=CAPTIONS,
        model=RNNConfig(context="last", d_model=256, bidirectional=True, dropout=0.3),
        training=LONG_TRAINING,
    ),
    "attention-multi30k": Recipe(
        about="German to English with dot-product attention, on real captions",
        data=MULTI30K,
        objective=CAPTIONS,
        model=RNNConfig(context="dot", d_model=256, bidirectional=True, dropout=0.3),
        training=LONG_TRAINING,
    ),
}
