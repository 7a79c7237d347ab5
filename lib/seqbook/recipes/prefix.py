"""Part 6: prefix decoders, trained from scratch, and GPT trained a little further as one."""

from dataclasses import replace

from seqbook.models.prefix_lm import PrefixLMConfig
from seqbook.objectives.blank_infilling import BlankInfillingConfig
from seqbook.objectives.denoisers import DenoisersConfig
from seqbook.objectives.prefix import PrefixPairsConfig, PrefixTextsConfig
from seqbook.objectives.unilm import UniLMConfig
from seqbook.recipes import recurrent
from seqbook.recipes.schema import DataConfig, Recipe
from seqbook.training.optimizer import TrainingConfig

STACK = PrefixLMConfig(max_len=128, positions="rotary")  # the sizes of our GPT
TEXTS = DataConfig(corpus="texts")
# GPT's training, at a rate that was searched for (benchmarks/results/glm-rates.json, unilm-rates.json). A row holds one text,
# and 48 of them have about as many tokens as 16 of GPT's windows.
TRAINING = TrainingConfig(steps=700, batch_size=48, learning_rate=2.5e-3, warmup=100, evaluations=4)

RECIPES = {
    "prefix-lm": Recipe(
        about="a prefix decoder, which continues stories (chapter 6.1)",
        data=TEXTS,
        objective=PrefixTextsConfig(),
        model=STACK,
        training=replace(TRAINING, learning_rate=5e-3),  # in 700 steps as good as 2.5e-3, and better in fewer
    ),
    "prefix-translation": Recipe(
        about="translation by one stack; with --set prefix=causal, by a causal decoder (chapter 6.1)",
        data=recurrent.WORLD,
        objective=PrefixPairsConfig(),
        model=replace(STACK, n_layers=5),  # about as many parameters as the recipe `transformer`
        training=replace(recurrent.TRAINING, learning_rate=3e-3),
    ),
    "unilm": Recipe(
        about="one stack that fills in masked words under four masks (chapter 6.1)",
        data=TEXTS,
        objective=UniLMConfig(),
        model=STACK,
        training=TRAINING,
    ),
    "glm": Recipe(
        about="a prefix decoder that fills in blanks of unknown length (chapter 6.2)",
        data=TEXTS,
        objective=BlankInfillingConfig(),
        model=replace(STACK, block_positions=True),
        training=TRAINING,
    ),
    "ul2": Recipe(
        about="a prefix decoder with the seven denoisers of UL2 (chapter 6.3)",
        data=TEXTS,
        objective=DenoisersConfig(mixture="ul2", shares=(4 / 15, 1 / 5, 8 / 15)),  # a fifth for S, the others alike
        model=STACK,
        training=TRAINING,
    ),
    "u-palm": Recipe(
        about="our GPT, trained for a fifth of its steps on U-PaLM's denoisers (chapter 6.3)",
        data=TEXTS,
        objective=DenoisersConfig(),
        model=STACK,
        training=replace(TRAINING, steps=140, learning_rate=1e-3, warmup=10),
        base="gpt",
    ),
}
