"""Why Transformers won: the time of a training step of one LSTM layer and of one Transformer block, against length and width.

    python -m benchmarks.training_time [--device cpu|cuda]

An LSTM must read position t before t + 1; a Transformer block computes all positions at once. Both layers have the same
8 d² weights in their matrices: the LSTM four gates of (d + d) d, the block 4 d² in its attention and 2 · d · 2d in its
feed-forward network (d_ff = 2d). A step is forward, backward and an update by AdamW, on random vectors of the given number
of tokens: the longer the sequences, the fewer there are in the batch. Embedding and output layer, which both would share,
are left out. The LSTM is torch's own, on a GPU cuDNN's, which computes the products with the inputs for all positions at
once. The two layers take turns, so that a machine that slows down slows both.

Rows of other devices stay in benchmarks/results/training-time.json as they are.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import seqbook  # noqa: F401  before torch: it sets how threads wait

# isort: split
import torch
from benchmarks.publish import as_text
from torch import Tensor, nn

from seqbook.experiments.speed import in_turn
from seqbook.nn.attention import Attention
from seqbook.nn.block import Block
from seqbook.nn.layers import FeedForward
from seqbook.runs import published
from seqbook.storage import writing

LENGTHS, WIDTHS, D_HEAD = (8, 32, 128, 512), (64, 256, 1024), 64
TOKENS = {"cpu": 2_048, "cuda": 16_384}  # per step
REPEATS = {"cpu": 3, "cuda": 10}
WAYS = {  # (threads, precision)
    "cpu": ((1, "fp32"), (2, "fp32")),
    "cuda": ((1, "fp32"), (1, "16 bits")),
}


class LSTM(nn.LSTM):
    """One layer; its matrices have 8 d² weights."""

    def __init__(self, d_model: int):
        super().__init__(d_model, d_model, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[0]


def transformer_block(d_model: int) -> Block:
    """A causal block; its matrices have 8 d² weights."""
    parts = Attention(d_model, d_model // D_HEAD), FeedForward(d_model, 2 * d_model)
    return Block(*parts, partial(nn.LayerNorm, d_model), placement="pre")


def step_of(
    network: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, *, threads: int, precision: str
) -> Callable:
    """One training step, complete when the call returns. The loss is the mean square of the output.

    "16 bits": by autocast, as our training does it, in bf16; cuDNN's LSTM has fp16 alone.
    """
    given = {"mask": "causal"} if isinstance(network, Block) else {}

    def step() -> None:
        torch.set_num_threads(threads)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=precision == "16 bits"):
            y = network(x, **given)
        y.float().square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        if x.is_cuda:
            torch.cuda.synchronize()

    return step


def measure(kind: str) -> Iterator[dict]:
    """One row per network, width, length, number of threads and precision: the median of the repeats, and their spread."""
    device, tokens, repeats = torch.device(kind), TOKENS[kind], REPEATS[kind]
    about = {"kind": kind, "device": name_of(kind), "torch": torch.__version__, "tokens": tokens, "repeats": repeats}
    torch.backends.cudnn.allow_tf32 = False  # of cuDNN's LSTM: torch's own products do not round to TF32 either
    for width in WIDTHS:
        torch.manual_seed(0)
        networks = {"LSTM": LSTM(width).to(device), "Transformer": transformer_block(width).to(device)}
        optimizers = {name: torch.optim.AdamW(n.parameters(), fused=True) for name, n in networks.items()}
        for length in LENGTHS:
            x = torch.randn(tokens // length, length, width, device=device)
            for threads, precision in WAYS[kind]:
                how = {"threads": threads, "precision": precision}
                steps = {name: step_of(n, optimizers[name], x, **how) for name, n in networks.items()}
                steps = {name: step for name, step in steps.items() if runs(name, step, how)}
                for name, seconds in in_turn(steps, repeats).items():
                    weights = sum(p.numel() for p in networks[name].parameters() if p.dim() > 1)
                    sizes = {"network": name, "width": width, "length": length, "batch": len(x), "weights": weights}
                    yield about | how | sizes | in_milliseconds(seconds)


def in_milliseconds(seconds: Sequence[float]) -> dict[str, float]:
    found = {"milliseconds": statistics.median(seconds), "fastest": min(seconds), "slowest": max(seconds)}
    return {name: round(1000 * value, 4) for name, value in found.items()}


def runs(name: str, step: Callable, how: dict) -> bool:
    """Whether the device can do this step at all; says so where it can't."""
    try:
        step()
    except RuntimeError as error:
        print(f"{name} with {how}: {error}", file=sys.stderr, flush=True)
        return False
    return True


def name_of(kind: str) -> str:
    """The device, for people to read."""
    if kind == "cuda":
        return torch.cuda.get_device_name()
    return getattr(torch.cpu, "get_capabilities", dict)().get("cpu_name", "CPU")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_time", description=__doc__.partition("\n")[0])
    best = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", choices=tuple(TOKENS), default=best, help=f"default: {best}")
    kind = parser.parse_args(argv).device
    if kind == "cuda" and not torch.cuda.is_available():
        print("training_time: there is no CUDA device here: choose --device cpu", file=sys.stderr)
        return 2
    made = {"command": f"python -m benchmarks.training_time --device {kind}", "commit": published.commit()}
    rows = []
    for row in measure(kind):
        rows.append(row | made)
        print(", ".join(f"{row[key]}" for key in ("network", "width", "length", "threads", "precision")), end=": ")
        print(f"{row['milliseconds']:.2f} ms", flush=True)
    keep(rows)
    return 0


def keep(rows: list[dict]) -> None:
    """Write the rows, in the place of those that the same device had before."""
    file = published.FOLDER / "training-time.json"
    kept = json.loads(file.read_text(encoding="utf-8"))["rows"] if file.is_file() else []
    others = [row for row in kept if row["device"] not in {row["device"] for row in rows}]
    about = {"about": "The time of a training step of one LSTM layer and one Transformer block of equal size."}
    about |= {"command": "python -m benchmarks.training_time"}
    with writing(file) as scratch:
        scratch.write_text(as_text(about, [*others, *rows]), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
