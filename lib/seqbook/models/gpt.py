"""GPT: the Transformer's decoder without the source, a language model {cite}`radford2018improving`. Built in chapter 3.1."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqbook.nn import masks
from seqbook.nn.block import Block, Placement
from seqbook.nn.cache import Cache
from seqbook.nn.checks import check_ids, check_positive
from seqbook.nn.layers import Activation
from seqbook.nn.positions import Learned, Rotary


@dataclass(frozen=True, kw_only=True)
class GPTConfig:
    """Sizes of a `GPT`.

    d_ff: width of the feed-forward networks (None: 4·d_model); norm: before each part of a block as in GPT-2, or after it
    as in 2018; positions: a learned vector each, or rotations of queries and keys (2021); max_len: positions (tokens).
    """

    vocab_size: int
    d_model: int = 128
    n_layers: int = 4
    n_heads: int = 4
    d_ff: int | None = None
    activation: Activation = "gelu_tanh"
    norm: Placement = "before"
    positions: Literal["learned", "rotary"] = "learned"
    dropout: float = 0.0
    max_len: int = 128


class State(NamedTuple):
    """What generation carries from step to step: a cache for each block, and how much padding it begins with."""

    caches: list[Cache]  # written in place: to go on in two ways, reorder first
    padding: Int[Tensor, " batch"] | None  # None: no padding to hide

    def reorder(self, rows: Int[Tensor, " rows"]) -> "State":
        """The state of these rows of the batch, each as often as it is named."""
        padding = None if self.padding is None else self.padding.index_select(0, rows)
        return State([cache.reorder(rows) for cache in self.caches], padding)


class GPT(nn.Module):
    """P(x) = Π_i P(x_i | x_<i): one stack, in which each position sees itself and what came before it.

    The vectors of tokens serve twice, to read a token and to score the next one {cite}`press2017using`. Every id may be
    a real token, 0 too: padding at the end needs no mask, since nothing real sees it; padding at the beginning is counted.

    Raises:
        ValueError: a size that doesn't fit; in forward, ids outside the vocabulary, empty or too long sequences.
    """

    def __init__(self, config: GPTConfig):
        super().__init__()
        check_positive(vocab_size=config.vocab_size, d_model=config.d_model, n_heads=config.n_heads)
        check_positive(n_layers=config.n_layers, max_len=config.max_len)
        if config.positions not in ("learned", "rotary"):
            raise ValueError(f"positions={config.positions!r}: choose one of learned, rotary")
        self.config = config
        d_model = config.d_model
        sizes = {
            "n_heads": config.n_heads,
            "d_ff": 4 * d_model if config.d_ff is None else config.d_ff,
            "norm": config.norm,
            "activation": config.activation,
            "dropout": config.dropout,
        }
        if config.positions == "rotary":
            sizes["rotary"] = Rotary(d_model // config.n_heads, config.max_len)
        self.embedding = nn.Embedding(config.vocab_size, d_model)
        self.positions = Learned(d_model, config.max_len) if config.positions == "learned" else None
        self.blocks = nn.ModuleList(Block(d_model, **sizes) for _ in range(config.n_layers))
        # A stack of norms "before" ends in a sum that no norm has seen yet.
        self.norm = nn.LayerNorm(d_model) if config.norm == "before" else nn.Identity()
        self.dropout = nn.Dropout(config.dropout)
        # As in GPT-2, whose 768 features make it 0.02; and the 2·n_layers parts begin by adding no more than one would.
        std = 0.554 * d_model**-0.5
        for name, parameter in self.named_parameters():
            if name.endswith("out.weight"):
                nn.init.normal_(parameter, std=std * (2 * config.n_layers) ** -0.5)
            elif parameter.dim() > 1:
                nn.init.normal_(parameter, std=std)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, ids: Int[Tensor, "batch time"]) -> Float[Tensor, "batch time vocab"]:
        """Logits of the token after each token, given what stands up to there."""
        return self._logits(self.hidden(ids))

    def hidden(self, ids: Int[Tensor, "batch time"]) -> Float[Tensor, "batch time d_model"]:
        """What each position knows after the last block: what the head, or a task's head, reads."""
        check_ids(ids, self.config.vocab_size, self.config.max_len, "ids", pad_id=None)
        x = self._embed(ids)
        for block in self.blocks:
            x = block(x, "causal")
        return self.norm(x)

    def start(self, ids: Int[Tensor, "batch time"], padding: Int[Tensor, " batch"] | None = None) -> State:
        """Read the beginnings of texts, none at all where time is 0: the state from which `step` goes on.

        padding: how many positions at the left of each row are no part of its text (None: none).

        Raises:
            ValueError: more padding than positions, or less than none.
        """
        state = State([Cache() for _ in self.blocks], padding if padding is not None and padding.any() else None)
        length = ids.shape[1]
        if padding is not None and not 0 <= int(padding.min()) <= int(padding.max()) <= length:
            raise ValueError(f"padding={padding.tolist()} must be 0 to {length}, the number of positions")
        if length == 0:
            return state
        check_ids(ids, self.config.vocab_size, self.config.max_len, "ids", pad_id=None)
        x, mask = self._embed(ids, state.padding), "causal"
        if state.padding is not None:
            # Padding sees itself: without any key, its softmax would divide 0 by 0.
            itself = torch.eye(length, dtype=torch.bool, device=ids.device)
            mask = masks.causal(length, device=ids.device) & masks.left_padding(state.padding, length) | itself
        for block, cache in zip(self.blocks, state.caches, strict=True):
            x = block(x, mask, caches=(cache, None))
        return state

    def step(self, token_ids: Int[Tensor, " batch"], state: State) -> tuple[Float[Tensor, "batch vocab"], State]:
        """Logits of the next token after one more, and the state after it."""
        length = state.caches[0].length
        if length >= self.config.max_len:
            raise ValueError(f"{length} tokens are read: the model takes at most max_len={self.config.max_len}")
        x, mask = self._embed(token_ids[:, None], state.padding, length), None  # the newest position sees all before it
        if state.padding is not None:
            mask = masks.left_padding(state.padding, length + 1)
        for block, cache in zip(self.blocks, state.caches, strict=True):
            x = block(x, mask, caches=(cache, None))
        return self._logits(self.norm(x))[:, 0], state

    def _embed(self, ids: Tensor, padding: Tensor | None = None, offset: int = 0) -> Tensor:
        x = self.embedding(ids)  # (B, T, D)
        if self.positions is not None:  # counted from each text's first token; rotations count distances alone
            x = x + self.positions(ids.shape[1], offset if padding is None else offset - padding)
        return self.dropout(x)

    def _logits(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.embedding.weight)  # (B, T, V)
