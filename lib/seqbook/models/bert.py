"""BERT: one stack in which every position attends to every other one {cite}`devlin2019bert`. Built in chapter 4.1."""

from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seqbook.nn import masks, positions
from seqbook.nn.attention import Attention
from seqbook.nn.block import Block, Placement
from seqbook.nn.checks import check_ids, check_positive
from seqbook.nn.layers import Activation, Embedding, FeedForward, activation_function
from seqbook.nn.positions import Positions
from seqbook.nn.stack import Stack

Outputs = Literal["pretraining", "masked", "pooled", "hidden"]


@dataclass(frozen=True, kw_only=True)
class BERTConfig:
    """Sizes and parts of a `BERT`; its vocab_size is 0 in a recipe, which takes it and pad_id from the tokenizer.

    d_ff: width of the feed-forward network (None: 4·d_model); norm: "post" as in 2018, or "pre"; eps: of the layer
    norms; positions: learned as in BERT, or rotary (2021); max_len: the largest number of positions (tokens);
    first_position: the row of the position table for the first token, 0 in BERT, and pad_id + 1 in RoBERTa
    {cite}`liu2019roberta`; n_segments: how many kinds of segments there are.

    outputs: what stands on the stack. "pretraining": the heads of masked-language modelling and of next-sentence
    prediction; "masked": only the first one; "pooled": only the pooler; "hidden": nothing.
    """

    vocab_size: int = 0
    pad_id: int = 0
    d_model: int = 128
    n_layers: int = 4
    n_heads: int = 4
    d_ff: int | None = None
    activation: Activation = "gelu"
    norm: Placement = "post"
    eps: float = 1e-12
    positions: Positions = "learned"
    first_position: int = 0
    n_segments: int = 2
    outputs: Outputs = "masked"
    dropout: float = 0.0
    max_len: int = 128

    def build(self) -> "BERT":
        return BERT(self)


class Predictions(NamedTuple):
    """Logits of the chosen tokens, and of the two answers to "does B follow A?": 0 is yes, 1 is no, as in BERT."""

    tokens: Float[Tensor, "chosen vocab"]
    next_sentence: Float[Tensor, "batch 2"]


class MaskedHead(nn.Module):
    """norm(gelu(h W + b)) W_eᵀ + b': the tokens' scores from hidden states. W_e is the embedding weight."""

    def __init__(self, d_model: int, vocab_size: int, activation: Activation, norm: nn.Module):
        super().__init__()
        self.dense, self.activation, self.norm = nn.Linear(d_model, d_model), activation_function(activation), norm
        self.bias = nn.Parameter(torch.zeros(vocab_size))

    def forward(self, h: Float[Tensor, "*batch d_model"], embedding: Embedding) -> Float[Tensor, "*batch vocab"]:
        return embedding.logits(self.norm(self.activation(self.dense(h))), self.bias)


