"""The Transformer of part 2 against torch.nn.Transformer and transformers' MarianMT of the same sizes.

Training steps (forward, smoothed loss, backward, clipping, AdamW) on Multi30k, 128 pairs a batch, in real tokens of source
and target a second: padding is not counted. "buckets" are our batches of pairs of nearly one length, "random" ones mix all
lengths. torch's stack stands between our embeddings, positions and output; like ours it has dropout after each part, and on
the attention weights too, so it is measured without any dropout as well. Then greedy generation, each with its own cache.

All run in turn, so that a machine that slows down slows all; medians are compared. The products of two large matrices,
measured in the same rounds, are the machine's best rate.
"""

import random
import statistics
import warnings

import torch
import transformers
from benchmarks.corpora import corpus
from benchmarks.timing import at_hand, padding, spread
from benchmarks.timing import training as steps_of
from datasets import load_from_disk
from torch import Tensor, nn

from seqbook.data.loader import LengthBuckets
from seqbook.data.tokenizer import Tokenizer, load_tokenizers
from seqbook.experiments.speed import in_turn
from seqbook.generation.decoding import greedy
from seqbook.models.transformer import Transformer, TransformerConfig
from seqbook.nn import masks
from seqbook.objectives.batch import IGNORED, Batch
from seqbook.objectives.seq2seq import Seq2Seq
from seqbook.recipes import configure
from seqbook.runs.prepare import prepare
from seqbook.training import TrainingConfig

BATCH_SIZE, BATCHES, ROUNDS = 128, 12, 5
NEW_TOKENS, SOURCES, GENERATION_ROUNDS = 48, (1, 16), 15
GOALS = {"torch.nn.Transformer, buckets": 1.15, "MarianMT, random": 2.4}  # ours in buckets is to be so much faster
GENERATION_GOAL = 2.5
warnings.filterwarnings("ignore", "enable_nested_tensor")  # torch's encoder, that it can't leave out padding this way


def measure() -> list[dict]:
    recipe = configure("attention-multi30k")  # for its corpus, vocabularies and smoothing
    prepared = prepare(recipe, corpus("multi30k"))
    objective = recipe.objective.build(load_tokenizers(prepared), recipe.model.max_len)
    examples = objective.examples(load_from_disk(str(prepared))["train"])
    config = TransformerConfig(
        **objective.sizes(),
        dropout=0.1,
    )
    return [*training(config, objective, examples), *generation(config, objective, examples)]


