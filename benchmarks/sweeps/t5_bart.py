"""Part 5."""

from benchmarks.sweeps.schema import Case, Sweep

from seqbook.experiments import t5_bart

SWEEPS = {
    "bart-rewriting": Sweep(
        "Chapter 5.1: corrupted texts as a BART rewrites them.",
        [Case("bart")],
        seeds=[0],
        measure=t5_bart.rewritten,
    ),
}
