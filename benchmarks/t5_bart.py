"""The T5 and the BART of part 5 against transformers' of the same sizes: training steps, and greedy generation.

A step is forward, loss, backward, clipping and fused AdamW on a batch that was made before: sources of 128 random ids, and
targets of 32 for T5 and of 128 for BART, about what their pretrainings have. No dropout, no padding, and torch's fused
attention where transformers has it. Then each writes 64 tokens, whatever they are, after sources of 64 ids, with its own
cache. Ours and theirs run in turn, so that a machine that slows down slows both; medians are compared.
"""

import statistics
from collections.abc import Callable
from functools import partial

import torch
import transformers
from benchmarks.timing import at_hand, goal, spread, training
from torch import Tensor, nn

from seqbook.experiments.speed import in_turn
from seqbook.generation.decoding import greedy
from seqbook.models.bart import BART, BARTConfig
from seqbook.models.t5 import T5, T5Config
from seqbook.objectives.batch import Batch, summed_nll
from seqbook.training import TrainingConfig

VOCAB_SIZE, D_MODEL, N_HEADS, N_LAYERS, D_FF, MAX_LEN = 1_000, 256, 8, 4, 1_024, 128
BATCH_SIZE, TARGET_LEN, ROUNDS, TRAINING_GOAL = 16, {"T5": 32, "BART": 128}, 15, 1.1
SOURCE_LEN, NEW_TOKENS, GENERATION_ROUNDS, GENERATION_GOALS = 64, 64, 9, {1: 1.7, 16: 1.4}
N_SPECIAL = 4  # the ids before the first ordinary token
START = {"T5": 0, "BART": 2}  # what the decoder reads first


class Loss:
    """What `training_step` needs of an objective."""

    loss = staticmethod(summed_nll)


class HuggingFace(nn.Module):
    """An encoder-decoder of transformers with ours' inputs."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        return self.network(input_ids=source, decoder_input_ids=target, use_cache=False).logits

    def greedy(self, source: Tensor, start: Tensor) -> list[list[int]]:
        how = {"do_sample": False, "num_beams": 1, "use_cache": True, "max_new_tokens": NEW_TOKENS}
        written = self.network.generate(
            input_ids=source, attention_mask=torch.ones_like(source), decoder_input_ids=start, **how
        )
        return written[:, 1:].tolist()


def t5() -> nn.Module:
    config = transformers.T5Config(
        vocab_size=VOCAB_SIZE,
        d_model=D_MODEL,
        d_kv=D_MODEL // N_HEADS,
        d_ff=D_FF,
        num_layers=N_LAYERS,
        num_heads=N_HEADS,
        dropout_rate=0.0,
        eos_token_id=None,
        decoder_start_token_id=START["T5"],
    )
    return HuggingFace(transformers.T5ForConditionalGeneration(config))


def bart() -> nn.Module:
    stacks = {f"{stack}_{name}": value for stack in ("encoder", "decoder")
              for name, value in {"layers": N_LAYERS, "attention_heads": N_HEADS, "ffn_dim": D_FF}.items()}  # fmt: skip
    config = transformers.BartConfig(
        vocab_size=VOCAB_SIZE,
        d_model=D_MODEL,
        max_position_embeddings=MAX_LEN,
        dropout=0.0,
        eos_token_id=None,
        forced_eos_token_id=None,
        decoder_start_token_id=START["BART"],
        attn_implementation="sdpa",
        **stacks,
    )
    return HuggingFace(transformers.BartForConditionalGeneration(config))


SIZES = {"vocab_size": VOCAB_SIZE, "d_model": D_MODEL, "n_layers": N_LAYERS, "n_heads": N_HEADS, "d_ff": D_FF}
SYSTEMS: dict[str, dict[str, Callable[[], nn.Module]]] = {
    "T5": {"ours": lambda: T5(T5Config(**SIZES, max_len=MAX_LEN)), "transformers": t5},
    "BART": {"ours": lambda: BART(BARTConfig(**SIZES, max_len=MAX_LEN)), "transformers": bart},
}


def measure() -> list[dict]:
    torch.manual_seed(0)
    return [row for name in SYSTEMS for rows in (training_of(name), *generation_of(name)) for row in rows]


def training_of(name: str) -> list[dict]:
    """Tokens a second in training, of sources and targets together, and the goal."""
    source, target = (random_ids(BATCH_SIZE, length) for length in (MAX_LEN, TARGET_LEN[name]))
    batch = Batch((source, target), random_ids(BATCH_SIZE, TARGET_LEN[name]))
    models = {system: build() for system, build in SYSTEMS[name].items()}
    check_sizes(name, models)
    steps = {system: training(m, Loss(), at_hand([batch]), TrainingConfig(steps=1)) for system, m in models.items()}
    rows, medians = told(f"{name}, training", steps, ROUNDS, source.numel() + target.numel())
    return [*rows, goal(f"{name}, training", medians["transformers"] / medians["ours"], TRAINING_GOAL)]


def generation_of(name: str) -> list[list[dict]]:
    """New tokens a second at each batch size, and the goals."""
    models = {system: build().eval() for system, build in SYSTEMS[name].items()}
    found = []
    for n, least in GENERATION_GOALS.items():
        given = random_ids(n, SOURCE_LEN), torch.full((n, 1), START[name])
        calls = {
            "ours": partial(greedy, models["ours"], given, max_new=NEW_TOKENS, stop=()),
            "transformers": partial(models["transformers"].greedy, *given),
        }
        for system, call in calls.items():
            written = [len(row) for row in call()]
            if written != [NEW_TOKENS] * n:
                raise RuntimeError(f"{system} wrote {written} tokens instead of {NEW_TOKENS} for each of {n} sources")
        rows, medians = told(f"{name}, generation, batch {n}", calls, GENERATION_ROUNDS, n * NEW_TOKENS)
        ratio = medians["transformers"] / medians["ours"]
        found.append([*rows, goal(f"{name}, generation, batch {n}", ratio, least)])
    return found


def told(what: str, calls: dict[str, Callable], rounds: int, n_tokens: int) -> tuple[list[dict], dict[str, float]]:
    """The rows of the systems, and their median seconds."""
    seconds = in_turn(calls, rounds)
    medians = {system: statistics.median(times) for system, times in seconds.items()}
    rows = [
        {"model": f"{system} ({what})", "tokens_per_second": n_tokens / medians[system],
         "milliseconds": 1e3 * medians[system], "ours": medians[system] / medians["ours"], "spread": spread(times)}
        for system, times in seconds.items()
    ]  # fmt: skip
    return rows, medians


def check_sizes(name: str, models: dict[str, nn.Module]) -> None:
    """Raises RuntimeError: the two networks have different numbers of parameters."""
    counts = {system: sum(p.numel() for p in model.parameters()) for system, model in models.items()}
    if len(set(counts.values())) > 1:
        raise RuntimeError(f"{name}: the networks differ in size, {counts}")


def random_ids(n: int, length: int) -> Tensor:
    return torch.randint(N_SPECIAL, VOCAB_SIZE, (n, length))
