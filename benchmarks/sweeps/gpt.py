"""Part 3: GPT, pretrained and prompted."""

from benchmarks.sweeps.schema import Case, Sweep

SWEEPS = {
    "prompting-sizes": Sweep(
        "Chapter 3.3: the language model of stories and tasks in four widths.",
        [
            Case("gpt-prompting", {"d_model": d_model, "n_heads": n_heads})
            for d_model, n_heads in ((128, 4), (64, 2), (32, 1), (16, 1))
        ],
    ),
}
