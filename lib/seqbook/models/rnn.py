"""RNN Seq2Seq: one LSTM reads the source, another generates the target {cite}`sutskever2014sequence,cho2014learning`.

The models of chapters 1.1 and 1.2 differ in one setting, `context`: what the decoder receives from the source.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seqbook.nn.attention import AdditiveAttention, DotProductAttention
from seqbook.nn.checks import check_ids, check_positive
from seqbook.nn.layers import token_embedding

Context = Literal["last", "mean", "additive", "dot"]


@dataclass(frozen=True, kw_only=True)
class RNNConfig:
    """Sizes of an `RNNSeq2Seq`. The vocabulary sizes are 0 in a recipe, which takes them and pad_id from the tokenizers.

    context: what the decoder reads at each step, besides its own state:
        "last": the encoder's last state, the same at every step; "mean": the mean of the encoder's states, the same at
        every step; "additive", "dot": a weighted mean of these states, computed by attention anew at each step.
    bidirectional: the encoder is two LSTMs of half the width, one of which reads backwards.
    embedding_shortcut: attention and the mean read the LSTM's states plus the embeddings of the words at the same
        positions. In the papers they read only the LSTM's states. Context "last" reads neither.
    """

    source_vocab_size: int = 0
    target_vocab_size: int = 0
    pad_id: int = 0
    context: Context = "last"
    d_model: int = 256
    n_layers: int = 1
    bidirectional: bool = False
    embedding_shortcut: bool = False
    dropout: float = 0.0
    max_len: int = 128

    def build(self) -> "RNNSeq2Seq":
        return RNNSeq2Seq(self)


class RNNState(NamedTuple):
    """What is stored between the steps of generation. In all tensors the batch comes first."""

    memory: Float[Tensor, "batch source d_model"]
    memory_mask: Bool[Tensor, "batch 1 source"]
    summary: Float[Tensor, "batch d_model"]
    hidden: Float[Tensor, "batch n_layers d_model"]
    cell: Float[Tensor, "batch n_layers d_model"]

    def select(self, rows: Int[Tensor, " rows"]) -> "RNNState":
        """A copy with these rows of the batch, in this order; a row may occur several times (for beam search)."""
        return RNNState(*(t.index_select(0, rows) for t in self))


class RNNSeq2Seq(nn.Module):
    """P(y | x) = Π_i P(y_i | y_<i, x). Built in chapters 1.1 and 1.2.

    With the encoder's states h_1…h_m, for each target token y_i:

        s_i = LSTM(s_{i−1}, y_{i−1})    s_0, hidden and cell, from a linear layer over the encoder's last state
        c_i = Σ_j α_ij h_j              α_ij = softmax_j a(s_i, h_j); without attention c_i = c, the same for all i
        P(y_i | y_<i, x) = softmax(W_o tanh(W_c [s_i; c_i]))

    So y_i is decoded from c_i, s_1…s_{i−1} and y_{i−1}. Because c_i is not fed back into the recurrence, training can
    compute attention and logits for all target positions at once. The papers differ here:

    - Sutskever et al. {cite}`sutskever2014sequence`: s_0 is the encoder's last state itself; no later step reads it.
    - Cho et al. {cite}`cho2014learning`: s_i = f(s_{i−1}, y_{i−1}, c), and the output layer also reads c and y_{i−1}.
    - Bahdanau et al. {cite}`bahdanau2015neural`: the score is a(s_{i−1}, h_j), and s_i = f(s_{i−1}, y_{i−1}, c_i).
    - Luong et al. {cite}`luong2015effective`: the score is a(s_i, h_j), as here. With their input feeding, step i also
      reads tanh(W_c [s_{i−1}; c_{i−1}]), so the decoder knows what it attended to before.

    Raises:
        ValueError: sizes that do not fit; in forward, ids outside the vocabulary, empty or too long sequences.
    """

    def __init__(self, config: RNNConfig):
        super().__init__()
        check_positive(d_model=config.d_model, n_layers=config.n_layers, max_len=config.max_len)
        check_positive(source_vocab_size=config.source_vocab_size, target_vocab_size=config.target_vocab_size)
        self.config = config
        d_model = config.d_model
        self.encoder = Encoder(config)
        self.bridge = nn.Linear(d_model, 2 * config.n_layers * d_model)
        self.embedding = token_embedding(config.target_vocab_size, d_model, 0.1, config.pad_id)
        between_layers = config.dropout if config.n_layers > 1 else 0.0
        self.decoder = nn.LSTM(d_model, d_model, config.n_layers, batch_first=True, dropout=between_layers)
        if config.context not in get_args(Context):
            raise ValueError(f"context={config.context!r}: choose one of {', '.join(get_args(Context))}")
        self.attention = None
        if config.context == "additive":
            self.attention = AdditiveAttention(d_model)
        elif config.context == "dot":
            self.attention = DotProductAttention()
        self.combine = nn.Linear(2 * d_model, d_model)
        self.dropout = nn.Dropout(config.dropout)
        self.out = nn.Linear(d_model, config.target_vocab_size)

    def forward(
        self, source_ids: Int[Tensor, "batch source"], target_ids: Int[Tensor, "batch target"]
    ) -> Float[Tensor, "batch target vocab"]:
        """Logits of the token after each target token, given the whole source and the target up to there."""
        self._check_target(target_ids)
        return self._decode(target_ids, self.encode(source_ids))[0]

    def encode(self, source_ids: Int[Tensor, "batch source"]) -> RNNState:
        """Read the source: the state of the decoder before its first token."""
        config = self.config
        check_ids(source_ids, config.source_vocab_size, config.max_len, "source_ids", config.pad_id)
        memory, summary = self.encoder(source_ids)
        mask = (source_ids != config.pad_id)[:, None]
        hidden, cell = self.bridge(summary).unflatten(1, (2, config.n_layers, -1)).unbind(1)  # (B, L, D) each
        return RNNState(memory, mask, summary, hidden.tanh(), cell)

    def prefill(
        self, source_ids: Int[Tensor, "batch source"], target_ids: Int[Tensor, "batch target"]
    ) -> tuple[Float[Tensor, "batch vocab"], RNNState]:
        """Read the source and the beginning of the target, such as `<bos>`: logits of the next target token, and the
        state that `decode` continues from."""
        self._check_target(target_ids)
        logits, state = self._decode(target_ids, self.encode(source_ids))
        return logits[:, -1], state

    def decode(
        self, token_ids: Int[Tensor, " batch"], state: RNNState
    ) -> tuple[Float[Tensor, "batch vocab"], RNNState]:
        """Read one more target token per row: logits of the next one, and the state after it."""
        logits, state = self._decode(token_ids[:, None], state)
        return logits[:, -1], state

    def _check_target(self, target_ids: Tensor) -> None:
        config = self.config
        check_ids(target_ids, config.target_vocab_size, config.max_len, "target_ids", config.pad_id)

    def _decode(self, target_ids: Tensor, state: RNNState) -> tuple[Tensor, RNNState]:
        x = self.dropout(self.embedding(target_ids))  # (B, T, D)
        layers_first = (state.hidden.transpose(0, 1).contiguous(), state.cell.transpose(0, 1).contiguous())
        s, (hidden, cell) = self.decoder(x, layers_first)  # (B, T, D), (L, B, D) twice
        c = self._context(s, state, target_ids.shape[1])
        y = self.dropout(torch.tanh(self.combine(torch.cat([s, c], dim=-1))))
        return self.out(y), state._replace(hidden=hidden.transpose(0, 1), cell=cell.transpose(0, 1))

    def _context(self, s: Tensor, state: RNNState, length: int) -> Tensor:
        if self.attention is not None:
            return self.attention(s, state.memory, state.memory_mask)  # c_i, new at each step
        if self.config.context == "mean":
            real = state.memory_mask.transpose(1, 2)  # (B, S, 1)
            c = (state.memory * real).sum(1) / real.sum(1)
        else:
            c = state.summary
        return c[:, None].expand(-1, length, -1)  # c, the same at each step


class Encoder(nn.Module):
    """Layers of an LSTM over the source, or of two LSTMs of half the width that read in opposite directions.

    Each layer reads only the states of the layer below, like the decoder's layers. There are no residual connections,
    which deeper stacks than ours need {cite}`wu2016google`. With `embedding_shortcut`, the word embeddings are added to
    the top layer's states.

    The code never calls `expand_as` with the output of an LSTM, because an ONNX graph would then have a fixed length.
    """

    def __init__(self, config: RNNConfig):
        super().__init__()
        directions = 2 if config.bidirectional else 1
        d_model = config.d_model
        if d_model % directions:
            raise ValueError(f"d_model={d_model} can't be halved between two directions: make it even")
        self.pad_id, self.embedding_shortcut = config.pad_id, config.embedding_shortcut
        self.embedding = token_embedding(config.source_vocab_size, d_model, 0.1, config.pad_id)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(
            nn.ModuleList(nn.LSTM(d_model, d_model // directions, batch_first=True) for _ in range(directions))
            for _ in range(config.n_layers)
        )

    def forward(
        self, source_ids: Int[Tensor, "batch source"]
    ) -> tuple[Float[Tensor, "batch source d_model"], Float[Tensor, "batch d_model"]]:
        """The memory, and the summary: the top layer's state at each position, and the last one of each direction,
        concatenated."""
        lengths = (source_ids != self.pad_id).sum(1)
        last = (lengths - 1)[:, None, None]  # (B, 1, 1)
        # Each sequence is reversed within its own length, so that padding comes last in both directions.
        position = torch.arange(source_ids.shape[1], device=source_ids.device)
        reversed_ = lengths[:, None] - 1 - position
        reversed_ = torch.where(reversed_ < 0, position, reversed_)[:, :, None]  # (B, S, 1)
        x = words = self.dropout(self.embedding(source_ids))  # (B, S, D)
        for i, directions in enumerate(self.layers):
            x = self.dropout(x) if i else x
            states, ends = [], []
            for lstm, backward in zip(directions, (False, True), strict=False):
                h, _ = lstm(x.gather(1, reversed_.expand(-1, -1, x.shape[2])) if backward else x)
                ends.append(h.gather(1, last.expand(-1, 1, h.shape[2])).squeeze(1))
                states.append(h.gather(1, reversed_.expand(-1, -1, h.shape[2])) if backward else h)
            x = torch.cat(states, dim=-1)
        memory = x + words if self.embedding_shortcut else x
        return memory, torch.cat(ends, dim=-1)
