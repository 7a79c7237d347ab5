"""Part 1: RNNs with and without attention."""

import json
from typing import Any, Literal

import pandas as pd
from benchmarks.sweeps.input_feeding import InputFeeding
from benchmarks.sweeps.schema import Case, Sweep, Trial
from torch import nn

from seqbook import runs
from seqbook.experiments import alignment
from seqbook.experiments import recurrent as experiments
from seqbook.experiments.trials import train, untrained
from seqbook.models.rnn import RNNSeq2Seq
from seqbook.recipes import configure


def measures(run: runs.Run) -> dict[str, Any]:
    """What rows keep beside the scores: by source length, C2 on 100 sentences, gradients, and C4 on the test split."""
    rows = experiments.sentences_between(run, 8, 12, 100)
    found = {
        "by_length": as_json(experiments.by_length(run), "records"),
        "influence": experiments.influence_on_translations(run, rows),
        "encoder_gradient": experiments.encoder_gradient(run),
    }
    if run.model.attention is not None:
        test = run.splits["test"]
        table = alignment.alignment_of_linked_characters(test, alignment.attention_weights(run, test))
        found["alignment"] = as_json(table, "index")
    return found


def as_json(table: pd.DataFrame, orient: Literal["records", "index"]) -> Any:
    """As JSON gives it back; a number that is missing is null."""
    return json.loads(table.to_json(orient=orient))


# ---- Experiments that no recipe describes


def input_feeding(seed: int, feeding: bool, **settings: Any) -> dict[str, Any]:
    """The recipe `attention`, with or without input feeding."""
    recipe = configure("attention", **settings)
    run = untrained(recipe, seed, lambda model: InputFeeding(model.config) if feeding else model)
    run = train(run, recipe, seed)
    return run.result | run.objective.scores(run.model, run.splits) | measures(run)


def gradients(seed: int, cell: Literal["LSTM", "RNN"], learning_rate: float, **settings: Any) -> dict[str, Any]:
    """How far back gradients reach in an encoder that reads forwards, before and after training: the recipe `rnn` whose
    encoder is an LSTM, or a plain RNN, h_j = tanh(W x_j + U h_{j−1} + b). The decoder is an LSTM in both cases."""
    recipe = configure("rnn", bidirectional=False, learning_rate=learning_rate, **settings)
    run = untrained(recipe, seed, with_plain_encoder if cell == "RNN" else lambda model: model)
    before = experiments.encoder_gradient(run)
    run = train(run, recipe, seed)
    after = experiments.encoder_gradient(run)
    by_length, scores = as_json(experiments.by_length(run), "records"), run.objective.scores(run.model, run.splits)
    return run.result | scores | {"gradient_before": before, "gradient_after": after, "by_length": by_length}


def with_plain_encoder(model: RNNSeq2Seq) -> RNNSeq2Seq:
    d_model = model.config.d_model
    model.encoder.layers = nn.ModuleList([nn.ModuleList([nn.RNN(d_model, d_model, batch_first=True)])])
    return model


# ---- The sweeps

# A context of one vector does not read the memory, so the shortcut would change nothing there.
SHORTCUT = {"embedding_shortcut": True}
FORWARDS = {"bidirectional": False}
CONTEXTS = [
    Case("rnn", {}, {"context": "last", "reads": "both directions", "shortcut": False}),
    Case("rnn", FORWARDS, {"context": "last", "reads": "forwards", "shortcut": False}),
    Case("rnn", FORWARDS | {"reverse_source": True}, {"context": "last", "reads": "backwards", "shortcut": False}),
    Case("rnn", {"context": "mean"}, {"context": "mean", "reads": "both directions", "shortcut": False}),
    Case("rnn", {"context": "mean"} | SHORTCUT, {"context": "mean", "reads": "both directions", "shortcut": True}),
    Case("attention", {}, {"context": "dot", "reads": "both directions", "shortcut": False}),
    Case("attention", SHORTCUT, {"context": "dot", "reads": "both directions", "shortcut": True}),
    Case("attention", {"context": "additive"}, {"context": "additive", "reads": "both directions", "shortcut": False}),
]
SWEEPS: dict[str, Sweep] = {
    "recurrent": Sweep(
        "Chapters 1.1 and 1.2: what the decoder is given of the source, in which order the encoder reads it, and "
        "attention over the LSTM's states alone or with the embeddings added.",
        CONTEXTS,
        measure=measures,
    ),
    "context-width": Sweep(
        "Chapters 1.1 and 1.2: one context vector in three widths, and attention in two.",
        [
            Case(recipe, {"d_model": d_model}, {"context": context})
            for recipe, context, widths in (("rnn", "last", (96, 192, 384)), ("attention", "dot", (96, 192)))
            for d_model in widths
        ],
        measure=measures,
    ),
    "input-feeding": Sweep(
        "Chapter 1.2: dot-product attention, with and without input feeding.",
        [Trial(input_feeding, {"feeding": feeding}) for feeding in (False, True)],
    ),
    "gradients": Sweep(
        "Chapter 1.1: an encoder of one direction that is an LSTM or a plain RNN, at two learning rates each.",
        [Trial(gradients, {"cell": cell, "learning_rate": rate}) for cell in ("LSTM", "RNN") for rate in (6e-3, 2e-3)],
    ),
}
