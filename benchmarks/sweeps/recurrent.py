"""Part 1."""

from benchmarks.sweeps.schema import Sweep

SWEEPS: dict[str, Sweep] = {}
