"""Part 2: translation with the Transformer."""

from dataclasses import replace

from seqbook.models.transformer import TransformerConfig
from seqbook.objectives.seq2seq import Seq2SeqConfig
from seqbook.recipes.recurrent import CAPTIONS, LONG_TRAINING, MULTI30K, TRAINING, WORLD
from seqbook.recipes.schema import Recipe

# Learning rates: found for each system of parts 1 and 2 by the same search (benchmarks/results/translation-rates.json).
MODEL = TransformerConfig(d_model=128, n_layers=3, n_heads=4, d_ff=224)

RECIPES = {
    "transformer": Recipe(
        about="encoder and decoder made of attention alone (chapter 2.2)",
        data=WORLD,
        objective=Seq2SeqConfig(),
        model=MODEL,
        training=replace(TRAINING, learning_rate=3e-3),
    ),
    "transformer-rotary": Recipe(
        about="the same with rotary positions (chapter 2.3)",
        data=WORLD,
        objective=Seq2SeqConfig(),
        model=replace(MODEL, positions="rotary"),
        training=replace(TRAINING, learning_rate=3e-3),
    ),
    "transformer-multi30k": Recipe(
        about="a Transformer, German to English, or back (--set source=en --set target=de), on real captions",
        data=MULTI30K,
        objective=CAPTIONS,
        model=TransformerConfig(d_model=128, n_layers=4, n_heads=4, d_ff=256, positions="rotary", dropout=0.15),
        training=replace(LONG_TRAINING, steps=6_000),
    ),
}
