"""BART rewrites corrupted texts (chapter 5.1)."""

from collections import Counter
from typing import Any

import torch

from seqbook.generation.decoding import greedy
from seqbook.objectives.batch import IGNORED
from seqbook.objectives.corruption import SpanCorruption
from seqbook.objectives.corruption.spans import spans_of
from seqbook.runs import Run
from seqbook.training.device import device

GAPS = (
    "Anna went to the <mask> and bought a watch.",
    "On Monday morning, Ben <mask> and met <mask>.",
    "Clara was <mask> hungry, so she <mask> a pear.",
    "He gave the key to her. Ben had a key. On Sunday, he met Anna.",
)


@torch.no_grad()
def restored(run: Run, n: int = 100) -> dict[str, Any]:
    """What a network writes, greedily, for `n` corrupted texts of the test split: the share of spans (T5) or of texts (BART)
    that are exactly the original; the same without a network, for the most frequent of these spans, or for a copy of the
    source; and three examples.
    """
    model, objective = run.model, run.objective
    tokenizer, eos = objective.tokenizer, objective.tokenizer.eos_id
    batch = objective.collate(run.examples("test")[:n], _generator(0)).to(device())
    source, decoder_inputs = batch.inputs
    written = greedy(model, (source, decoder_inputs[:, :1]), max_new=batch.labels.shape[1], stop=[eos])
    true = [[i for i in row if i not in (IGNORED, eos)] for row in batch.labels.tolist()]
    sources = [[i for i in row if i not in (tokenizer.pad_id, eos)] for row in source.tolist()]
    if isinstance(objective, SpanCorruption):
        parts = [[spans_of(row, objective.sentinels) for row in side] for side in (true, written)]
        pairs = [(span, theirs.get(i)) for ours, theirs in zip(*parts, strict=True) for i, span in ours.items()]
        counts = Counter(tuple(span) for span, _ in pairs)
        baseline = max(counts.values()) / len(pairs)
    else:
        pairs = list(zip(true, written, strict=True))
        baseline = sum(t == x for t, x in zip(true, sources, strict=True)) / len(true)
    texts = zip(
        *([" ".join(tokenizer.tokens(row)) for row in side[:3]] for side in (sources, true, written)), strict=True
    )
    return {
        "restored": sum(t == w for t, w in pairs) / len(pairs),
        "baseline": baseline,
        "examples": [dict(zip(("source", "target", "written"), row, strict=True)) for row in texts],
    }


def rewritten(run: Run) -> dict[str, Any]:
    """A row of the sweep "bart-rewriting": `restored`, and `GAPS` as the network fills them."""
    filled = run.objective.fill(run.model, GAPS)
    return restored(run) | {
        "filled": [{"text": gap, "rewritten": new.text} for gap, new in zip(GAPS, filled, strict=True)]
    }


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
