"""GPT: the Transformer's decoder without a source, as a language model {cite}`radford2018improving`. Chapter 3.1."""

from dataclasses import dataclass
from functools import partial

from jaxtyping import Float, Int
from torch import Tensor, nn

from seqbook.nn import masks, positions
from seqbook.nn.attention import Attention, MaskOrName
from seqbook.nn.block import Block, Placement
from seqbook.nn.checks import check_ids, check_positive, check_room
from seqbook.nn.layers import Activation, Embedding, FeedForward
from seqbook.nn.positions import Positions
from seqbook.nn.stack import Stack, State


@dataclass(frozen=True, kw_only=True)
class GPTConfig:
    """Sizes of a `GPT`.

    vocab_size: 0 in a recipe, which takes it from the tokenizer; d_ff: width of the feed-forward networks (None:
    4·d_model); norm: "pre" as in GPT-2, "post" as in 2018; positions: learned as in GPT, or rotary (2021); max_len: the
    largest number of positions (tokens).
    """

    vocab_size: int = 0
    d_model: int = 128
    n_layers: int = 4
    n_heads: int = 4
    d_ff: int | None = None
    activation: Activation = "gelu_tanh"
    norm: Placement = "pre"
    positions: Positions = "learned"
    dropout: float = 0.0
    max_len: int = 128

    def build(self) -> "GPT":
        return GPT(self)


class GPT(nn.Module):
    """P(u) = Π_i P(u_i | u_<i): one stack, in which each position attends to itself and to earlier positions.

    The output layer shares the embedding weight {cite}`press2017using`. No id is reserved for padding. Padding on the
    right needs no mask, since no token attends to it. For padding on the left, the caller gives the number of
    positions.

    Raises:
        ValueError: sizes that do not fit; in forward, ids outside the vocabulary, empty or too long sequences.
    """

    def __init__(self, config: GPTConfig):
        super().__init__()
        check_positive(vocab_size=config.vocab_size, d_model=config.d_model, n_heads=config.n_heads)
        check_positive(n_layers=config.n_layers, max_len=config.max_len)
        self.config = config
        d_model = config.d_model
        norm = partial(nn.LayerNorm, d_model)
        table, rotary = positions.build(config.positions, d_model, d_model // config.n_heads, config.max_len)
        self.embedding = Embedding(config.vocab_size, d_model, positions=table, dropout=config.dropout)
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

        # As in GPT-2, where this standard deviation is 0.02 at d_model 768. Each of the 2·n_layers residual branches is
        # scaled down, so that at first their sum has about the variance of a single branch.
        std = 0.554 * d_model**-0.5
        for name, parameter in self.named_parameters():
            if name.endswith("out.weight"):
                nn.init.normal_(parameter, std=std * (2 * config.n_layers) ** -0.5)
            elif parameter.dim() > 1:
                nn.init.normal_(parameter, std=std)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, ids: Int[Tensor, "batch time"]) -> Float[Tensor, "batch time vocab"]:
        """Logits of the token after each token, given the tokens up to there."""
        return self.embedding.logits(self.hidden(ids))

    def hidden(
        self,
        ids: Int[Tensor, "batch time"],
        mask: MaskOrName = "causal",
        position_ids: Int[Tensor, "batch time"] | None = None,
    ) -> Float[Tensor, "batch time d_model"]:
        """The hidden states after the last block, which the output layer or a task's head reads.

        mask, position_ids: for rows that contain more than one sequence (None: each row is one sequence).
        """
        check_ids(ids, self.config.vocab_size, self.config.max_len, "ids", position_ids=position_ids)
        return self.stack(self.embedding(ids, position_ids=position_ids), mask, position_ids=position_ids)

    def prefill(
        self, ids: Int[Tensor, "batch time"], padding: Int[Tensor, " batch"] | None = None
    ) -> tuple[Float[Tensor, "batch vocab"], State]:
        """Read whole prompts at once: logits of the next token, and the state that `decode` continues from.

        padding: how many positions at the left of each row are padding (None: none).

        Raises:
            ValueError: as forward; a padding that leaves no token, or a negative one.
        """
        check_ids(ids, self.config.vocab_size, self.config.max_len, "ids")
        length = ids.shape[1]
        if padding is not None and not 0 <= int(padding.min()) <= int(padding.max()) < length:
            raise ValueError(f"padding={padding.tolist()} must be 0 to {length - 1}: a prompt has {length} positions")
        padded = padding is not None and bool(padding.any())
        state = self.stack.new_state(padding=padding if padded else None)
        mask = masks.causal(length, device=ids.device) & masks.left_padding(padding, length) if padded else "causal"
        return self._continue(ids, mask, state), state

    def decode(self, token_ids: Int[Tensor, " batch"], state: State) -> tuple[Float[Tensor, "batch vocab"], State]:
        """Read one more token per row: logits of the next one, and the state, which is updated in place."""
        length = state.length
        check_room(length, self.config.max_len)
        # The newest position may attend to all earlier ones except padding.
        mask = None if state.padding is None else masks.left_padding(state.padding, length + 1, offset=length)
        return self._continue(token_ids[:, None], mask, state), state

    def _continue(self, ids: Tensor, mask, state: State) -> Tensor:
        # Learned positions are counted from each row's first token; for rotations, only distances matter.
        offset = state.length if state.padding is None else state.length - state.padding
        h = self.stack(self.embedding(ids, offset), mask, state=state)
        return self.embedding.logits(h[:, -1])  # (B, V)
