"""Predict what follows a prefix: −Σ_i log P(y_i | y_<i, x), where x and y are one sequence of a decoder-only model.

    texts     <bos> u … │ u … <eos>                   a text that is split at random {cite}`raffel2020exploring`
    pairs     <bos> x … <delimiter> │ y … <eos>       the target after the source {cite}`liu2018generating`

The prefix is on the left of the bar, and its tokens attend to each other in both directions. In pairs they can also have
the causal mask, so that the two kinds of decoders differ in the mask alone. Built in chapter 6.1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, ClassVar, Literal, get_args

import torch
from torch import nn

from seqbook.data.tokenizer import Kind, Tokenizer
from seqbook.generation.beam import beam
from seqbook.generation.decoding import greedy
from seqbook.nn.checks import check_positive
from seqbook.objectives.batch import encode
from seqbook.objectives.causal import continue_texts
from seqbook.objectives.drawing import draw
from seqbook.objectives.layouts import DELIMITER
from seqbook.objectives.rows import PrefixBatch, Row, TextRows, TextRowsConfig, collate, row_of, sequence_of, vocabulary
from seqbook.objectives.seq2seq import Seq2Seq

PrefixMask = Literal["bidirectional", "causal"]
LossOn = Literal["target", "whole"]
Pair = tuple[list[int], list[int]]


@dataclass(frozen=True, kw_only=True)
class PrefixTextsConfig(TextRowsConfig):
    """kind, max_vocab_size: as in `CausalConfig`."""

    def build(self, tokenizers: dict[str, Tokenizer], max_len: int) -> "PrefixTexts":
        return PrefixTexts(**tokenizers, config=self, max_len=max_len)


class PrefixTexts(TextRows):
    """A text `<bos> u <eos>` of L tokens is split before position n, which is drawn uniformly from 1 to L − 1, as in T5."""

    def __init__(self, tokenizer: Tokenizer, config: PrefixTextsConfig = PrefixTextsConfig(), *, max_len: int):
        super().__init__(tokenizer, config, max_len=max_len)

    def longest_row(self, n: int) -> int:
        return n + 1  # with <bos>; <eos> is only a label

    def row(self, ids: list[int], generator: torch.Generator | None = None) -> Row:
        self.check(ids)
        return self.split(ids, draw(1, len(ids) + 1, generator))

    def split(self, ids: list[int], n: int) -> Row:
        """The row of a text whose prefix has n tokens, `<bos>` included.

        Raises:
            ValueError: a prefix that leaves nothing to predict, or without a token.
        """
        sequence = [self.tokenizer.bos_id, *ids, self.tokenizer.eos_id]
        if not 1 <= n < len(sequence):
            raise ValueError(
                f"a prefix of {n} tokens does not fit a text of {len(sequence)} tokens with <bos> and <eos>: give 1 to "
                f"{len(sequence) - 1}"
            )
        return row_of(sequence[:n], sequence[n:])

    def restore(self, row: Row) -> list[int]:
        return sequence_of(row)[1:-1]

    def generate(self, model: nn.Module, texts: Sequence[str], **how: Any) -> list[str]:
        """Each text, which is the prefix, with its continuation by the model, up to `<eos>`.

        how: as in `continue_texts`.
        """
        return continue_texts(model, self.tokenizer, texts, [self.tokenizer.bos_id], self.tokenizer.eos_id, **how)


@dataclass(frozen=True, kw_only=True)
class PrefixPairsConfig:
    """Translate the corpus's column `source` into its column `target`, with one vocabulary for both.

    prefix: the mask inside the prefix; loss_on: which tokens are predicted, those of the target or all of them; kind:
    the kind of tokens; max_vocab_size: the number of tokens for byte pairs; label_smoothing: ε; beams: for the scores.

    Raises:
        ValueError: an unknown choice, or a loss on the whole sequence with a bidirectional prefix.
    """

    source: str = "en"
    target: str = "zh"
    prefix: PrefixMask = "bidirectional"
    loss_on: LossOn = "target"
    kind: Kind = "word"
    max_vocab_size: int = 30_000
    label_smoothing: float = 0.0
    beams: int = 1
    fills: ClassVar[tuple[str, ...]] = ("vocab_size",)

    def __post_init__(self):
        check_positive(max_vocab_size=self.max_vocab_size, beams=self.beams)
        for name, value, choices in (("prefix", self.prefix, PrefixMask), ("loss_on", self.loss_on, LossOn)):
            if value not in get_args(choices):
                raise ValueError(f"{name}={value!r}: choose one of {', '.join(get_args(choices))}")
        if self.loss_on == "whole" and self.prefix == "bidirectional":
            raise ValueError(
                "loss_on='whole' with prefix='bidirectional': each position of the prefix attends to the next token, which "
                "is its label, so the model would copy it and learn nothing. Choose loss_on='target' or prefix='causal'"
            )

    def reads(self) -> dict[str, str]:
        return {"source": self.source, "target": self.target}

    def tokenizers(self, texts: dict[str, Sequence[str]], pretrained: dict[str, Tokenizer]) -> dict[str, Tokenizer]:
        both = [*texts["source"], *texts["target"]]
        return vocabulary(both, pretrained, self.kind, self.max_vocab_size, [DELIMITER])

    def build(self, tokenizers: dict[str, Tokenizer], max_len: int) -> "PrefixPairs":
        return PrefixPairs(**tokenizers, config=self, max_len=max_len)


class PrefixPairs(Seq2Seq):
    """Translation as in `Seq2Seq`, where a pair is one sequence, `<bos> x <delimiter> y <eos>`, and the delimiter is the
    last token of the prefix. Examples are (source, target) ids.

    Raises:
        ValueError: a tokenizer without the delimiter.
    """

    def __init__(self, tokenizer: Tokenizer, config: PrefixPairsConfig = PrefixPairsConfig(), *, max_len: int):
        self.tokenizers = {"tokenizer": tokenizer}
        self.tokenizer = self.source_tokenizer = self.target_tokenizer = tokenizer
        self.config, self.max_len = config, max_len
        self.delimiter = tokenizer.special_id(DELIMITER)

    def sizes(self) -> dict[str, int]:
        return {"vocab_size": len(self.tokenizer)}

    def encode(self, sources: Sequence[str], targets: Sequence[str]) -> list[Pair]:
        """One example per pair of texts.

        Raises:
            ValueError: a text without tokens, or a pair whose row is over max_len; names it and its length.
        """
        pairs = super().encode(sources, targets)
        room = self.max_len - 2  # for <bos> and the delimiter; <eos> is only a label
        for text, (x, y) in zip(sources, pairs, strict=True):
            if len(x) + len(y) > room:
                raise ValueError(
                    f"{text[:80]!r} and its target are {len(x)} + {len(y)} tokens long: together they must have at most "
                    f"{room}, because max_len={self.max_len} with the special tokens"
                )
        return pairs

    def encode_sources(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of sources without targets, for generation.

        Raises:
            ValueError: a text without tokens, or one that leaves no room for a target; names it and its length.
        """
        return encode(self.tokenizer, texts, self.max_len - 2)

    def lengths(self, example: Pair) -> tuple[int]:
        return (len(example[0]) + len(example[1]) + 2,)

    def row(self, source: list[int], target: list[int]) -> Row:
        bidirectional, whole = self.config.prefix == "bidirectional", self.config.loss_on == "whole"
        return row_of(self.prefix(source), [*target, self.tokenizer.eos_id], bidirectional=bidirectional, whole=whole)

    def prefix(self, source: list[int]) -> list[int]:
        """The tokens after which the model writes the target."""
        return [self.tokenizer.bos_id, *source, self.delimiter]

    def restore(self, row: Row) -> Pair:
        """The source and the target from which the row was made."""
        sequence = sequence_of(row)
        end = sequence.index(self.delimiter)
        return sequence[1:end], sequence[end + 1 : -1]

    def collate(self, examples: list[Pair], generator: torch.Generator | None = None) -> PrefixBatch:
        return collate([self.row(*pair) for pair in examples], self.tokenizer.pad_id)

    def generate(
        self,
        model: nn.Module,
        texts: Sequence[str],
        *,
        beams: int = 1,
        length_penalty: float = 1.0,
        batch_size: int = 250,
    ) -> list[str]:
        """The target for each text, by greedy decoding or beam search.

        Raises:
            ValueError: a text without tokens, or one that leaves no room for a target.
        """
        device, found = next(model.parameters()).device, [""] * len(texts)
        prompts = [self.prefix(x) for x in self.encode_sources(texts)]
        in_order = sorted(range(len(texts)), key=lambda i: len(prompts[i]))
        for length, same in groupby(in_order, key=lambda i: len(prompts[i])):  # of one length, so without padding
            chosen = list(same)
            room = self.max_len + 1 - length  # the last new token is generated but never read
            how = {"max_new": min(room, self.longest(length - 2)), "stop": [self.tokenizer.eos_id]}
            for rows in (chosen[start : start + batch_size] for start in range(0, len(chosen), batch_size)):
                ids = torch.tensor([prompts[i] for i in rows], device=device)
                padding = torch.zeros_like(ids[:, 0])
                prefixes = padding + (length if self.config.prefix == "bidirectional" else 0)
                if beams == 1:
                    written = greedy(model, (ids, padding, prefixes), **how)
                else:
                    ranked = beam(model, (ids, padding, prefixes), **how, beams=beams, length_penalty=length_penalty)
                    written = [hypotheses[0].ids for hypotheses in ranked]
                for i, new in zip(rows, written, strict=True):
                    found[i] = self.tokenizer.decode(new)
        return found
