"""GLM: blanks of unknown length are filled in by a prefix decoder, one token after another {cite}`du2022glm`.

Which tokens, sentences or ends of a text become blanks, and how a trained network fills them. How a text with blanks
becomes a row, with its two positions, is in `blanks`. Built in chapter 6.2.
"""

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

import torch
from torch import nn

from seqbook.data.tokenizer import Tokenizer
from seqbook.generation.beam import Hypothesis, beam
from seqbook.nn.checks import check_positive
from seqbook.objectives.blanks import blank_out, put
from seqbook.objectives.drawing import Span, check_shares, draw, draw_one, scatter, sentence_ends, sentences
from seqbook.objectives.filling import MASK, Filled
from seqbook.objectives.rows import Example, PrefixBatch, Row, TextRows, TextRowsConfig, collate, encode_blanks

SENTENCE_MASK, DOCUMENT_MASK = "[sMASK]", "[gMASK]"
BEGIN, END = "[sop]", "[eop]"  # of a piece, which fills one blank

Level = Literal["token", "sentence", "document"]
LEVELS: tuple[Level, ...] = get_args(Level)
MASKS: dict[Level, str] = {"token": MASK, "sentence": SENTENCE_MASK, "document": DOCUMENT_MASK}

WRITTEN = re.compile(r"\[(?:[sg]?MASK|sop|eop)\b\]?")  # one of these tokens in a text, whole or without its end

MEAN_SPAN, LONGEST_SPAN = 3, 39  # tokens; of the Poisson distribution without 0 from which GLM's code draws lengths
SPAN_WEIGHTS = [MEAN_SPAN**k / math.factorial(k) for k in range(1, LONGEST_SPAN + 1)]
SHORTEST_DOCUMENT = 0.5  # the smallest share of a text in a document's blank
SUFFIX = 0.5  # how often a document's blank is the end of the text


@dataclass(frozen=True, kw_only=True)
class BlankInfillingConfig(TextRowsConfig):
    """shares: how often a batch has blanks of each level, in the order of `LEVELS` (as in GLM-10B); rate: the share of
    tokens in blanks of tokens or sentences; shuffle: whether the spans of part B are shuffled.

    Raises:
        ValueError: a rate outside 0 to 1, or shares that are negative or all 0.
    """

    shares: tuple[float, float, float] = (0.5, 0.3, 0.2)
    rate: float = 0.15
    shuffle: bool = True

    def __post_init__(self):
        super().__post_init__()
        check_shares(self.shares, LEVELS)
        if not 0 < self.rate <= 1:
            raise ValueError(f"rate={self.rate} must be above 0 and at most 1")

    def special(self) -> list[str]:
        return [*MASKS.values(), BEGIN, END]

    def build(self, tokenizers: dict[str, Tokenizer], max_len: int) -> "BlankInfilling":
        return BlankInfilling(**tokenizers, config=self, max_len=max_len)


