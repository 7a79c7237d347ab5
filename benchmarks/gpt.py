"""The GPT of part 3 against transformers' GPT2LMHeadModel, x-transformers and torch.nn.TransformerEncoder of the same sizes.

Training steps at two sizes, (a) and (b), in tokens a second: fetching random windows of a text of ids (ours by the loader and
the objective, the peers by indexing one tensor), forward, loss, backward, clipping, AdamW. All have tied heads, learned
positions, norms before each part, tanh's GELU, no dropout, and attention that is told that the mask is causal. Each is
measured eager and compiled. Matrix work counts all scores, of later positions too. Then greedy generation at the sizes of
(b), each with its own cache.

All run in turn, so that a machine that slows down slows all; medians are compared. The products of two large matrices,
measured in the same rounds, are the machine's best rate.

Memory is the highest sum of all tensors alive at (b), weights, gradients and moments included, over building an eager model
and two training steps, from each allocation and release that torch.profiler saw: exact, and the same in each run. What the
matrix library keeps for itself isn't seen.
"""

import itertools
import statistics
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
import transformers
import x_transformers
from benchmarks.timing import goal, peak, spread
from benchmarks.timing import training as steps_of
from torch import Tensor, nn

from seqbook.data.loader import RandomWindows, Windows
from seqbook.data.tokenizer import Tokenizer
from seqbook.experiments.speed import in_turn
from seqbook.generation.decoding import complete
from seqbook.models.gpt import GPT, GPTConfig
from seqbook.objectives.batch import Batch
from seqbook.objectives.causal import Causal
from seqbook.training import TrainingConfig

VOCAB_SIZE, TEXT_LEN = 65, 1_000_000
SIZES = {  # of the models, the batch, and how many steps are timed at once
    "a": ({"d_model": 128, "n_heads": 4, "n_layers": 4, "max_len": 64}, 12, 8),
    "b": ({"d_model": 256, "n_heads": 8, "n_layers": 4, "max_len": 128}, 32, 1),
}
ROUNDS, EAGER_GOALS, COMPILED_GOAL = 15, {"a": 1.25, "b": 1.05}, 1.0
NEW_TOKENS, PROMPT_LEN, TEXTS, GENERATION_ROUNDS, GENERATION_GOAL = 256, 16, (1, 16), 7, 2.5


def measure() -> list[dict]:
    check_compiler()
    torch.manual_seed(0)
    ids = torch.randint(VOCAB_SIZE, (TEXT_LEN,))
    training_rows = [row for name in SIZES for row in training(name, ids)]
    return [*training_rows, *memory(ids), *generation(ids)]


def check_compiler() -> None:
    """Raises RuntimeError: torch.compile can't build a function of one line here."""
    try:
        torch.compile(lambda x: x + 1)(torch.zeros(8))
    except RuntimeError as error:
        raise RuntimeError(
            "torch.compile fails here: it needs a C++ compiler, g++ or the one that CXX names"
        ) from error


def training(size: str, ids: Tensor) -> list[dict]:
    """Tokens a second of each system, eager and compiled, the share of the best rate, the goals."""
    sizes, batch_size, n_steps = SIZES[size]
    eager = {name: build(**sizes) for name, build in SYSTEMS.items()}
    compiled = {f"{name}, compiled": torch.compile(build(**sizes), dynamic=False) for name, build in SYSTEMS.items()}
    steps = {name: training_steps(name, model, size, ids) for name, model in (eager | compiled).items()}
    left, right = torch.randn(2, 2048, 2048)
    steps["product"] = lambda: left @ right
    seconds = in_turn(steps, ROUNDS)

    medians = {name: statistics.median(times) for name, times in seconds.items()}
    best = 2 * 2048**3 / min(seconds.pop("product")) / 1e9
    work = n_steps * matrix_work(batch_size, **sizes) / 1e9
    rows = []
    for name, times in seconds.items():
        rate = n_steps * batch_size * sizes["max_len"] / medians[name]
        row = {"model": f"{name} ({size})", "tokens_per_second": rate, "ours_eager": medians[name] / medians["ours"]}
        row |= {"milliseconds": 1e3 * medians[name] / n_steps, "gflop_per_second": work / medians[name]}
        rows.append(row | {"of_best_rate": work / medians[name] / best, "spread": spread(times)})
    for kind, names, least in (("eager", eager, EAGER_GOALS[size]), ("compiled", compiled, COMPILED_GOAL)):
        peer = min((name for name in names if not name.startswith("ours")), key=medians.__getitem__)
        rows.append(goal(f"training ({size}), fastest {kind} peer: {peer}", medians[peer] / medians["ours"], least))
    return [*rows, {"model": f"product of two 2048 × 2048 matrices ({size})", "gflop_per_second": best}]


def memory(ids: Tensor) -> list[dict]:
    """Megabytes at the peak of each eager system at (b)."""
    peaks = {
        name: peak(lambda name=name: training_steps(name, SYSTEMS[name](**SIZES["b"][0]), "b", ids)) for name in SYSTEMS
    }
    rows = [{"model": f"{name}, memory (b)", "megabytes": bytes_ / 1e6} for name, bytes_ in peaks.items()]
    ours = peaks.pop("ours")
    leanest = min(peaks, key=peaks.__getitem__)
    return [*rows, goal(f"memory (b), leanest peer: {leanest}", peaks[leanest] / ours, 1.0)]


