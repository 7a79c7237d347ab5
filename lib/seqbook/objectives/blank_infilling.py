"""GLM: blanks of unknown length are filled in by a prefix decoder, one token after another {cite}`du2022glm`.

Which tokens, sentences or ends of a text become blanks, and how a trained network fills them. How a text with blanks
becomes a row, with its two positions, is in `blanks`. Built in chapter 6.2.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar, Literal, get_args

import torch
from torch import nn

from seqbook.data.tokenizer import Kind, Tokenizer
from seqbook.generation.decoding import greedy
from seqbook.nn.checks import check_positive
from seqbook.objectives.blanks import blank_out, put
from seqbook.objectives.drawing import Span, check_shares, draw, draw_one, scatter, sentence_ends, sentences
from seqbook.objectives.filling import MASK
from seqbook.objectives.rows import Row, collate
from seqbook.objectives.text_rows import TextRows, vocabulary

SENTENCE_MASK, DOCUMENT_MASK = "[sMASK]", "[gMASK]"
BEGIN, END = "[sop]", "[eop]"  # of a piece, which fills one blank

Level = Literal["token", "sentence", "document"]
LEVELS: tuple[Level, ...] = get_args(Level)
MASKS: dict[Level, str] = {"token": MASK, "sentence": SENTENCE_MASK, "document": DOCUMENT_MASK}
LONGEST_SPAN = 39  # tokens, in GLM's own code


@dataclass(frozen=True, kw_only=True)
class BlankInfillingConfig:
    """shares: how often a batch has blanks of each level, in the order of `LEVELS` (as in GLM-10B); kind: the kind of
    tokens; max_vocab_size: the number of tokens for byte pairs; rate: the share of tokens in blanks of tokens or
    sentences; mean_span: λ of the Poisson distribution from which lengths are drawn; shuffle: whether the spans of part B
    are shuffled; shortest_document: the smallest share of the text in a document's blank; suffix: how often it is the
    end of the text.

    Raises:
        ValueError: a number out of its range.
    """

    shares: tuple[float, float, float] = (0.5, 0.3, 0.2)
    kind: Kind = "word"
    max_vocab_size: int = 30_000
    rate: float = 0.15
    mean_span: float = 3.0
    shuffle: bool = True
    shortest_document: float = 0.5
    suffix: float = 0.5
    fills: ClassVar[tuple[str, ...]] = ("vocab_size",)

    def __post_init__(self):
        check_positive(max_vocab_size=self.max_vocab_size)
        check_shares("shares", self.shares, LEVELS)
        if not 0 < self.rate <= 1 or not self.mean_span > 0:
            raise ValueError(f"rate={self.rate} must be above 0 and at most 1, mean_span={self.mean_span} above 0")
        if not 0 <= self.shortest_document <= 1 or not 0 <= self.suffix <= 1:
            raise ValueError(
                f"shortest_document={self.shortest_document} and suffix={self.suffix} must be between 0 and 1"
            )

    def reads(self) -> dict[str, str]:
        return {"text": "text"}

    def tokenizers(self, texts: dict[str, Sequence[str]], pretrained: dict[str, Tokenizer]) -> dict[str, Tokenizer]:
        names = [*MASKS.values(), BEGIN, END]
        return {"tokenizer": vocabulary(texts["text"], pretrained, self.kind, self.max_vocab_size, names)}

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

    def __init__(self, tokenizer: Tokenizer, config: BlankInfillingConfig = BlankInfillingConfig(), *, max_len: int):
        super().__init__(tokenizer, config, max_len=max_len)
        self.masks = {level: tokenizer.special_id(name) for level, name in MASKS.items()}
        self.begin, self.end = (tokenizer.special_id(name) for name in (BEGIN, END))
        self.ends = sentence_ends(tokenizer)
        # a Poisson distribution without 0, as in GLM's own code
        log_rate = math.log(config.mean_span)
        self.weights = [math.exp(k * log_rate - math.lgamma(k + 1)) for k in range(1, LONGEST_SPAN + 1)]

    def longest_row(self, n: int) -> int:
        return n + 2 + 2 * self.wanted(n)  # a mask and a [sop] for each blank, which has at least one token

    def wanted(self, n: int) -> int:
        """The smallest number of tokens in the blanks of a text of n tokens."""
        return max(1, int(self.config.rate * n))

    def collate(self, examples: list, generator: torch.Generator | None = None):
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
                found = sentences(ids, self.ends)
                mixed = [found[i] for i in torch.randperm(len(found), generator=generator).tolist()]
                chosen: list[Span] = []
                while sum(stop - start for start, stop in chosen) < self.wanted(n):
                    chosen.append(mixed[len(chosen)])
                return sorted(chosen), self.end
            case "document":
                length = draw(max(1, int(self.config.shortest_document * n)), n, generator)
                if torch.rand((), generator=generator) < self.config.suffix:
                    return [(n - length, n + 1)], None
                start = draw(0, n - length, generator)
                return [(start, start + length)], self.end

    def restore(self, row: Row) -> list[int]:
        return self.read(row)[1:-1]

    def read(self, row: Row) -> list[int]:
        """The text whose blanks are filled with the labels of part B.

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
        return put(row.ids[:a], answers, frozenset(self.masks.values()))

    def parts(self) -> dict[str, "BlankInfilling"]:
        """One objective for each level with a share."""
        if sum(share > 0 for share in self.config.shares) == 1:
            return {}
        alone = {level: tuple(float(other == level) for other in LEVELS) for level in LEVELS}
        return {
            level: BlankInfilling(self.tokenizer, replace(self.config, shares=alone[level]), max_len=self.max_len)
            for level, share in zip(LEVELS, self.config.shares, strict=True)
            if share > 0
        }

    def fill(self, model: nn.Module, texts: Sequence[str], *, max_new: int = 20) -> list[str]:
        """The texts with something for each `[MASK]`, `[sMASK]` and `[gMASK]` in them, from left to right; each of them
        is filled knowing the answers before it. A text that ends with `[gMASK]` is continued.

        max_new: the largest number of tokens for one blank.

        Raises:
            ValueError: a text without a blank, or one that leaves no room; names it.
        """
        check_positive(max_new=max_new)
        return [self._fill(model, text, max_new) for text in texts]

    def _fill(self, model: nn.Module, text: str, max_new: int) -> str:
        device, ids = next(model.parameters()).device, {MASKS[level]: i for level, i in self.masks.items()}
        *parts, last = re.split(f"({'|'.join(map(re.escape, ids))})", text)
        if not parts:
            raise ValueError(f"{text[:80]!r} has no {', '.join(ids)}: write one where something is missing")
        part_a = [self.tokenizer.bos_id]
        for i, part in enumerate(parts):
            # in a byte-level vocabulary, the space before a blank belongs to it
            part_a += [ids[part]] if i % 2 else self.tokenizer.encode(part.rstrip())
        continued = not last.strip() and part_a[-1] == self.masks["document"]
        part_a += [] if continued else [*self.tokenizer.encode(last), self.tokenizer.eos_id]

        answers, stops = {}, [self.end, self.tokenizer.eos_id]
        read, place, block = part_a, list(range(len(part_a))), [0] * len(part_a)
        for position in (i for i, token in enumerate(part_a) if token in ids.values()):
            read, place, block = [*read, self.begin], [*place, position], [*block, 1]
            if len(read) + max_new > self.max_len + 1:  # the last new token is generated but never read
                raise ValueError(
                    f"{text[:80]!r} leaves no room for max_new={max_new} in a blank: {len(read)} of max_len={self.max_len} "
                    "tokens are used. Shorten the text, or lower max_new"
                )
            rows = [torch.tensor([row], device=device) for row in (read, place, block)]
            none, prefix = torch.zeros(1, dtype=torch.long, device=device), torch.tensor([len(part_a)], device=device)
            (answer,) = greedy(model, (rows[0], none, prefix, *rows[1:]), max_new=max_new, stop=stops)
            answers[position] = answer
            read, place = [*read, *answer], [*place, *[position] * len(answer)]
            block = [*block, *range(2, len(answer) + 2)]
        return self.tokenizer.decode(put(part_a, answers, frozenset(ids.values()))).strip()

    def _span_lengths(self, n: int, generator: torch.Generator | None) -> list[int]:
        lengths: list[int] = []
        # A short text, or a high rate, has no room for every length; in GLM's own code, all texts are long.
        while sum(lengths) < self.wanted(n) and (room := n - sum(lengths) - len(lengths)) > 0:
            lengths.append(min(draw_one(self.weights, generator) + 1, room))
        return lengths
