"""The published sweeps, one file per part of the course."""

from benchmarks.sweeps import bert, comparison, finetuning, glm, gpt, prefix, recurrent, t5_bart, transformer, ul2
from benchmarks.sweeps.schema import Case, Sweep, Trial

SWEEPS: dict[str, Sweep] = (
    recurrent.SWEEPS
    | transformer.SWEEPS
    | gpt.SWEEPS
    | finetuning.SWEEPS
    | bert.SWEEPS
    | t5_bart.SWEEPS
    | prefix.SWEEPS
    | glm.SWEEPS
    | comparison.SWEEPS
    | ul2.SWEEPS
)

__all__ = ["SWEEPS", "Case", "Sweep", "Trial"]
