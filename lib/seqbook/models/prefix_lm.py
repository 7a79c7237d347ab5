"""A prefix decoder: GPT's stack, with a mask that is bidirectional inside a prefix {cite}`raffel2020exploring`."""

from dataclasses import dataclass, field, fields, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqbook.models.gpt import GPT, GPTConfig
from seqbook.nn import masks
from seqbook.nn.attention import MaskOrName
from seqbook.nn.checks import check_ids, check_positive, check_room
from seqbook.nn.stack import State

IdsOrNone = Int[Tensor, "batch time"] | None


@dataclass(frozen=True, kw_only=True)
class PrefixLMConfig(GPTConfig):
    """Sizes of a `PrefixLM`: those of a GPT, and the tables of vectors for inputs that GPT does not have.

    block_positions: whether there is a table for the second position of each token, as in GLM {cite}`du2022glm`;
    n_segments: how many kinds of segments there are, as in UniLM (None: the model has no segments).
    """

    block_positions: bool = False
    n_segments: int | None = None

    def build(self) -> "PrefixLM":
        return PrefixLM(self)


@dataclass(frozen=True)
class PrefixState(State):
    """The caches, and the position, the block position and the segment of the last token that was read."""

    position: Int[Tensor, " batch"] = field(kw_only=True)
    block_position: Int[Tensor, " batch"] | None = field(default=None, kw_only=True)
    segment: Int[Tensor, " batch"] | None = field(default=None, kw_only=True)

    def select(self, rows: Int[Tensor, " rows"]) -> "PrefixState":
        # All at once: after super().select(rows) alone, padding and positions would belong to different rows.
        tensors = {name: getattr(self, name) for name in ("padding", "position", "block_position", "segment")}
        chosen = {name: t if t is None else t.index_select(0, rows) for name, t in tensors.items()}
        return replace(self, caches=[(own.select(rows), cross.select(rows)) for own, cross in self.caches], **chosen)