def generation(ids: Tensor) -> list[dict]:
    """Tokens a second, both told to write NEW_TOKENS tokens whatever they are."""
    sizes = SIZES["b"][0] | {"max_len": PROMPT_LEN + NEW_TOKENS}
    gpt, gpt2 = ours(**sizes).eval(), GPT2(**sizes).eval()
    rows = []
    for n in TEXTS:
        prompts = ids[: n * PROMPT_LEN].view(n, PROMPT_LEN)
        calls = {
            "ours": partial(complete, gpt, prompts.tolist(), NEW_TOKENS, top_k=1, stop=()),
            "transformers": partial(gpt2.greedy, prompts, NEW_TOKENS),
        }
        for name, call in calls.items():
            written = [len(row) for row in call()]
            if written != [NEW_TOKENS] * n:
                raise RuntimeError(f"{name} wrote {written} tokens instead of {NEW_TOKENS} for each of {n} prompts")
        seconds = in_turn(calls, GENERATION_ROUNDS)
        rate = {name: n * NEW_TOKENS / statistics.median(times) for name, times in seconds.items()}
        for name, times in seconds.items():
            row = {"model": f"{name}, generation, batch {n}", "tokens_per_second": rate[name]}
            rows.append(row | {"spread": spread(times)})
        rows.append(goal(f"generation, transformers, batch {n}", rate["ours"] / rate["transformers"], GENERATION_GOAL))
    return rows


class TorchEncoder(nn.Module):
    """torch's stack between our kind of embedding, positions and head."""

    def __init__(self, d_model: int, n_heads: int, n_layers: int, max_len: int):
        super().__init__()
        gelu = partial(F.gelu, approximate="tanh")
        how = {"dropout": 0.0, "activation": gelu, "batch_first": True, "norm_first": True}
        layer = nn.TransformerEncoderLayer(d_model, n_heads, 4 * d_model, **how)
        self.stack = nn.TransformerEncoder(layer, n_layers, nn.LayerNorm(d_model), enable_nested_tensor=False)
        self.embedding = nn.Embedding(VOCAB_SIZE, d_model)
        self.positions = nn.Parameter(0.02 * torch.randn(max_len, d_model))
        self.register_buffer("later", nn.Transformer.generate_square_subsequent_mask(max_len))

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embedding(ids) + self.positions
        return F.linear(self.stack(x, mask=self.later, is_causal=True), self.embedding.weight)


class GPT2(nn.Module):
    """transformers' GPT-2; "gelu_pytorch_tanh" is one kernel, its usual "gelu_new" the same curve in seven."""

    def __init__(
        self,
        d_model: int,
        n_heads: int,
        n_layers: int,
        max_len: int,
        vocab_size: int = VOCAB_SIZE,
        activation: str = "gelu_pytorch_tanh",
    ):
        super().__init__()
        config = transformers.GPT2Config(
            vocab_size=vocab_size,
            n_positions=max_len,
            n_embd=d_model,
            n_layer=n_layers,
            n_head=n_heads,
            activation_function=activation,
            attn_implementation="sdpa",
            **dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0),
            **dict.fromkeys(("bos_token_id", "eos_token_id"), None),
        )
        self.network = transformers.GPT2LMHeadModel(config)

    def forward(self, ids: Tensor) -> Tensor:
        return self.network(ids, use_cache=False).logits

    def greedy(self, ids: Tensor, max_new: int) -> list[list[int]]:
        how = {"do_sample": False, "use_cache": True, "max_new_tokens": max_new, "pad_token_id": 0}
        return self.network.generate(ids, attention_mask=torch.ones_like(ids), **how)[:, ids.shape[1] :].tolist()


def ours(**sizes) -> GPT:
    return GPT(GPTConfig(vocab_size=VOCAB_SIZE, **sizes))


def x_transformer(d_model: int, n_heads: int, n_layers: int, max_len: int) -> nn.Module:
    heads = {"heads": n_heads, "attn_dim_head": d_model // n_heads, "attn_flash": True}
    stack = x_transformers.Decoder(dim=d_model, depth=n_layers, ff_custom_activation=nn.GELU("tanh"), **heads)
    sizes = {"num_tokens": VOCAB_SIZE, "max_seq_len": max_len, "tie_embedding": True}
    return x_transformers.TransformerWrapper(attn_layers=stack, **sizes)


SYSTEMS = {
    "ours": ours,
    "transformers": GPT2,
    "x-transformers": x_transformer,
    "torch.nn.TransformerEncoder": TorchEncoder,
}


def training_steps(name: str, model: nn.Module, size: str, ids: Tensor) -> Callable:
    """Some training steps of one system, each on new windows."""
    sizes, batch_size, n_steps = SIZES[size]
    length = sizes["max_len"]
    objective = Causal(Tokenizer.train(["its collate and loss need none"], "character"), max_len=length)
    windows = Windows(ids.tolist(), length)
    plan, step = RandomWindows(len(windows), batch_size), itertools.count()
    offsets = torch.arange(length + 1)

    def fetch_ours() -> Batch:
        return objective.collate([windows[i] for i in plan.batch(next(step))])

    def fetch_tensor() -> Batch:
        rows = ids[torch.randint(len(windows), (batch_size, 1)) + offsets]
        return Batch((rows[:, :-1],), rows[:, 1:])

    fetch = fetch_ours if name.startswith("ours") else fetch_tensor
    return steps_of(model, objective, [fetch] * n_steps, TrainingConfig(steps=1))


def matrix_work(batch_size: int, d_model: int, n_heads: int, n_layers: int, max_len: int) -> int:
    """Floating-point operations in the matrix products of a step: forward, and twice as much backward."""
    layer = 12 * d_model**2 + 2 * max_len * d_model
    return 3 * 2 * batch_size * max_len * (n_layers * layer + d_model * VOCAB_SIZE)