class BERT(nn.Module):
    """P(u_i | the corrupted text), for each chosen position i: one stack without a causal mask.

    Raises:
        ValueError: sizes that do not fit; in forward, ids outside the vocabulary, empty or too long sequences, or a
            head that this model does not have.
    """

    HEADS = ("masked_head", "pooler", "next_sentence")  # what stands on the stack in pretraining

    def __init__(self, config: BERTConfig):
        super().__init__()
        check_positive(vocab_size=config.vocab_size, d_model=config.d_model, n_heads=config.n_heads)
        check_positive(n_layers=config.n_layers, max_len=config.max_len, n_segments=config.n_segments)
        if config.first_position < 0:
            raise ValueError(f"first_position={config.first_position} must be at least 0")
        if config.outputs not in get_args(Outputs):
            raise ValueError(f"outputs={config.outputs!r}: choose one of {', '.join(get_args(Outputs))}")
        if not 0 <= config.pad_id < config.vocab_size:
            raise ValueError(f"pad_id={config.pad_id} is outside the vocabulary of {config.vocab_size}")
        self.config = config
        d_model, d_head = config.d_model, config.d_model // config.n_heads
        norm = partial(nn.LayerNorm, d_model, config.eps)
        table, rotary = positions.build(config.positions, d_model, d_head, config.max_len + config.first_position)
        self.embedding = Embedding(config.vocab_size, d_model, positions=table, pad_id=config.pad_id)
        self.segments = nn.Embedding(config.n_segments, d_model)
        self.embedding_norm, self.dropout = norm(), nn.Dropout(config.dropout)
        blocks = (
            Block(
                Attention(d_model, config.n_heads, rotary=rotary),
                FeedForward(d_model, 4 * d_model if config.d_ff is None else config.d_ff, config.activation),
                norm,
                placement=config.norm,
                dropout=config.dropout,
            )
            for _ in range(config.n_layers)
        )
        self.stack = Stack(blocks, norm() if config.norm == "pre" else nn.Identity())
        if config.outputs in ("pretraining", "masked"):
            self.masked_head = MaskedHead(d_model, config.vocab_size, config.activation, norm())
        if config.outputs in ("pretraining", "pooled"):
            self.pooler = nn.Linear(d_model, d_model)
        if config.outputs == "pretraining":
            self.next_sentence = nn.Linear(d_model, 2)

        # In BERT this standard deviation is 0.02, at d_model 768.
        for name, parameter in self.named_parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.554 * d_model**-0.5)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)
        with torch.no_grad():
            self.embedding.tokens.weight[config.pad_id] = 0

    def forward(
        self,
        ids: Int[Tensor, "batch time"],
        chosen: Bool[Tensor, "batch time"],
        segments: Int[Tensor, "batch time"] | None = None,
    ) -> Float[Tensor, "chosen vocab"] | Predictions:
        """Logits of the tokens at the chosen positions, in reading order; with both heads, `Predictions`.

        The head reads only these positions: with a large vocabulary it would cost more than the stack.
        segments: the number of the segment of each token (None: all are in segment 0).
        """
        self._check_outputs("pretraining", "masked")
        masks.check(chosen, *ids.shape)  # numbers would choose rows of the batch
        h = self.hidden(ids, segments)
        tokens = self.masked_head(h[chosen], self.embedding)
        if self.config.outputs == "masked":
            return tokens
        return Predictions(tokens, self.next_sentence(self._pool(h)))

    def hidden(
        self,
        ids: Int[Tensor, "batch time"],
        segments: Int[Tensor, "batch time"] | None = None,
        mask: Bool[Tensor, "#batch 1 #time time"] | None = None,
    ) -> Float[Tensor, "batch time d_model"]:
        """The hidden states after the last block. Every token attends to every token that is not padding.

        mask: what else is hidden (None: nothing).
        """
        pad_id, max_len = self.config.pad_id, self.config.max_len
        check_ids(ids, self.config.vocab_size, max_len, "ids", pad_id)
        if segments is None:
            segments = torch.zeros_like(ids)
        check_ids(segments, self.config.n_segments, max_len, "segments")
        x = self.embedding(ids, self.config.first_position) + self.segments(segments)
        real = masks.padding(ids, pad_id)
        return self.stack(self.dropout(self.embedding_norm(x)), real if mask is None else real & mask)

    def pooled(
        self, ids: Int[Tensor, "batch time"], segments: Int[Tensor, "batch time"] | None = None
    ) -> Float[Tensor, "batch d_model"]:
        """tanh(h W + b) of the first token, [CLS], which stands for the whole sequence."""
        self._check_outputs("pretraining", "pooled")
        return self._pool(self.hidden(ids, segments))

    def _pool(self, h: Tensor) -> Tensor:
        return self.pooler(h[:, 0]).tanh()

    def _check_outputs(self, *those: Outputs) -> None:
        if self.config.outputs not in those:
            raise ValueError(
                f"this BERT has outputs={self.config.outputs!r}, here it needs {' or '.join(map(repr, those))}: "
                "build it with them, or load a checkpoint that has them"
            )