class PrefixLM(GPT):
    """P(y | x) = Π_i P(y_i | y_<i, x): GPT, except that the positions of the prefix x attend to all of x.

        GPT           prefix of 2      prefix of 4: an encoder
        x . . .       x x . .          x x x x          queries in rows, keys in columns
        x x . .       x x . .          x x x x
        x x x .       x x x .          x x x x
        x x x x       x x x x          x x x x

    The lengths of the prefixes come with the batch. So one network can have all of these masks, and it has GPT's weights.
    The logits inside the prefix are no predictions of the next token, because a position before the last one has already
    read it. Built in chapter 6.1.

    Raises:
        ValueError: as GPT; in forward, a prefix that is longer than its row or negative, and positions or segments
            outside their tables, or without a table.
    """

    def __init__(self, config: PrefixLMConfig):
        if config.n_segments is not None:
            check_positive(n_segments=config.n_segments)
        super().__init__(config)
        self.block_positions = self._table(config.max_len) if config.block_positions else None
        self.segments = self._table(config.n_segments) if config.n_segments else None

    def forward(
        self,
        ids: Int[Tensor, "batch time"],
        prefix_lengths: Int[Tensor, " batch"] | None = None,
        position_ids: IdsOrNone = None,
        block_position_ids: IdsOrNone = None,
        segments: IdsOrNone = None,
    ) -> Float[Tensor, "batch time vocab"]:
        """Logits after each token, given the tokens that it attends to.

        prefix_lengths: how many tokens at the beginning of each row attend to each other in both directions (None: 0 in
        all rows, as in GPT). The other inputs as in hidden.
        """
        check_ids(ids, self.config.vocab_size, self.config.max_len, "ids")
        mask = "causal"
        if prefix_lengths is not None:
            _check_prefixes(prefix_lengths, torch.full_like(prefix_lengths, ids.shape[1]))
            mask = masks.prefix(prefix_lengths, ids.shape[1])
        return self.embedding.logits(self.hidden(ids, mask, position_ids, block_position_ids, segments))

    def hidden(
        self,
        ids: Int[Tensor, "batch time"],
        mask: MaskOrName = "causal",
        position_ids: IdsOrNone = None,
        block_position_ids: IdsOrNone = None,
        segments: IdsOrNone = None,
    ) -> Float[Tensor, "batch time d_model"]:
        """The hidden states after the last block.

        position_ids: the positions (None: 0, 1, 2, …). block_position_ids: the second positions, and segments: the
        numbers of the tokens' segments, for a model that has them (None: no vector is added).
        """
        check_ids(ids, self.config.vocab_size, self.config.max_len, "ids")
        return self.stack(self._embed(ids, position_ids, block_position_ids, segments), mask, position_ids=position_ids)

    def prefill(
        self,
        ids: Int[Tensor, "batch time"],
        padding: Int[Tensor, " batch"] | None = None,
        prefix_lengths: Int[Tensor, " batch"] | None = None,
        position_ids: IdsOrNone = None,
        block_position_ids: IdsOrNone = None,
        segments: IdsOrNone = None,
    ) -> tuple[Float[Tensor, "batch vocab"], PrefixState]:
        """Read whole prompts at once, in both directions: logits of the next token, and the state for `decode`.

        padding: how many positions at the left of each row are padding (None: none). prefix_lengths: how many tokens
        after the padding attend to each other (None: the whole prompt). The other inputs as in hidden.

        Raises:
            ValueError: as forward; a padding that leaves no token, or a negative one.
        """
        check_ids(ids, self.config.vocab_size, self.config.max_len, "ids")
        length = ids.shape[1]
        if padding is None:
            padding = torch.zeros_like(ids[:, 0])
        if not 0 <= int(padding.min()) <= int(padding.max()) < length:
            raise ValueError(f"padding={padding.tolist()} must be 0 to {length - 1}: a prompt has {length} positions")
        if prefix_lengths is None:
            prefix_lengths = length - padding
        _check_prefixes(prefix_lengths, length - padding)
        if position_ids is None:  # counted from each row's first token
            position_ids = (torch.arange(length, device=ids.device) - padding[:, None]).clamp(min=0)

        x = self._embed(ids, position_ids, block_position_ids, segments)
        mask = masks.prefix(padding + prefix_lengths, length) & masks.left_padding(padding, length)
        state = PrefixState(
            self.stack.new_state().caches,
            padding=padding if padding.any() else None,
            position=position_ids[:, -1],
            block_position=None if block_position_ids is None else block_position_ids[:, -1],
            segment=None if segments is None else segments[:, -1],
        )
        h = self.stack(x, mask, state=state, position_ids=position_ids)
        return self.embedding.logits(h[:, -1]), state

    def decode(
        self, token_ids: Int[Tensor, " batch"], state: PrefixState
    ) -> tuple[Float[Tensor, "batch vocab"], PrefixState]:
        """Read one more token per row, which attends to everything before it: logits of the next one, and the state.

        The position grows by one. If the prompt had block positions, these grow instead, as in a blank of GLM.
        """
        length = state.length
        check_room(length, self.config.max_len)
        if state.block_position is None:
            state = replace(state, position=state.position + 1)
        else:
            state = replace(state, block_position=state.block_position + 1)

        last = (state.position, state.block_position, state.segment)
        position_ids, block_position_ids, segments = (t if t is None else t[:, None] for t in last)
        x = self._embed(token_ids[:, None], position_ids, block_position_ids, segments)
        mask = None if state.padding is None else masks.left_padding(state.padding, length + 1, offset=length)
        h = self.stack(x, mask, state=state, position_ids=position_ids)
        return self.embedding.logits(h[:, -1]), state

    def load_pretrained(self, pretrained: nn.Module) -> None:
        """Copy the weights of a GPT or of another prefix decoder. New tokens, which have the last ids, and tables that it
        lacks keep their initial vectors.

        Raises:
            ValueError: another kind of network or another size, a larger vocabulary, or a table that this model lacks.
        """
        if not isinstance(pretrained, GPT):
            raise ValueError(f"the pretrained network is a {type(pretrained).__name__}: give a GPT or a PrefixLM")
        for name in (f.name for f in fields(GPTConfig) if f.name not in ("vocab_size", "dropout", "max_len")):
            theirs, ours = getattr(pretrained.config, name), getattr(self.config, name)
            if theirs != ours:
                raise ValueError(f"{name}={theirs} in pretraining, {ours} here: make them equal")
        weights, here, tokens = pretrained.state_dict(), self.state_dict(), "embedding.tokens.weight"
        if len(weights[tokens]) > len(here[tokens]):
            raise ValueError(
                f"the pretrained vocabulary has {len(weights[tokens])} tokens, this one only {len(here[tokens])}"
            )
        weights[tokens] = torch.cat([weights[tokens], here[tokens][len(weights[tokens]) :].to(weights[tokens])])
        for name, t in weights.items():
            if name not in here:
                raise ValueError(f"this model lacks {name}: build it with the inputs of the pretrained network")
            if t.shape != here[name].shape:
                raise ValueError(f"{name} is {tuple(t.shape)} in pretraining, {tuple(here[name].shape)} here")
        self.load_state_dict(here | weights)

    def _embed(
        self, ids: Tensor, position_ids: IdsOrNone, block_position_ids: IdsOrNone, segments: IdsOrNone
    ) -> Tensor:
        _check_table("position_ids", position_ids, self.config.max_len)
        x = self.embedding(ids, position_ids=position_ids)
        for name, numbers, table, how in (
            ("block_position_ids", block_position_ids, self.block_positions, "block_positions=True"),
            ("segments", segments, self.segments, "n_segments"),
        ):
            if numbers is not None:
                if table is None:
                    raise ValueError(f"this model has no vectors for {name}: build it with {how}")
                _check_table(name, numbers, table.num_embeddings)
                x = x + self.embedding.dropout(table(numbers))
        return x

    def _table(self, n: int) -> nn.Embedding:
        table = nn.Embedding(n, self.config.d_model)
        nn.init.normal_(table.weight, std=0.554 * self.config.d_model**-0.5)  # as GPT's other tables
        return table


def _check_prefixes(prefix_lengths: Int[Tensor, " batch"], lengths: Int[Tensor, " batch"]) -> None:
    if torch.compiler.is_compiling():  # an exported graph cannot branch on the values of its input
        return
    for row, (n, length) in enumerate(zip(prefix_lengths.tolist(), lengths.tolist(), strict=True)):
        if not 0 <= n <= length:
            raise ValueError(f"prefix_lengths has {n} in row {row}, which has {length} tokens: give 0 to {length}")


def _check_table(name: str, numbers: IdsOrNone, size: int) -> None:
    if numbers is None or torch.compiler.is_compiling():
        return
    low, high = int(numbers.min()), int(numbers.max())
    if low < 0 or high >= size:
        raise ValueError(f"{name} has the value {low if low < 0 else high}: this model has 0 to {size - 1}")