class BlankInfilling(TextRows):
    """A text is `<bos> x <eos>`, where `<bos>` stands for GLM's `[CLS]`. All rows of a batch have the same level.

    token: `[MASK]` for spans of random lengths, until at least max(1, ⌊rate·n⌋) of the n tokens of x are in blanks.
    sentence: `[sMASK]` for whole sentences, until at least as many are. document: `[gMASK]` for a single span; if it is
    the end of the text, `<eos>` included, it has no `[eop]`, and the row is a prefix and its continuation.

    Raises:
        ValueError: a tokenizer without the special tokens.
    """

    PARTS = LEVELS

    def __init__(self, tokenizer: Tokenizer, config: BlankInfillingConfig = BlankInfillingConfig(), *, max_len: int):
        super().__init__(tokenizer, config, max_len=max_len)
        self.masks = {level: tokenizer.special_id(name) for level, name in MASKS.items()}
        self.begin, self.end = (tokenizer.special_id(name) for name in (BEGIN, END))
        self.ends = sentence_ends(tokenizer)

    def longest_row(self, n: int) -> int:
        return n + 2 + 2 * self.wanted(n)  # a mask and a [sop] for each blank, which has at least one token

    def wanted(self, n: int) -> int:
        """The smallest number of tokens in the blanks of a text of n tokens."""
        return max(1, int(self.config.rate * n))

    def tokenize(self, text: Sequence[str]) -> dict[str, list[list[int]]]:
        """The ids of each text, without special tokens.

        Raises:
            ValueError: a text that is too short, or in which one of the special tokens is written; names it.
        """
        _check_unwritten(text)
        return super().tokenize(text)

    def collate(self, examples: list[Example], generator: torch.Generator | None = None) -> PrefixBatch:
        level = LEVELS[draw_one(self.config.shares, generator)]
        return collate([self.row(ids, generator, level) for (ids,) in examples], self.tokenizer.pad_id)

    def row(self, ids: list[int], generator: torch.Generator | None = None, level: Level | None = None) -> Row:
        """The row of a text, at this level (None: a level is drawn)."""
        self.check(ids)
        if level is None:
            level = LEVELS[draw_one(self.config.shares, generator)]
        spans, end = self.spans(ids, level, generator)
        order = range(len(spans))
        if self.config.shuffle:
            order = torch.randperm(len(spans), generator=generator).tolist()
        text = [self.tokenizer.bos_id, *ids, self.tokenizer.eos_id]
        shifted = [(start + 1, stop + 1) for start, stop in spans]  # <bos> comes first
        return blank_out(text, shifted, order, self.masks[level], self.begin, end)

    def spans(
        self, ids: list[int], level: Level, generator: torch.Generator | None = None
    ) -> tuple[list[Span], int | None]:
        """The blanks of a text x, where position n is that of `<eos>`, and the token that ends them."""
        n = len(ids)
        match level:
            case "token":
                return scatter(self._span_lengths(n, generator), n, generator), self.end
            case "sentence":
                found, chosen = sentences(ids, self.ends), []
                for i in torch.randperm(len(found), generator=generator).tolist():
                    if sum(stop - start for start, stop in chosen) < self.wanted(n):
                        chosen.append(found[i])
                return sorted(chosen), self.end
            case "document":
                length = draw(max(1, int(SHORTEST_DOCUMENT * n)), n, generator)
                if torch.rand((), generator=generator) < SUFFIX:
                    return [(n - length, n + 1)], None
                start = draw(0, n - length, generator)
                return [(start, start + length)], self.end

    def restore(self, row: Row) -> list[int]:
        """The text, without `<bos>` and `<eos>`, whose blanks are filled with the labels of part B.

        Raises:
            ValueError: a blank without an end, except at the end of the text; a blank without an answer.
        """
        a = row.prefix_length
        starts = [i for i in range(a, len(row.ids)) if row.ids[i] == self.begin]
        answers = {}
        for start, stop in pairwise([*starts, len(row.ids)]):
            position, answer = row.position_ids[start], row.labels[start:stop]
            if answer[-1] == self.end:
                answer = answer[:-1]
            elif row.ids[a - 1] != self.masks["document"] or position != a - 1:
                raise ValueError(f"the blank at position {position} has no end: its answer must end with {END}")
            answers[position] = answer
        return put(row.ids[:a], answers, frozenset(self.masks.values()))[1:-1]

    def fill(self, model: nn.Module, texts: Sequence[str], *, top: int = 5, max_new: int = 20) -> list[Filled]:
        """The texts with an answer for each `[MASK]`, `[sMASK]` and `[gMASK]` in them, from left to right; the network
        reads the answers before it. A text that ends with `[gMASK]` is continued.

        top: how many answers are listed for each blank, with their probabilities. They are found by beam search with as
        many beams, and the first one is filled in. max_new: the largest number of tokens for one blank.

        Raises:
            ValueError: a text without a blank, with one that has no "]", or with `[sop]` or `[eop]`; a text that leaves no
                room; names it.
        """
        check_positive(top=top, max_new=max_new)
        return [self._fill(model, text, top, max_new) for text in texts]

    def _fill(self, model: nn.Module, text: str, top: int, max_new: int) -> Filled:
        blanks = {MASKS[level]: i for level, i in self.masks.items()}
        _check_unwritten([text], blanks)
        part_a = [self.tokenizer.bos_id, *encode_blanks(self.tokenizer, text, blanks)]
        if part_a[-1] != self.masks["document"]:
            part_a.append(self.tokenizer.eos_id)

        answers, words = {}, []
        read, place, block = part_a, list(range(len(part_a))), [0] * len(part_a)
        for position in (i for i, token in enumerate(part_a) if token in blanks.values()):
            read, place, block = [*read, self.begin], [*place, position], [*block, 1]
            if len(read) + max_new > self.max_len + 1:  # the last new token is generated but never read
                raise ValueError(
                    f"{text[:80]!r} leaves no room for max_new={max_new} in a blank: {len(read)} of max_len={self.max_len} "
                    "tokens are used. Shorten the text, or lower max_new"
                )
            found = self._answers(model, Row(read, read, len(part_a), place, block), top, max_new)
            words.append([(self.tokenizer.decode(ids).strip(), math.exp(score)) for ids, score in found])
            answers[position] = answer = found[0].ids
            read, place = [*read, *answer], [*place, *[position] * len(answer)]
            block = [*block, *range(2, len(answer) + 2)]
        filled = put(part_a, answers, frozenset(blanks.values()))
        return Filled(self.tokenizer.decode(filled).strip(), words)

    def _answers(self, model: nn.Module, row: Row, top: int, max_new: int) -> list[Hypothesis]:
        """The most probable continuations of a row that ends with `[sop]`, with their log-probabilities."""
        ids, prefix, *places = collate([row], self.tokenizer.pad_id).to(next(model.parameters()).device).inputs
        given = (ids, torch.zeros_like(prefix), prefix, *places)
        stop = [self.end, self.tokenizer.eos_id]
        return beam(model, given, max_new=max_new, stop=stop, beams=top, length_penalty=0.0)[0]

    def _span_lengths(self, n: int, generator: torch.Generator | None) -> list[int]:
        lengths: list[int] = []
        # A short text, or a high rate, has no room for every length; in GLM's own code, all texts are long.
        while sum(lengths) < self.wanted(n) and (room := n - sum(lengths) - len(lengths)) > 0:
            lengths.append(min(draw_one(SPAN_WEIGHTS, generator) + 1, room))
        return lengths


def _check_unwritten(texts: Sequence[str], allowed: Collection[str] = ()) -> None:
    for text in texts:
        for written in WRITTEN.findall(text):
            if not written.endswith("]"):
                raise ValueError(f"{text[:80]!r} has a blank without an end, {written!r}: write {written + ']'!r}")
            if written not in allowed:
                raise ValueError(f"{text[:80]!r} contains {written}, which is no word of a text: leave it out")
