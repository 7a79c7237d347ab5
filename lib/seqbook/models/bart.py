"""BART: the Transformer of 2017 with learned positions, which rebuilds corrupted texts {cite}`lewis2020bart`. Chapter 5.1."""

from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqbook.models.encoder_decoder import EncoderDecoder
from seqbook.nn.attention import Attention
from seqbook.nn.block import Block
from seqbook.nn.checks import check_positive
from seqbook.nn.layers import Activation, Embedding, FeedForward
from seqbook.nn.positions import Learned
from seqbook.nn.stack import Stack

FIRST_POSITION = 2  # the row of a position table for the first token, in every BART; the rows before it are never read


@dataclass(frozen=True, kw_only=True)
class BARTConfig:
    """Sizes of a `BART`; its vocab_size is 0 in a recipe, which takes it and pad_id from the tokenizer.

    n_layers: the number of blocks in the encoder; n_decoder_layers: in the decoder (None: the same); d_ff: width of the
    feed-forward networks (None: 4·d_model); max_len: the largest number of positions (tokens).
    """

    vocab_size: int = 0
    pad_id: int = 0
    d_model: int = 128
    n_layers: int = 2
    n_decoder_layers: int | None = None
    n_heads: int = 4
    d_ff: int | None = None
    activation: Activation = "gelu"
    dropout: float = 0.0
    max_len: int = 128

    def build(self) -> "BART":
        return BART(self)


class BART(EncoderDecoder):
    """Post-norm blocks. Each stack begins with norm(token + position), and has no norm at its end.

    Encoder, decoder and output layer share the embedding weight.

    Raises:
        ValueError: sizes that do not fit; in forward, ids outside the vocabulary, empty or too long sequences.
    """

    def __init__(self, config: BARTConfig):
        super().__init__()
        check_positive(vocab_size=config.vocab_size, d_model=config.d_model, n_heads=config.n_heads)
        check_positive(n_layers=config.n_layers, max_len=config.max_len)
        if config.n_decoder_layers is not None:
            check_positive(n_decoder_layers=config.n_decoder_layers)
        if not 0 <= config.pad_id < config.vocab_size:
            raise ValueError(f"pad_id={config.pad_id} is outside the vocabulary of {config.vocab_size}")
        self.config = config
        d_model, n_layers = config.d_model, config.n_layers
        self.embedding = Embedding(config.vocab_size, d_model, pad_id=config.pad_id)
        self.source_positions, self.target_positions = (
            Learned(d_model, config.max_len + FIRST_POSITION) for _ in range(2)
        )
        self.source_norm, self.target_norm = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(config.dropout)
        self.encoder = self._stack(n_layers, cross=False)
        self.decoder = self._stack(n_layers if config.n_decoder_layers is None else config.n_decoder_layers, cross=True)
        self.register_buffer("out_bias", torch.zeros(config.vocab_size))  # not trained

        # In BART this standard deviation is 0.02, at d_model 768.
        for name, parameter in self.named_parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.554 * d_model**-0.5)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)
        with torch.no_grad():
            self.embedding.tokens.weight[config.pad_id] = 0

    def _stack(self, n_layers: int, cross: bool) -> Stack:
        config, d_model = self.config, self.config.d_model
        blocks = (
            Block(
                Attention(d_model, config.n_heads),
                FeedForward(d_model, 4 * d_model if config.d_ff is None else config.d_ff, config.activation),
                partial(nn.LayerNorm, d_model),
                placement="post",
                cross_attention=Attention(d_model, config.n_heads) if cross else None,
                dropout=config.dropout,
            )
            for _ in range(n_layers)
        )
        return Stack(blocks, nn.Identity())

    def embed_source(self, ids: Int[Tensor, "batch source"]) -> Float[Tensor, "batch source d_model"]:
        x = self.embedding(ids) + self.source_positions(ids.shape[1], FIRST_POSITION)
        return self.dropout(self.source_norm(x))

    def embed_target(self, ids: Int[Tensor, "batch target"], offset: int = 0) -> Float[Tensor, "batch target d_model"]:
        x = self.embedding(ids) + self.target_positions(ids.shape[1], offset + FIRST_POSITION)
        return self.dropout(self.target_norm(x))

    def logits(self, hidden: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch vocab"]:
        return self.embedding.logits(hidden, self.out_bias)
