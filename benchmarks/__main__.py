"""`make bench`: every measurement, one after the other; each prints what it found and keeps it in benchmarks/results.

python -m benchmarks [recurrent] [transformer] [gpt] [bert] [t5_bart] [prefix]    (default: all)
"""

import json
import sys

import seqbook  # noqa: F401  before torch: it sets how threads wait, ours and the peers' alike

# isort: split
import torch
from benchmarks import bert, gpt, prefix, recurrent, t5_bart, transformer
from benchmarks.corpora import corpus

from seqbook.data.corpora import CorpusError
from seqbook.runs.published import FOLDER, commit
from seqbook.training.device import device_name

MODULES = {
    module.__name__.rpartition(".")[2]: module for module in (recurrent, transformer, gpt, bert, t5_bart, prefix)
}
wanted = sys.argv[1:] or list(MODULES)
try:  # before the first measurement, which takes minutes
    if unknown := set(wanted) - set(MODULES):
        raise RuntimeError(f"unknown measurement {', '.join(unknown)}: choose of {', '.join(MODULES)}")
    if "transformer" in wanted:
        corpus("multi30k")
    if "gpt" in wanted:
        gpt.check_compiler()
except (CorpusError, RuntimeError) as error:
    print(f"benchmarks: {error}", file=sys.stderr)
    sys.exit(2)

torch.set_num_threads(min(2, torch.get_num_threads()))
measured = {  # asked before the first file is written, which makes the checkout another one
    "command": " ".join(["python -m benchmarks", *sys.argv[1:]]),
    "commit": commit(),
    "device": device_name(),
    "processor": torch.cpu.get_capabilities().get("cpu_name"),
}
for name in wanted:
    module = MODULES[name]
    print(f"{name}: {module.__doc__}", flush=True)
    rows = module.measure()
    for row in rows:
        print(
            "  ",
            ", ".join(f"{key} {value:,.3g}" if isinstance(value, float) else f"{value}" for key, value in row.items()),
        )
    text = json.dumps(measured | {"rows": rows}, indent=1) + "\n"
    (FOLDER / f"speed-{name}.json").write_text(text, encoding="utf-8")
