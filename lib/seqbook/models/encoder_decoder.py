"""What pretrained encoder-decoders have in common: one vocabulary for both sides, and how a text is read and generated."""

from typing import Any

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seqbook.nn import masks
from seqbook.nn.checks import check_ids, check_room
from seqbook.nn.stack import Stack, State


class EncoderDecoder(nn.Module):
    """P(y | x) = Π_i P(y_i | y_<i, x): the encoder attends to all of x, the decoder to y_<i and to all of x.

    The subclass builds the two stacks, and defines how tokens become vectors and hidden states become logits. The
    decoder may begin with padding's id, as in T5, so no token of the target is masked: padding at its end is later than
    every token.

    config: with vocab_size, pad_id and max_len.

    Raises:
        ValueError: in forward, ids outside the vocabulary, empty or too long sequences.
    """

    config: Any
    encoder: Stack
    decoder: Stack

    def embed_source(self, ids: Int[Tensor, "batch source"]) -> Float[Tensor, "batch source d_model"]:
        """What the encoder's first block reads."""
        raise NotImplementedError

    def embed_target(self, ids: Int[Tensor, "batch target"], offset: int = 0) -> Float[Tensor, "batch target d_model"]:
        """What the decoder's first block reads, for tokens at the positions offset, offset + 1, …"""
        raise NotImplementedError

    def logits(self, hidden: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch vocab"]:
        """The scores of the next token."""
        raise NotImplementedError

    def forward(
        self, source_ids: Int[Tensor, "batch source"], target_ids: Int[Tensor, "batch target"]
    ) -> Float[Tensor, "batch target vocab"]:
        """Logits of the token after each target token, given the whole source and the target up to there."""
        self._check_target(target_ids)
        memory, memory_mask = self.encode(source_ids)
        return self.logits(self.decoder(self.embed_target(target_ids), "causal", memory, memory_mask))

    def hidden(self, ids: Int[Tensor, "batch time"]) -> Float[Tensor, "batch time d_model"]:
        """The decoder's hidden states where encoder and decoder read the same text, as in BART's classification. The last
        token's state has read all of the text."""
        memory, memory_mask = self.encode(ids)
        return self.decoder(self.embed_target(ids), "causal", memory, memory_mask)

    def encode(
        self, source_ids: Int[Tensor, "batch source"]
    ) -> tuple[Float[Tensor, "batch source d_model"], Bool[Tensor, "batch 1 1 source"]]:
        """The encoder's hidden states, and the mask that hides padding from every query."""
        config = self.config
        check_ids(source_ids, config.vocab_size, config.max_len, "source_ids", config.pad_id)
        mask = masks.padding(source_ids, config.pad_id)
        return self.encoder(self.embed_source(source_ids), mask), mask

    def prefill(
        self, source_ids: Int[Tensor, "batch source"], target_ids: Int[Tensor, "batch target"]
    ) -> tuple[Float[Tensor, "batch vocab"], State]:
        """Read the source and the beginning of the target: logits of the next target token, and the state that `decode`
        continues from."""
        self._check_target(target_ids)
        memory, mask = self.encode(source_ids)
        state = self.decoder.new_state(memory=memory, memory_mask=None if mask.all() else mask)
        h = self.decoder(self.embed_target(target_ids), "causal", state=state)
        return self.logits(h[:, -1]), state

    def decode(self, token_ids: Int[Tensor, " batch"], state: State) -> tuple[Float[Tensor, "batch vocab"], State]:
        """Read one more target token per row: logits of the next one, and the state, which is updated in place."""
        check_room(state.length, self.config.max_len)
        x = self.embed_target(token_ids[:, None], state.length)
        return self.logits(self.decoder(x, None, state=state)[:, -1]), state  # the newest position attends to all

    def _check_target(self, target_ids: Tensor) -> None:
        check_ids(target_ids, self.config.vocab_size, self.config.max_len, "target_ids")
