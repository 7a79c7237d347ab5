"""The Transformer: an encoder and a decoder made of attention alone {cite}`vaswani2017attention`. Built in chapter 2.2."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seqbook.nn import masks
from seqbook.nn.block import Block, Placement
from seqbook.nn.cache import Cache
from seqbook.nn.checks import check_ids, check_positive
from seqbook.nn.layers import embedding
from seqbook.nn.positions import Learned, Rotary, Sinusoidal


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """Sizes of a `Transformer`.

    n_layers: blocks of the encoder, and as many of the decoder; norm: before each part of a block, or after it as in
    2017; positions: sines and cosines as in 2017, a learned vector each, or rotations of queries and keys (2021).
    """

    source_vocab_size: int
    target_vocab_size: int
    d_model: int = 256
    n_layers: int = 3
    n_heads: int = 8
    d_ff: int = 512
    norm: Placement = "before"
    positions: Literal["sinusoidal", "learned", "rotary"] = "sinusoidal"
    dropout: float = 0.0
    max_len: int = 128


class State(NamedTuple):
    """What generation carries from step to step: what the source said, and a pair of caches for each decoder block."""

    memory: Float[Tensor, "batch source d_model"]
    memory_mask: Bool[Tensor, "batch 1 1 source"] | None  # None: no padding to hide
    caches: list[tuple[Cache, Cache]]  # written in place: to go on in two ways, reorder first

    def reorder(self, rows: Int[Tensor, " rows"]) -> "State":
        """The state of these rows of the batch, each as often as it is named."""
        caches = [(own.reorder(rows), other.reorder(rows)) for own, other in self.caches]
        mask = None if self.memory_mask is None else self.memory_mask.index_select(0, rows)
        return State(self.memory.index_select(0, rows), mask, caches)


class Transformer(nn.Module):
    """P(y | x) = Π_i P(y_i | y_<i, x): the encoder sees all of x, the decoder y up to i − 1 and all of x.

    The vectors of target tokens serve twice, to read a token and to score the next one {cite}`press2017using`.

    Raises:
        ValueError: a size that doesn't fit; in forward, ids outside the vocabulary, empty or too long sequences.
    """

    def __init__(self, config: TransformerConfig):
        super().__init__()
        check_positive(d_model=config.d_model, n_layers=config.n_layers, max_len=config.max_len)
        check_positive(source_vocab_size=config.source_vocab_size, target_vocab_size=config.target_vocab_size)
        self.config = config
        d_model = config.d_model
        self.source_embedding = embedding(config.source_vocab_size, d_model, std=d_model**-0.5)
        self.target_embedding = embedding(config.target_vocab_size, d_model, std=d_model**-0.5)
        added = {"sinusoidal": Sinusoidal, "learned": Learned}.get(config.positions)
        if added is None and config.positions != "rotary":
            raise ValueError(f"positions={config.positions!r}: choose one of sinusoidal, learned, rotary")
        self.source_positions = added and added(d_model, config.max_len)
        self.target_positions = added and added(d_model, config.max_len)
        sizes = {"n_heads": config.n_heads, "d_ff": config.d_ff, "norm": config.norm, "dropout": config.dropout}
        if added is None:
            sizes["rotary"] = Rotary(d_model // config.n_heads, config.max_len)
        self.encoder = nn.ModuleList(Block(d_model, **sizes) for _ in range(config.n_layers))
        self.decoder = nn.ModuleList(Block(d_model, **sizes, cross=True) for _ in range(config.n_layers))
        # A stack of norms "before" ends in a sum that no norm has seen yet.
        self.encoder_norm, self.decoder_norm = (
            nn.LayerNorm(d_model) if config.norm == "before" else nn.Identity() for _ in range(2)
        )
        self.dropout = nn.Dropout(config.dropout)
        self.out_bias = nn.Parameter(torch.zeros(config.target_vocab_size))
        for name, parameter in self.named_parameters():
            if name.startswith(("encoder.", "decoder.")) and parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(
        self, source_ids: Int[Tensor, "batch source"], target_ids: Int[Tensor, "batch target"]
    ) -> Float[Tensor, "batch target vocab"]:
        """Logits of the token after each target token, given the whole source and the target up to there."""
        check_ids(target_ids, self.config.target_vocab_size, self.config.max_len, "target_ids")
        memory, memory_mask = self.encode(source_ids)
        x = self._embed(target_ids, self.target_embedding, self.target_positions)
        for block in self.decoder:
            x = block(x, "causal", memory, memory_mask)
        return self._logits(x)

    def encode(
        self, source_ids: Int[Tensor, "batch source"]
    ) -> tuple[Float[Tensor, "batch source d_model"], Bool[Tensor, "batch 1 1 source"]]:
        """A vector for each source token that knows all the others, and the mask that hides padding."""
        check_ids(source_ids, self.config.source_vocab_size, self.config.max_len, "source_ids")
        mask = masks.padding(source_ids)
        x = self._embed(source_ids, self.source_embedding, self.source_positions)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x), mask

    def start(self, source_ids: Int[Tensor, "batch source"]) -> State:
        """Read the source: the state from which `step` writes the first target token."""
        memory, mask = self.encode(source_ids)
        return State(memory, None if mask.all() else mask, [(Cache(), Cache()) for _ in self.decoder])

    def step(self, token_ids: Int[Tensor, " batch"], state: State) -> tuple[Float[Tensor, "batch vocab"], State]:
        """Logits of the next target token after one more, and the state after it."""
        length = state.caches[0][0].length
        if length >= self.config.max_len:
            raise ValueError(f"{length} tokens are written: the model takes at most max_len={self.config.max_len}")
        x = self._embed(token_ids[:, None], self.target_embedding, self.target_positions, offset=length)
        for block, caches in zip(self.decoder, state.caches, strict=True):
            x = block(x, None, state.memory, state.memory_mask, caches)  # the newest position sees all before it
        return self._logits(x)[:, 0], state

    def _embed(self, ids: Tensor, vectors: nn.Embedding, positions: nn.Module | None, offset: int = 0) -> Tensor:
        # Scaled by √d, words have deviation 1 and stand beside sines of about that size.
        x = vectors(ids) * self.config.d_model**0.5  # (B, T, D)
        return self.dropout(x if positions is None else x + positions(ids.shape[1], offset))

    def _logits(self, x: Tensor) -> Tensor:
        return F.linear(self.decoder_norm(x), self.target_embedding.weight, self.out_bias)  # (B, T, V)
