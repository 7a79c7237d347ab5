"""Part 6, U-PaLM: a GPT that is trained a little further on a mixture of denoisers."""

from benchmarks.sweeps.schema import Sweep, Trial

from seqbook.experiments import ul2

SWEEPS = {
    "u-palm-rates": Sweep(
        "Chapter 6.3, C29: learning rates of further training, for 20 % of GPT's steps.",
        [
            Trial(ul2.continued, {"trained_on": trained_on, "steps": 140, "learning_rate": rate})
            for trained_on in ("mixture", "language model")
            for rate in (3e-4, 1e-3, 3e-3)
        ],
        seeds=[0],
    ),
}
