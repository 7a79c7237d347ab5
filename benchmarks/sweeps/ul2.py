"""Part 6, U-PaLM: a GPT that is trained a little further on a mixture of denoisers."""

from benchmarks.sweeps.schema import Sweep, Trial

from seqbook.experiments import u_palm

RATES = {"mixture": 3e-3, "language model": 1e-3}  # the lowest validation losses in "u-palm-rates"


def _trial(trained_on: u_palm.TrainedOn, steps: int, rate: float) -> Trial:
    return Trial(u_palm.continued, {"trained_on": trained_on, "steps": steps, "learning_rate": rate})


SWEEPS = {
    "u-palm-rates": Sweep(
        "Chapter 6.3, C29: learning rates of further training, for 20 % of GPT's steps.",
        [_trial(trained_on, 140, rate) for trained_on in RATES for rate in (3e-4, 1e-3, 3e-3, 1e-2)],
        seeds=[0],
    ),
    "u-palm": Sweep(
        "Chapter 6.3, C29: our GPT before and after further training, for 1, 5 and 20 % of its steps, on U-PaLM's mixture "
        "or on plain text.",
        [
            _trial("mixture", 0, RATES["mixture"]),
            *(_trial(trained_on, steps, rate) for trained_on, rate in RATES.items() for steps in (7, 35, 140)),
        ],
    ),
    "u-palm-modes": Sweep(
        "Chapter 6.3: what the three mode tokens change in one network.",
        [Trial(u_palm.switching, {"steps": 140, "learning_rate": RATES["mixture"]})],
    ),
    "u-palm-causes": Sweep(
        "Chapter 6.3, C29: further training with the causal mask, and for as many steps as GPT had.",
        [
            _trial("mixture, causal mask", 140, RATES["mixture"]),
            _trial("mixture", 700, RATES["mixture"]),
        ],
        seeds=[0],
    ),
}
