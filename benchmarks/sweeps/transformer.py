"""Part 2."""

from benchmarks.sweeps.schema import Sweep

SWEEPS: dict[str, Sweep] = {}
