"""Held-out examples that the page runs through a chapter's model: those that a printed number is made of, or a part
of them, with what Python counts on the same ones."""

from typing import Any

from seqbook import metrics
from seqbook.runs import Run


def translations(run: Run, n: int = 200) -> dict[str, Any]:
    """The first `n` sentences of the test split with their references, and how many translations equal them."""
    config, test = run.objective.config, run.splits["test"]
    rows = test.select(range(min(n, len(test))))
    sources, references = rows[config.source][:], rows[config.target][:]
    right = sum(w == r for w, r in zip(run.generate(sources), references, strict=True))
    examples = [{"source": s, "reference": r} for s, r in zip(sources, references, strict=True)]
    return {"unit": "sentences", "right": right, "of": len(examples), "whole": len(test), "examples": examples}


def masked_words(run: Run) -> dict[str, Any]:
    """The windows of the test split as BERT reads them for its score, the chosen places with the original tokens, and how
    many of these are the most probable ones."""
    objective, windows = run.objective, run.examples("test")
    examples, right = [], 0
    for _, batch, outputs in metrics.in_batches(run.model, objective, windows):
        right += objective.n_right(outputs, batch.labels)
        reads, chosen, _ = (t.cpu() for t in batch.inputs)
        labels = iter(batch.labels.tolist())
        for ids, at in zip(reads, chosen, strict=True):
            places = at.nonzero().flatten().tolist()
            examples.append(
                {
                    "reads": ids[ids != objective.tokenizer.pad_id].tolist(),
                    "places": places,
                    "labels": [next(labels) for _ in places],
                }
            )
    n_words = sum(len(example["places"]) for example in examples)
    return {"unit": "words", "right": right, "of": n_words, "whole": len(windows), "examples": examples}
