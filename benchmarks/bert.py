"""The BERT of part 4 against transformers' BertForMaskedLM and torch.nn.TransformerEncoder of the same sizes.

Steps of masked-language modelling, in tokens read a second: forward, loss, backward, clipping, fused AdamW. All read the
same batches, made before, in which 15 % of the positions are chosen; all have a tied head with the paper's dense layer,
norms after each part, the exact GELU, torch's fused attention, no dropout, and are told which positions hold padding (none
does). Ours scores the chosen positions alone; the peers score all positions, and labels of -100 leave the others out of
the loss. Three vocabularies: 65 characters, the words of the micro-world, and 8,000.

All run in turn, so that a machine that slows down slows all; medians are compared. Memory as in benchmarks/gpt.py, at each
vocabulary.
"""

import statistics
from collections.abc import Callable, Iterator
from functools import partial

import torch
import torch.nn.functional as F
import transformers
from benchmarks.timing import at_hand, goal, peak, spread, training
from torch import Tensor, nn

import microworld
from seqbook.experiments.speed import in_turn
from seqbook.models.bert import BERT, BERTConfig
from seqbook.objectives.batch import IGNORED, Batch, summed_nll
from seqbook.objectives.masked import MaskedBatch, MaskedConfig
from seqbook.training import TrainingConfig

SIZES = {"d_model": 256, "n_heads": 8, "n_layers": 4, "max_len": 128}
BATCH_SIZE, RATE, ROUNDS = 32, 0.15, 15
GOALS = {"characters": 1.1, "world": 1.2, "subwords": 1.5}  # ours is to be so much faster than the faster peer
N_SPECIAL = 4  # the ids before the first ordinary token; the last id is the mask's


def measure() -> list[dict]:
    torch.manual_seed(0)
    words = MaskedConfig().tokenizers({"text": microworld.load("texts")["train"]["text"]}, {})["tokenizer"]
    vocabularies = {"characters": 65, "world": len(words), "subwords": 8_000}
    # Its loss needs no vocabulary.
    objective = MaskedConfig().build({"tokenizer": words}, SIZES["max_len"])
    return [row for name, size in vocabularies.items() for row in at(name, size, objective.loss)]


def at(name: str, vocab_size: int, loss: Callable) -> list[dict]:
    """Tokens a second and megabytes of each system at one vocabulary, and the goals."""
    ours_batch, peers_batch = batches(vocab_size)

    def begin(system: str) -> Callable:
        batch, of = (ours_batch, loss) if system == "ours" else (peers_batch, summed_nll)
        model = SYSTEMS[system](vocab_size=vocab_size, **SIZES)
        return training(model, Loss(of), at_hand([batch]), TrainingConfig(steps=1))

    seconds = in_turn({system: begin(system) for system in SYSTEMS}, ROUNDS)
    medians = {system: statistics.median(times) for system, times in seconds.items()}
    rows = []
    for system, times in seconds.items():
        row = {"model": f"{system} ({name}, {vocab_size})"}
        row |= {"tokens_per_second": BATCH_SIZE * SIZES["max_len"] / medians[system]}
        row |= {"milliseconds": 1e3 * medians[system], "ours": medians[system] / medians["ours"]}
        rows.append(row | {"megabytes": peak(partial(begin, system)) / 1e6, "spread": spread(times)})
    megabytes = {system: row["megabytes"] for system, row in zip(SYSTEMS, rows, strict=True)}
    fastest, leanest = (min(list(SYSTEMS)[1:], key=of.__getitem__) for of in (medians, megabytes))
    ratio = medians[fastest] / medians["ours"]
    rows.append(goal(f"masked-LM step ({name}), fastest peer: {fastest}", ratio, GOALS[name]))
    ratio = megabytes[leanest] / megabytes["ours"]
    return [*rows, goal(f"memory ({name}), leanest peer: {leanest}", ratio, 1.0)]


def batches(vocab_size: int) -> Iterator[Batch]:
    """The same batch twice: with the chosen positions, as ours reads it, and with labels for all, as the peers do."""
    shape = BATCH_SIZE, SIZES["max_len"]
    labels = torch.randint(N_SPECIAL, vocab_size - 1, shape)
    n_chosen = round(RATE * shape[1])
    chosen = torch.zeros(shape, dtype=torch.bool).scatter_(1, torch.rand(shape).topk(n_chosen).indices, True)
    ids = labels.masked_fill(chosen, vocab_size - 1)
    yield MaskedBatch((ids, chosen, torch.zeros_like(ids)), labels[chosen])
    yield Batch((ids, ids != 0), labels.masked_fill(~chosen, IGNORED))


class Loss:
    """What `training_step` needs of an objective."""

    def __init__(self, loss: Callable):
        self.loss = loss


def ours(**sizes) -> BERT:
    return BERT(BERTConfig(**sizes))


class HuggingFace(nn.Module):
    """transformers' BertForMaskedLM."""

    def __init__(self, vocab_size: int, d_model: int, n_heads: int, n_layers: int, max_len: int):
        super().__init__()
        config = transformers.BertConfig(
            vocab_size=vocab_size,
            hidden_size=d_model,
            num_attention_heads=n_heads,
            num_hidden_layers=n_layers,
            intermediate_size=4 * d_model,
            max_position_embeddings=max_len,
            attn_implementation="sdpa",
            **dict.fromkeys(("hidden_dropout_prob", "attention_probs_dropout_prob"), 0.0),
        )
        self.network = transformers.BertForMaskedLM(config)

    def forward(self, ids: Tensor, real: Tensor) -> Tensor:
        return self.network(ids, attention_mask=real.long()).logits


class TorchEncoder(nn.Module):
    """torch's stack between our kind of embedding, positions, segments and head."""

    def __init__(self, vocab_size: int, d_model: int, n_heads: int, n_layers: int, max_len: int):
        super().__init__()
        how = {"dropout": 0.0, "activation": "gelu", "batch_first": True, "layer_norm_eps": 1e-12}
        layer = nn.TransformerEncoderLayer(d_model, n_heads, 4 * d_model, **how)
        self.stack = nn.TransformerEncoder(layer, n_layers, enable_nested_tensor=False)
        self.embedding, self.segments = nn.Embedding(vocab_size, d_model), nn.Embedding(2, d_model)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.positions = nn.Parameter(0.02 * torch.randn(max_len, d_model))
        self.embedding_norm, self.head_norm = (nn.LayerNorm(d_model, eps=1e-12) for _ in range(2))
        self.dense, self.bias = nn.Linear(d_model, d_model), nn.Parameter(torch.zeros(vocab_size))

    def forward(self, ids: Tensor, real: Tensor) -> Tensor:
        x = self.embedding(ids) + self.positions + self.segments(torch.zeros_like(ids))
        h = self.stack(self.embedding_norm(x), src_key_padding_mask=~real)
        return F.linear(self.head_norm(F.gelu(self.dense(h))), self.embedding.weight, self.bias)


SYSTEMS = {"ours": ours, "transformers": HuggingFace, "torch.nn.TransformerEncoder": TorchEncoder}
