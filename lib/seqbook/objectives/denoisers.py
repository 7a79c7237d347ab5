"""UL2: a mixture of denoisers, each with a token that says which one it is {cite}`tay2023ul2`. Built in chapter 6.3.

    R regular       <bos> [R] x0 <0> x3 x4 │ <0> x1 x2 <eos>       short blanks, about 15 % of the text
    S sequential    <bos> [S] x0 x1 x2 │ x3 x4 <eos>               one blank at the end: a prefix and its continuation
    X extreme       <bos> [X] x0 <0> x4 │ <0> x1 x2 x3 <eos>       long blanks, or half of the text

Here <0>, <1>, … are the sentinels `<extra_id_0>`, `<extra_id_1>`, …, and the prefix is on the left of the bar. The first
UL2 is an encoder-decoder; here one stack reads the prefix in both directions and then predicts the rest, as in U-PaLM
{cite}`tay2022transcending`, which continues the training of a causal decoder in this way.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import nn

from seqbook.data.tokenizer import Tokenizer
from seqbook.generation.beam import beam
from seqbook.nn.checks import check_positive
from seqbook.objectives.causal import continue_texts
from seqbook.objectives.corruption.spans import SENTINEL, count_noise, partition, sentinel_ids, spans_of
from seqbook.objectives.drawing import Span, check_shares, draw, draw_one, scatter
from seqbook.objectives.filling import MASK, Filled
from seqbook.objectives.rows import Row, TextRows, TextRowsConfig, encode_blanks, row_of, sequence_of

Mode = Literal["R", "S", "X"]
Mixture = Literal["u-palm", "ul2"]
MODES: tuple[Mode, ...] = get_args(Mode)
TOKENS: dict[Mode, str] = {mode: f"[{mode}]" for mode in MODES}

# The mean length of the blanks (tokens) and the share of tokens in them. R and X draw one of their settings.
DENOISERS: dict[Mixture, dict[Literal["R", "X"], tuple[tuple[float, float], ...]]] = {
    "u-palm": {"R": ((3.0, 0.15),), "X": ((32.0, 0.15), (3.0, 0.5))},
    "ul2": {  # the paper's table 1
        "R": ((3.0, 0.15), (8.0, 0.15)),
        "X": ((3.0, 0.5), (8.0, 0.5), (64.0, 0.15), (64.0, 0.5)),
    },
}
SEQUENTIAL = 0.25  # the share of tokens in the blank of S, on average


@dataclass(frozen=True, kw_only=True)
class DenoisersConfig(TextRowsConfig):
    """mixture: the settings of R and X; shares: how often each mode is drawn, in the order of `MODES` (here as in U-PaLM);
    n_sentinels: how many blanks a text can have.

    Raises:
        ValueError: an unknown mixture, or shares that are negative or all 0.
    """

    mixture: Mixture = "u-palm"
    shares: tuple[float, float, float] = (0.25, 0.5, 0.25)
    n_sentinels: int = 32

    def __post_init__(self):
        super().__post_init__()
        check_positive(n_sentinels=self.n_sentinels)
        check_shares(self.shares, MODES)
        if self.mixture not in DENOISERS:
            raise ValueError(f"mixture={self.mixture!r}: choose one of {', '.join(DENOISERS)}")

    def special(self) -> list[str]:
        # as in T5, the first sentinel has the highest id
        return [*TOKENS.values(), *(SENTINEL.format(i) for i in reversed(range(self.n_sentinels)))]

    def build(self, tokenizers: dict[str, Tokenizer], max_len: int) -> "Denoisers":
        return Denoisers(**tokenizers, config=self, max_len=max_len)


def random_blanks(n: int, mean: float, rate: float, generator: torch.Generator | None = None) -> list[Span]:
    """The blanks of T5's noise at random places of n tokens, with at least one token between two of them.

    T5 itself always puts the last blank at the end of the text. A short text has only one blank, and R and X would both
    become S.
    """
    n_noise, n_spans = count_noise(n, rate, mean)
    return scatter(partition(n_noise, n_spans, generator).tolist(), n, generator)


class Denoisers(TextRows):
    """Each row draws its mode.

    Raises:
        ValueError: a tokenizer without the special tokens, or with fewer sentinels than a text of max_len tokens needs.
    """

    PARTS = MODES
    shortest = 2

    def __init__(self, tokenizer: Tokenizer, config: DenoisersConfig = DenoisersConfig(), *, max_len: int):
        self.settings = DENOISERS[config.mixture]
        super().__init__(tokenizer, config, max_len=max_len)
        self.modes = {mode: tokenizer.special_id(name) for mode, name in TOKENS.items()}
        self.sentinels = sentinel_ids(tokenizer)
        self.written = re.compile("|".join(map(re.escape, config.special())))  # special tokens, as one would type them
        if self._most_blanks(self.room) > len(self.sentinels):
            raise ValueError(
                f"a text of {self.room} tokens can have {self._most_blanks(self.room)} blanks, but the vocabulary has "
                f"{len(self.sentinels)} sentinels: set n_sentinels to at least as many"
            )

    def refuse_special(self, texts: Sequence[str]) -> None:
        """Check that nobody typed a mode token or a sentinel: the tokenizer would read it as ordinary characters.

        Raises:
            ValueError: a text with one; names both.
        """
        for text in texts:
            if found := self.written.search(text):
                raise ValueError(
                    f"{text[:80]!r} contains {found[0]!r}, which the objective itself adds to a row: remove it from the "
                    f"text, choose a mode with mode=…, and write {MASK} for a blank"
                )

    def tokenize(self, text: Sequence[str]) -> dict[str, list[list[int]]]:
        """As in `TextRows`.

        Raises:
            ValueError: as `TextRows.tokenize`; as `refuse_special`.
        """
        self.refuse_special(text)
        return super().tokenize(text)

    def longest_row(self, n: int) -> int:
        return n + 2 + 2 * self._most_blanks(n)  # <bos> and the mode; each blank has two sentinels; <eos> is a label

    def row(self, ids: list[int], generator: torch.Generator | None = None) -> Row:
        self.check(ids)
        n, mode = len(ids), MODES[draw_one(self.config.shares, generator)]
        if mode == "S":
            longest = max(1, round(2 * SEQUENTIAL * n) - 1)
            return self.corrupt(ids, mode, [(n - draw(1, longest, generator), n)])
        settings = self.settings[mode]
        mean, rate = settings[draw(0, len(settings) - 1, generator)]
        return self.corrupt(ids, mode, random_blanks(n, mean, rate, generator))

    def corrupt(self, ids: list[int], mode: Mode, spans: Sequence[Span]) -> Row:
        """The row of a text with these blanks, which are in the order of the text and do not touch.

        Raises:
            ValueError: blanks that are not so, or more than there are sentinels; in mode S, not one at the end.
        """
        edges = [0, *(edge + i for span in spans for i, edge in enumerate(span))]
        if not spans or any(a >= b for a, b in spans) or edges != sorted(edges) or spans[-1][1] > len(ids):
            raise ValueError(f"the blanks {list(spans)} do not fit a text of {len(ids)} tokens: they must not touch")
        if mode == "S":
            if len(spans) != 1 or spans[0][1] != len(ids):
                raise ValueError(f"the blanks {list(spans)} must be one at the end of the text in mode S")
            return row_of(self.prefix(mode, ids[: spans[0][0]]), [*ids[spans[0][0] :], self.tokenizer.eos_id])
        if len(spans) > len(self.sentinels):
            raise ValueError(
                f"{len(spans)} blanks, but n_sentinels={len(self.sentinels)}: give fewer, or set it higher"
            )
        corrupted, target, done = [], [], 0
        for mark, (start, stop) in zip(self.sentinels, spans, strict=False):
            corrupted += [*ids[done:start], mark]
            target += [mark, *ids[start:stop]]
            done = stop
        return row_of(self.prefix(mode, corrupted + ids[done:]), [*target, self.tokenizer.eos_id])

    def prefix(self, mode: Mode, ids: list[int]) -> list[int]:
        """What the model reads in both directions."""
        return [self.tokenizer.bos_id, self.modes[mode], *ids]

    def restore(self, row: Row) -> list[int]:
        """The text whose blanks are filled with the labels.

        Raises:
            ValueError: an answer without an end; blanks and answers that do not belong together.
        """
        sequence, n = sequence_of(row), row.prefix_length
        return self.join(sequence[2:n], sequence[n:])

    def join(self, corrupted: Sequence[int], target: Sequence[int]) -> list[int]:
        """A text from its corrupted form and the target: what follows a sentinel in the target replaces it.

        Raises:
            ValueError: as `restore`.
        """
        *target, last = target
        if last != self.tokenizer.eos_id:
            raise ValueError("the last blank has no end: its answer must end with <eos>")
        marks, found = ([i for i in ids if i in self.sentinels] for ids in (corrupted, target))
        if found != marks or (marks and target[0] != marks[0]):
            names = (", ".join(self.tokenizer.tokens(ids)) or "none" for ids in (marks, found))
            raise ValueError("the text has the blanks {}, the target answers {}".format(*names))
        if not marks:  # in mode S
            return [*corrupted, *target]
        answers = self.answers(target)
        return [token for i in corrupted for token in answers.get(i, [i])]

    def answers(self, target: Sequence[int]) -> dict[int, list[int]]:
        """The ids after each sentinel, up to the next one."""
        return spans_of(target, self.sentinels)

    def prompt(self, text: str, mode: Mode) -> list[int]:
        """The prefix of a text in which each "[MASK]" becomes the next sentinel, after which the model writes the answers.

        Raises:
            ValueError: a text without a blank, or with more blanks than there are sentinels; as `refuse_special`.
        """
        self.refuse_special([text])
        mask = -1  # no id: it is replaced by the sentinels
        ids = encode_blanks(self.tokenizer, text, {MASK: mask})
        if ids.count(mask) > len(self.sentinels):
            raise ValueError(f"{text[:80]!r} has {ids.count(mask)} blanks, but n_sentinels={len(self.sentinels)}")
        marks = iter(self.sentinels)
        return self.prefix(mode, [next(marks) if i == mask else i for i in ids])

    def generate(self, model: nn.Module, texts: Sequence[str], **how: Any) -> list[str]:
        """Each text with its continuation by the model in mode S, up to `<eos>`.

        how: as in `continue_texts`.

        Raises:
            ValueError: as `refuse_special`.
        """
        self.refuse_special(texts)
        begin = self.prefix("S", [])
        return continue_texts(model, self.tokenizer, texts, begin, self.tokenizer.eos_id, **how)

    def fill(
        self, model: nn.Module, texts: Sequence[str], *, top: int = 5, max_new: int = 40, mode: Mode = "R"
    ) -> list[Filled]:
        """The texts with an answer for each "[MASK]", which is empty if the model writes none.

        top: the number of beams. All answers of a text are written as one sequence; what is listed for each blank are its
        answers in the sequences that are found, with the sum of their probabilities. The most probable sequence is
        filled in. max_new: the largest number of tokens in the sequence.

        Raises:
            ValueError: as `prompt`; a text that leaves no room.
        """
        check_positive(top=top, max_new=max_new)
        return [self._fill(model, text, self.prompt(text, mode), top, max_new) for text in texts]

    def _fill(self, model: nn.Module, text: str, prompt: list[int], top: int, max_new: int) -> Filled:
        if len(prompt) + max_new > self.max_len + 1:  # the last new token is generated but never read
            raise ValueError(
                f"{text[:80]!r} leaves no room for max_new={max_new}: {len(prompt)} of max_len={self.max_len} tokens are "
                "used. Shorten the text, or lower max_new"
            )
        given = (torch.tensor([prompt], device=next(model.parameters()).device),)
        how = {"max_new": max_new, "stop": [self.tokenizer.eos_id], "beams": top, "length_penalty": 0.0}
        found = [(self.answers(ids), math.exp(score)) for ids, score in beam(model, given, **how)[0]]

        words = []
        for mark in (i for i in prompt if i in self.sentinels):
            total: dict[str, float] = {}
            for answers, p in found:
                answer = self.tokenizer.decode(answers.get(mark, [])).strip()
                total[answer] = total.get(answer, 0.0) + p
            words.append(sorted(total.items(), key=lambda pair: -pair[1]))
        best = found[0][0]
        filled = [token for i in prompt for token in (best.get(i, []) if i in self.sentinels else [i])]
        return Filled(self.tokenizer.decode(filled).strip(), words)

    def _most_blanks(self, n: int) -> int:
        if n < 2:
            return 0
        return max(count_noise(n, rate, mean)[1] for settings in self.settings.values() for mean, rate in settings)
