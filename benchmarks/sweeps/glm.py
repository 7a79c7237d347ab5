"""Part 6: GLM, its changes one at a time, and what fills the same gaps."""

from benchmarks.sweeps.schema import Sweep, Trial

from seqbook.experiments import glm

SWEEPS = {
    "glm": Sweep(
        "Chapter 6.2: GLM, trained with its spans in the order of the text, and with answers whose tokens are not counted.",
        [
            Trial(glm.measured, {"network": network})
            for network in ("GLM, spans in order", "GLM, answers not counted", "GLM")
        ],
    ),
    "glm-gaps": Sweep(
        "Chapter 6.2: gaps of one to five words, filled in by BERT, which is told their lengths or guesses them, and by the "
        "most frequent words.",
        [Trial(glm.measured, {"network": "BERT"})],
    ),
    "glm-gaps-seq2seq": Sweep(
        "Chapter 6.2: the same gaps, filled in by T5 and BART.",
        [Trial(glm.measured, {"network": network}) for network in ("T5", "BART")],
    ),
}
