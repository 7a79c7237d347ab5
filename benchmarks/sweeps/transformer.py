"""Part 2: the Transformer beside the recurrent networks of part 1, and what each of its parts is for."""

from typing import Any

from benchmarks.sweeps.schema import Case, Sweep, Trial

from seqbook.experiments.alignment import alignment_of_linked_characters, attention_weights
from seqbook.experiments.batch_norm import STACKS, batch_norm
from seqbook.experiments.heads import heads
from seqbook.experiments.recurrent import by_length
from seqbook.experiments.transformer import bleu_lowercased, norm_and_warmup
from seqbook.models.transformer import Transformer
from seqbook.runs import Run

SYSTEMS = ("rnn", "attention", "transformer", "transformer-rotary")
RATES = (1.5e-3, 3e-3, 6e-3, 1.2e-2)


def measured(run: Run) -> dict[str, Any]:
    """The scores by the length of the source, one dict per bin, and how well attention shows the alignment."""
    rows = run.splits["test"].select(range(200))
    found: dict[str, Any] = {"by_length": by_length(run).to_dict("records")}
    if isinstance(run.model, Transformer):
        return found | heads(run, rows)
    if run.model.attention is not None:
        errors = alignment_of_linked_characters(rows, attention_weights(run, rows))
        found["alignment_error"] = float(errors.loc["attention", "error"])
    return found


SWEEPS = {
    "translation-rates": Sweep(
        "Chapter 2.2: the same search over learning rates for four systems, at the budget of part 1. The rate with the "
        "lowest validation loss stands in the recipe. Warm-up (60 steps) is the same for all and was not searched.",
        [
            Case(recipe, {"learning_rate": rate}, {"learning_rate": rate})
            for recipe in SYSTEMS
            for rate in (*RATES, 2.4e-2)[: 4 if recipe.startswith("transformer") else 5]  # 1.2e-2 is too high for these
        ],
        seeds=(0,),
    ),
    "translation": Sweep(
        "Chapters 2.2 and 2.3: four systems at the budget of part 1, each at the rate that the search found for it.",
        [Case(recipe) for recipe in SYSTEMS],
        measure=measured,
    ),
    "few-pairs": Sweep(
        "Chapter 2.2: 2,000 pairs, for 500 steps and for as many as translation.json has for 30,000 pairs.",
        [
            Case("transformer-rotary", {"size": size, "steps": steps}, {"size": size})
            for size, steps in ((2_000, 500), (2_000, 1_500))
        ],
    ),
    "norm-warmup": Sweep(
        "Chapter 2.2: pre-norm and post-norm, with a warm-up and without, in the first 150 steps.",
        [Trial(norm_and_warmup, {"norm": norm, "warmup": warmup}) for norm in ("post", "pre") for warmup in (1, 60)],
    ),
    "batch-norm": Sweep(
        "Chapter 2.3, C6: layer norm, and batch norm in the encoder, in the decoder and in both, with padding in its "
        "statistics and without.",
        [
            Trial(batch_norm, {"where": where, "padding": padding})
            for where in STACKS
            for padding in ((True, False) if where == "encoder" else (True,))
        ],
    ),
    "multi30k": Sweep(
        "Chapters 1.1 and 1.2: German captions to English after the same number of steps.",
        [Case("rnn-multi30k", {}, {"system": "RNN"}), Case("attention-multi30k", {}, {"system": "RNN with attention"})],
        seeds=(0,),
        measure=bleu_lowercased,
    ),
}
