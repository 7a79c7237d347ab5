"""The Transformer: an encoder and a decoder without recurrence {cite}`vaswani2017attention`. Built in chapter 2.2."""

from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seqbook.nn import masks, positions
from seqbook.nn.attention import Attention
from seqbook.nn.block import Block, Placement
from seqbook.nn.checks import check_ids, check_positive, check_room
from seqbook.nn.layers import Embedding, FeedForward
from seqbook.nn.positions import Positions
from seqbook.nn.stack import Stack, State


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """Sizes of a `Transformer`.

    The vocabulary sizes are 0 in a recipe, which takes them and pad_id from the tokenizers. n_layers: the number of
    blocks in the encoder, and also in the decoder; norm: "post" as in 2017, or "pre"; positions: sinusoidal as in 2017,
    learned, or rotary (2021).
    """

    source_vocab_size: int = 0
    target_vocab_size: int = 0
    pad_id: int = 0
    d_model: int = 256
    n_layers: int = 3
    n_heads: int = 8
    d_ff: int = 512
    norm: Placement = "pre"
    positions: Positions = "sinusoidal"
    dropout: float = 0.0
    max_len: int = 128

    def build(self) -> "Transformer":
        return Transformer(self)


class Transformer(nn.Module):
    """P(y | x) = Π_i P(y_i | y_<i, x): the encoder attends to all of x, the decoder to y_<i and to all of x.

    The output layer shares the weight of the target embedding {cite}`press2017using`.

    Raises:
        ValueError: sizes that do not fit; in forward, ids outside the vocabulary, empty or too long sequences.
    """

    def __init__(self, config: TransformerConfig):
        super().__init__()
        check_positive(d_model=config.d_model, n_layers=config.n_layers, n_heads=config.n_heads, max_len=config.max_len)
        check_positive(source_vocab_size=config.source_vocab_size, target_vocab_size=config.target_vocab_size)
        self.config = config
        d_model = config.d_model
        (source_table, rotary), (target_table, _) = (
            positions.build(config.positions, d_model, d_model // config.n_heads, config.max_len) for _ in range(2)
        )
        self.source_embedding = self._embedding(config.source_vocab_size, source_table)
        self.target_embedding = self._embedding(config.target_vocab_size, target_table)
        self.encoder = self._stack(rotary, cross=False)
        self.decoder = self._stack(rotary, cross=True)
        self.out_bias = nn.Parameter(torch.zeros(config.target_vocab_size))
        for name, parameter in self.named_parameters():
            if name.startswith(("encoder.", "decoder.")) and parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def _embedding(self, vocab_size: int, table: positions.Table | None) -> Embedding:
        # Scaled by √d_model, a token's features have standard deviation 1, similar to the sines that are added to them.
        d_model, config = self.config.d_model, self.config
        size = {"scale": d_model**0.5, "std": d_model**-0.5}
        return Embedding(vocab_size, d_model, positions=table, pad_id=config.pad_id, dropout=config.dropout, **size)

    def _stack(self, rotary: positions.Rotary | None, cross: bool) -> Stack:
        config, d_model, n_heads = self.config, self.config.d_model, self.config.n_heads
        norm = partial(nn.LayerNorm, d_model)
        blocks = (
            Block(
                Attention(d_model, n_heads, rotary=rotary),
                cross_attention=Attention(d_model, n_heads) if cross else None,
                feed_forward=FeedForward(d_model, config.d_ff),
                norm=norm,
                placement=config.norm,
                dropout=config.dropout,
            )
            for _ in range(config.n_layers)
        )
        return Stack(blocks, norm() if config.norm == "pre" else nn.Identity())

    def forward(
        self, source_ids: Int[Tensor, "batch source"], target_ids: Int[Tensor, "batch target"]
    ) -> Float[Tensor, "batch target vocab"]:
        """Logits of the token after each target token, given the whole source and the target up to there."""
        self._check_target(target_ids)
        memory, memory_mask = self.encode(source_ids)
        return self._logits(self.decoder(self.target_embedding(target_ids), "causal", memory, memory_mask))

    def encode(
        self, source_ids: Int[Tensor, "batch source"]
    ) -> tuple[Float[Tensor, "batch source d_model"], Bool[Tensor, "batch 1 1 source"]]:
        """The encoder's hidden states, and the mask that hides padding from every query."""
        config = self.config
        check_ids(source_ids, config.source_vocab_size, config.max_len, "source_ids", config.pad_id)
        mask = masks.padding(source_ids, config.pad_id)
        return self.encoder(self.source_embedding(source_ids), mask), mask

    def prefill(
        self, source_ids: Int[Tensor, "batch source"], target_ids: Int[Tensor, "batch target"]
    ) -> tuple[Float[Tensor, "batch vocab"], State]:
        """Read the source and the beginning of the target, such as `<bos>`: logits of the next target token, and the
        state that `decode` continues from."""
        self._check_target(target_ids)
        memory, mask = self.encode(source_ids)
        state = self.decoder.new_state(memory=memory, memory_mask=None if mask.all() else mask)
        h = self.decoder(self.target_embedding(target_ids), "causal", state=state)
        return self._logits(h[:, -1]), state

    def decode(self, token_ids: Int[Tensor, " batch"], state: State) -> tuple[Float[Tensor, "batch vocab"], State]:
        """Read one more target token per row: logits of the next one, and the state, which is updated in place."""
        check_room(state.length, self.config.max_len)
        x = self.target_embedding(token_ids[:, None], state.length)
        return self._logits(self.decoder(x, None, state=state)[:, -1]), state  # the newest position attends to all

    def _check_target(self, target_ids: Tensor) -> None:
        config = self.config
        check_ids(target_ids, config.target_vocab_size, config.max_len, "target_ids", config.pad_id)

    def _logits(self, h: Tensor) -> Tensor:
        return self.target_embedding.logits(h, self.out_bias)  # (B, T, V), or (B, V) for one position
