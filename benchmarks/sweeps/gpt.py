"""Part 3: GPT, pretrained and prompted."""

from functools import partial

from benchmarks.sweeps.schema import Case, Sweep, Trial

from seqbook.experiments import few_shot, gpt

TOKENS = {  # settings of the recipe "gpt", by the name of its tokens
    "words": {},
    "characters": {"kind": "character"},
    "1,000 byte pairs": {"kind": "bpe", "max_vocab_size": 1_000},
}
RECALL = {"n_words": 20, "n_heads": 1, "n_layers": 2, "positions": "rotary"}
RECALLS = [  # what the length of the plateau may depend on, one thing at a time
    *({"n_words": n_words} for n_words in (10, 15, 20, 25, 30)),
    *({"n_heads": n_heads} for n_heads in (2, 4)),
    {"positions": "learned"},
    {"n_layers": 1},
    {"n_layers": 1, "n_words": 10},
]
LONG_TRAINING = {"steps": 12_000, "batch_size": 64, "learning_rate": 1.5e-3, "warmup": 500, "evaluations": 8}
LONG_MODEL = {"d_model": 256, "n_layers": 6, "n_heads": 4, "dropout": 0.1}
LONG_SIZE = 200_000
SWEEPS = {
    "gpt": Sweep(
        "Chapter 3.1: the language model of stories, its loss with short windows, and the stories that it continues.",
        [Case("gpt")],
        measure=gpt.measured,
    ),
    "gpt-tokens": Sweep(
        "Chapter 3.1: the same model and the same number of tokens, with words, characters and byte pairs as tokens.",
        [Case("gpt", settings, {"unit": name}) for name, settings in TOKENS.items()],
        measure=gpt.by_tokens,
    ),
    "recall": Sweep(
        "Chapter 3.3: how many steps pass before a small GPT recalls pairs that only the row tells.",
        [Trial(gpt.recall, RECALL | changed) for changed in RECALLS],
    ),
    "prompting": Sweep(
        "Chapter 3.3: what the widest of its models answers, what it reads, and what examples in the prompt change.",
        [Case("gpt-prompting")],
        measure=few_shot.measured,
    ),
    "prompting-sizes": Sweep(
        "Chapter 3.3: the language model of stories and tasks in four widths.",
        [
            Case("gpt-prompting", {"d_model": d_model, "n_heads": n_heads})
            for d_model, n_heads in ((128, 4), (64, 2), (32, 1), (16, 1))
        ],
    ),
    "prompting-long": Sweep(
        "Chapter 3.3: the same mixture, with a larger network, more text and eighty times as many tokens.",
        [Case("gpt-prompting", {"size": LONG_SIZE} | LONG_MODEL | LONG_TRAINING)],
        measure=partial(few_shot.measured, n=150),
    ),
    "prompting-labels": Sweep(
        "Chapter 3.3: the same again, when a third of the text has labels that only the examples in the prompt tell.",
        [
            Trial(
                few_shot.trained_on_labels,
                {"share": 0.33, "size": LONG_SIZE, "training": LONG_TRAINING, "model": LONG_MODEL},
            )
        ],
    ),
}
