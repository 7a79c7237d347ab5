"""Part 6: GLM, its changes one at a time, and what fills the same gaps."""

from benchmarks.sweeps.schema import Sweep, Trial, best_rate

from seqbook.experiments import glm

GLMS = ("GLM, spans in order", "GLM, answers not counted", "GLM")


def _trial(network: str) -> Trial:
    """A network at the rate that glm-rates.json has found."""
    rate = best_rate("glm-rates", 2.5e-3, network=network)
    return Trial(glm.measured, {"network": network, "learning_rate": rate})


SWEEPS = {
    "glm-rates": Sweep(
        "Chapter 6.2: the learning rates of GLM's versions, and of the BERT and the T5 beside them.",
        [
            Trial(glm.validated, {"network": network, "learning_rate": rate})
            for network in (*GLMS, "BERT", "T5")
            for rate in (1e-3, 2.5e-3, 5e-3)
        ],
        seeds=[0],
    ),
    "glm": Sweep(
        "Chapter 6.2: GLM, trained with its spans in the order of the text, and with answers whose tokens are not counted.",
        [_trial(network) for network in GLMS],
    ),
    "glm-gaps": Sweep(
        "Chapter 6.2: gaps of one to five words, filled in by BERT, which is told their lengths or guesses them, and by the "
        "most frequent words.",
        [_trial("BERT")],
    ),
    "glm-gaps-seq2seq": Sweep(
        "Chapter 6.2: the same gaps, filled in by T5, at a rate between the two best ones in glm-rates.json, and by BART.",
        [Trial(glm.measured, {"network": network}) for network in ("T5", "BART")],
    ),
}