def training(config: TransformerConfig, objective: Seq2Seq, examples: list) -> list[dict]:
    """Real tokens a second of each system, the goals, the share of the best rate, the share of padding."""
    lengths = [objective.lengths(example) for example in examples]
    epochs = {"buckets": bucketed(lengths), "random": at_random(lengths)}
    middles = [len(epochs["buckets"]) * (2 * i + 1) // (2 * BATCHES) for i in range(BATCHES)]  # from short to long
    chosen = {name: [epoch[middle] for middle in middles] for name, epoch in epochs.items()}
    buckets, shuffled = (
        [objective.collate([examples[i] for i in batch]) for batch in part] for part in chosen.values()
    )
    without = TransformerConfig(**vars(config) | {"dropout": 0.0})
    systems = {
        "ours, buckets": (Transformer(config), buckets),
        "torch.nn.Transformer, buckets": (TorchTransformer(config), buckets),
        "ours, buckets, no dropout": (Transformer(without), buckets),
        "torch.nn.Transformer, buckets, no dropout": (TorchTransformer(without), buckets),
        "ours, random": (Transformer(config), shuffled),
        "torch.nn.Transformer, random": (TorchTransformer(config), shuffled),
        "MarianMT, random": (Marian(config, objective.target_tokenizer), shuffled),
    }
    how = TrainingConfig(steps=1, learning_rate=1e-4)
    steps = {name: steps_of(model, objective, at_hand(batches), how) for name, (model, batches) in systems.items()}
    left, right = torch.randn(2, 2048, 2048)
    steps["product"] = lambda: [left @ right for _ in range(5)]
    seconds = in_turn(steps, ROUNDS)

    rate = {
        name: sum(real_tokens(batch, config.pad_id) for batch in batches) / statistics.median(seconds[name])
        for name, (_, batches) in systems.items()
    }
    best = 5 * 2 * 2048**3 / min(seconds["product"]) / 1e9
    rows = []
    for name, (_, batches) in systems.items():
        ratio = rate["ours, buckets, no dropout" if "no dropout" in name else "ours, buckets"] / rate[name]
        work = sum(matrix_work(config, batch) for batch in batches) / statistics.median(seconds[name]) / 1e9
        row = {"model": name, "tokens_per_second": rate[name], "ours_in_buckets": ratio, "gflop_per_second": work}
        rows.append(row | {"of_best_rate": work / best, "spread": spread(seconds[name])})
    for name, goal in GOALS.items():
        ratio = rate["ours, buckets"] / rate[name]
        rows.append({"model": f"goal: training, {name}", "ours": ratio, "goal": goal, "reached": ratio >= goal})
    rows.append({"model": "product of two 2048 × 2048 matrices", "gflop_per_second": best})
    shares = {name: padding(lengths, batches) for name, batches in chosen.items()}
    whole = {f"{name}, whole epoch": padding(lengths, epoch) for name, epoch in epochs.items()}
    return [*rows, {"model": "padding"} | shares | whole]


def generation(config: TransformerConfig, objective: Seq2Seq, examples: list) -> list[dict]:
    """Tokens a second, both told to write NEW_TOKENS tokens whatever they are."""
    ours, marian = Transformer(config).eval(), Marian(config, objective.target_tokenizer).eval()
    eos = objective.target_tokenizer.eos_id
    with torch.no_grad():
        ours.out_bias[eos] = marian.network.final_logits_bias[:, eos] = -1e9
    rows = []
    for n in SOURCES:
        given = objective.prompt([source for source, _ in random.Random(0).sample(examples, n)])
        calls = {
            "ours": lambda given=given: greedy(ours, given, max_new=NEW_TOKENS, stop=[eos]),
            "MarianMT": lambda ids=given[0]: marian.greedy(ids, NEW_TOKENS),
        }
        for name, call in calls.items():
            written = {len(row) for row in call()}
            if written != {NEW_TOKENS}:
                raise RuntimeError(f"{name} wrote {written} tokens instead of {NEW_TOKENS}")
        seconds = in_turn(calls, GENERATION_ROUNDS)
        rate = {name: n * NEW_TOKENS / statistics.median(times) for name, times in seconds.items()}
        for name in calls:
            label = f"{name}, generation, batch {n}"
            rows.append({"model": label, "tokens_per_second": rate[name], "spread": spread(seconds[name])})
        ratio = rate["ours"] / rate["MarianMT"]
        label = f"goal: generation, MarianMT, batch {n}"
        rows.append({"model": label, "ours": ratio, "goal": GENERATION_GOAL, "reached": ratio >= GENERATION_GOAL})
    return rows


class TorchTransformer(Transformer):
    """torch's stack between our embeddings and our output; as it is fastest: told that the target's mask is causal."""

    def __init__(self, config: TransformerConfig):
        super().__init__(config)
        del self.encoder, self.decoder
        sizes = (config.d_model, config.n_heads, config.n_layers, config.n_layers, config.d_ff, config.dropout)
        self.stack = nn.Transformer(*sizes, batch_first=True, norm_first=config.norm == "pre")

    def forward(self, source_ids: Tensor, target_ids: Tensor) -> Tensor:
        source, target = self.source_embedding(source_ids), self.target_embedding(target_ids)
        padding, later = source_ids == self.config.pad_id, ~masks.causal(target_ids.shape[1])[0, 0]
        hidden = {"src_key_padding_mask": padding, "memory_key_padding_mask": padding, "tgt_mask": later}
        return self._logits(self.stack(source, target, **hidden, tgt_is_causal=True))


class Marian(nn.Module):
    """MarianMT of our sizes: sines, ReLU, tied output, its own attention kernel; norms after each part, as it has them."""

    def __init__(self, config: TransformerConfig, tokenizer: Tokenizer):
        super().__init__()
        self.pad_id = config.pad_id
        sides = {}
        for side in ("encoder", "decoder"):
            sides |= {f"{side}_layers": config.n_layers, f"{side}_attention_heads": config.n_heads}
            sides |= {f"{side}_ffn_dim": config.d_ff}
        self.network = transformers.MarianMTModel(
            transformers.MarianConfig(
                **sides,
                d_model=config.d_model,
                dropout=config.dropout,
                vocab_size=config.source_vocab_size,
                decoder_vocab_size=config.target_vocab_size,
                share_encoder_decoder_embeddings=False,
                max_position_embeddings=config.max_len,
                activation_function="relu",
                scale_embedding=True,
                pad_token_id=config.pad_id,
                eos_token_id=tokenizer.eos_id,
                decoder_start_token_id=tokenizer.bos_id,
                forced_eos_token_id=None,
            )
        )

    def forward(self, source_ids: Tensor, target_ids: Tensor) -> Tensor:
        inputs = {"input_ids": source_ids, "attention_mask": source_ids != self.pad_id, "decoder_input_ids": target_ids}
        return self.network(**inputs, use_cache=False).logits

    def greedy(self, source_ids: Tensor, max_len: int) -> list[list[int]]:
        how = {"num_beams": 1, "do_sample": False, "use_cache": True, "max_new_tokens": max_len}
        return self.network.generate(source_ids, attention_mask=source_ids != self.pad_id, **how)[:, 1:].tolist()


def bucketed(lengths: list[tuple[int, int]]) -> list[list[int]]:
    """Our batches of an epoch, from short to long."""
    plan = LengthBuckets(lengths, BATCH_SIZE)
    return sorted((plan.batch(step) for step in range(plan.steps_per_epoch)), key=lambda batch: lengths[batch[0]])


def at_random(lengths: list[tuple[int, int]]) -> list[list[int]]:
    shuffled = random.Random(0).sample(range(len(lengths)), len(lengths))
    return [shuffled[i : i + BATCH_SIZE] for i in range(0, len(lengths), BATCH_SIZE)]


def real_tokens(batch: Batch, pad_id: int) -> int:
    """Of source and target, padding left out."""
    return int((batch.inputs[0] != pad_id).sum() + (batch.labels != IGNORED).sum())


def matrix_work(config: TransformerConfig, batch: Batch) -> int:
    """Floating-point operations in the matrix products of a step, padding included: forward, and twice as much backward."""
    d, d_ff = config.d_model, config.d_ff
    (n, source), (_, target) = (ids.shape for ids in batch.inputs)
    encoder = source * (4 * d * d + 2 * d * d_ff) + 2 * source * source * d
    cross = target * 2 * d * d + source * 2 * d * d + 2 * target * source * d
    decoder = target * (4 * d * d + 2 * d * d_ff) + 2 * target * target * d + cross
    return 3 * 2 * n * (config.n_layers * (encoder + decoder) + target * d * config.target_vocab_size)
