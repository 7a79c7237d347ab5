"""UL2: a mixture of denoisers, each with a token that says which one it is {cite}`tay2023ul2`. Built in chapter 6.3.

    R regular       <bos> [R] x0 <0> x3 x4 │ <0> x1 x2 <eos>       short blanks, about 15 % of the text
    S sequential    <bos> [S] x0 x1 x2 │ x3 x4 <eos>               one blank at the end: a prefix and its continuation
    X extreme       <bos> [X] x0 <0> x4 │ <0> x1 x2 x3 <eos>       long blanks, or half of the text

Here <0>, <1>, … are the sentinels `<extra_id_0>`, `<extra_id_1>`, …, and the prefix is on the left of the bar. The first
UL2 is an encoder-decoder; here one stack reads the prefix in both directions and then predicts the rest, as in U-PaLM
{cite}`tay2022transcending`, which continues the training of a causal decoder in this way.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, NamedTuple, get_args

import torch
from torch import nn

from seqbook.data.tokenizer import Kind, Tokenizer
from seqbook.nn.checks import check_positive
from seqbook.objectives.continuing import continue_prefixes
from seqbook.objectives.drawing import Span, check_shares, draw, draw_one, partition, scatter
from seqbook.objectives.filling import MASK
from seqbook.objectives.rows import Row, row_of, sequence_of
from seqbook.objectives.text_rows import TextRows, vocabulary

Mode = Literal["R", "S", "X"]
Mixture = Literal["u-palm", "ul2"]
MODES: tuple[Mode, ...] = get_args(Mode)
TOKENS: dict[Mode, str] = {mode: f"[{mode}]" for mode in MODES}


class Denoiser(NamedTuple):
    """share: how often it is drawn; mean: of the blanks' lengths (tokens; None: one blank at the end of the text); rate:
    the share of tokens in blanks (at the end of the text: on average)."""

    mode: Mode
    share: float
    mean: int | None
    rate: float


SEQUENTIAL = Denoiser("S", 0.2, None, 0.25)
MIXTURES: dict[Mixture, tuple[Denoiser, ...]] = {
    # three kinds; half of the examples are sequential
    "u-palm": (
        SEQUENTIAL._replace(share=0.5),
        Denoiser("R", 0.25, 3, 0.15),
        Denoiser("X", 0.125, 32, 0.15),
        Denoiser("X", 0.125, 3, 0.5),
    ),
    # the seven of the paper's table 1; S has a fifth, as is common, and the shares of the others are equal
    "ul2": (
        SEQUENTIAL,
        *(Denoiser("R", 0.8 / 6, mean, 0.15) for mean in (3, 8)),
        *(Denoiser("X", 0.8 / 6, mean, rate) for mean, rate in ((3, 0.5), (8, 0.5), (64, 0.15), (64, 0.5))),
    ),
}


@dataclass(frozen=True, kw_only=True)
class DenoisersConfig:
    """mixture: the denoisers and their shares; modes: the share of each mode in place of the mixture's own, in the order
    of `MODES` (None: as in the mixture); mode_tokens: whether a row begins with the token of its mode; n_sentinels: how
    many blanks a text can have; kind: the kind of tokens; max_vocab_size: the number of tokens for byte pairs.

    Raises:
        ValueError: an unknown mixture, or shares that are negative or all 0.
    """

    mixture: Mixture = "u-palm"
    modes: tuple[float, float, float] | None = None
    mode_tokens: bool = True
    n_sentinels: int = 32
    kind: Kind = "word"
    max_vocab_size: int = 30_000
    fills: ClassVar[tuple[str, ...]] = ("vocab_size",)

    def __post_init__(self):
        check_positive(max_vocab_size=self.max_vocab_size, n_sentinels=self.n_sentinels)
        if self.mixture not in MIXTURES:
            raise ValueError(f"mixture={self.mixture!r}: choose one of {', '.join(MIXTURES)}")
        if self.modes is not None:
            check_shares("modes", self.modes, MODES)

    def denoisers(self) -> list[Denoiser]:
        """The denoisers with a share above 0."""
        found = list(MIXTURES[self.mixture])
        if self.modes is not None:
            totals = {mode: sum(d.share for d in found if d.mode == mode) for mode in MODES}
            wanted = dict(zip(MODES, self.modes, strict=True))
            found = [d._replace(share=d.share / totals[d.mode] * wanted[d.mode]) for d in found]
        return [d for d in found if d.share > 0]

    def reads(self) -> dict[str, str]:
        return {"text": "text"}

    def tokenizers(self, texts: dict[str, Sequence[str]], pretrained: dict[str, Tokenizer]) -> dict[str, Tokenizer]:
        # as in T5, the first sentinel has the highest id
        names = [*TOKENS.values(), *(sentinel(i) for i in reversed(range(self.n_sentinels)))]
        return {"tokenizer": vocabulary(texts["text"], pretrained, self.kind, self.max_vocab_size, names)}

    def build(self, tokenizers: dict[str, Tokenizer], max_len: int) -> "Denoisers":
        return Denoisers(**tokenizers, config=self, max_len=max_len)


def sentinel(i: int) -> str:
    """The name of the token that stands for blank i."""
    return f"<extra_id_{i}>"


def n_blanks(n: int, mean: int, rate: float) -> tuple[int, int]:
    """How many of n tokens are in blanks, and in how many blanks, as in T5 {cite}`raffel2020exploring`.

    Raises:
        ValueError: fewer than two tokens.
    """
    if n < 2:
        raise ValueError(f"a text of {n} tokens is too short to corrupt: it needs at least 2")
    hidden = min(max(round(n * rate), 1), n - 1)
    return hidden, min(max(round(hidden / mean), 1), hidden, n - hidden)


def random_blanks(n: int, mean: int, rate: float, generator: torch.Generator | None = None) -> list[Span]:
    """Blanks at random places of n tokens, with at least one token between two of them. Their lengths add up to n·rate.

    T5's own rule always puts the last blank at the end of the text. A short text has only one blank, and R and X would
    both become S.
    """
    hidden, k = n_blanks(n, mean, rate)
    return scatter(partition(hidden, k, generator), n, generator)


class Denoisers(TextRows):
    """Each row draws its denoiser.

    Raises:
        ValueError: a tokenizer without the special tokens, or with fewer sentinels than a text of max_len tokens needs.
    """

    shortest = 2

    def __init__(self, tokenizer: Tokenizer, config: DenoisersConfig = DenoisersConfig(), *, max_len: int):
        self.denoisers = config.denoisers()
        super().__init__(tokenizer, config, max_len=max_len)
        self.modes = {mode: tokenizer.special_id(name) for mode, name in TOKENS.items()}
        if self._most_blanks(self.room) > config.n_sentinels:
            raise ValueError(
                f"a text of {self.room} tokens can have {self._most_blanks(self.room)} blanks: set n_sentinels, which is "
                f"{config.n_sentinels}, to at least as many"
            )
        self.sentinels = [tokenizer.special_id(sentinel(i)) for i in range(config.n_sentinels)]

    def longest_row(self, n: int) -> int:
        return n + 2 + 2 * self._most_blanks(n)  # <bos> and the mode; each blank has two sentinels; <eos> is a label

    def row(self, ids: list[int], generator: torch.Generator | None = None) -> Row:
        self.check(ids)
        denoiser = self.denoisers[draw_one([d.share for d in self.denoisers], generator)]
        if denoiser.mean is None:
            longest = max(1, min(len(ids) - 1, round(2 * denoiser.rate * len(ids)) - 1))
            return self.corrupt(ids, denoiser.mode, [(len(ids) - draw(1, longest, generator), len(ids))])
        return self.corrupt(ids, denoiser.mode, random_blanks(len(ids), denoiser.mean, denoiser.rate, generator))

    def corrupt(self, ids: list[int], mode: Mode, spans: Sequence[Span]) -> Row:
        """The row of a text with these blanks, which are in the order of the text and do not touch.

        Raises:
            ValueError: blanks that are not so, or more than there are sentinels; in mode S, not one at the end.
        """
        edges = [0, *(edge + i % 2 for span in spans for i, edge in enumerate(span))]
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
        return [self.tokenizer.bos_id, *([self.modes[mode]] if self.config.mode_tokens else []), *ids]

    def restore(self, row: Row) -> list[int]:
        """The text whose blanks are filled with the labels.

        Raises:
            ValueError: an answer without an end; blanks and answers that do not belong together.
        """
        sequence, n = sequence_of(row), row.prefix_length
        return self.join(sequence[1 + self.config.mode_tokens : n], sequence[n:])

    def join(self, corrupted: Sequence[int], target: Sequence[int]) -> list[int]:
        """A text from its corrupted form and the target: what follows a sentinel in the target replaces it.

        Raises:
            ValueError: as `restore`.
        """
        *target, last = target
        if last != self.tokenizer.eos_id:
            raise ValueError("the last blank has no end: its answer must end with <eos>")
        marks = [i for i in corrupted if i in self.sentinels]
        if not marks:
            return [*corrupted, *target]
        found = [i for i in target if i in self.sentinels]
        if found != marks or target[0] != marks[0]:
            names = (", ".join(self.tokenizer.tokens(ids)) or "none" for ids in (marks, found))
            raise ValueError("the text has the blanks {}, the target answers {}".format(*names))
        answers = self._answers(target)
        return [token for i in corrupted for token in answers.get(i, [i])]

    def parts(self) -> dict[str, "Denoisers"]:
        """One objective for each mode."""
        if len(modes := {d.mode for d in self.denoisers}) == 1:
            return {}
        alone = {mode: tuple(float(m == mode) for m in MODES) for mode in MODES}
        return {
            mode: Denoisers(self.tokenizer, replace(self.config, modes=alone[mode]), max_len=self.max_len)
            for mode in MODES
            if mode in modes
        }

    def generate(
        self, model: nn.Module, texts: Sequence[str], *, mode: Mode = "S", max_new: int = 40, beams: int = 1
    ) -> list[str]:
        """What the model writes after each text in this mode, up to `<eos>`. Each "[MASK]" in a text is a blank.

        Sentinels in the answers are written as `<extra_id_0>`, so that it can be read which answer is whose.

        Raises:
            ValueError: a text that leaves no room for `max_new` tokens, or with more blanks than there are sentinels.
        """
        prompts = [self.prefix(mode, self._blanks(text)) for text in texts]
        new = continue_prefixes(
            model, self.tokenizer, prompts, "bidirectional", max_new=[max_new] * len(prompts), beams=beams
        )
        return [self._show(ids, [sentinel(i) for i in range(len(self.sentinels))]) for ids in new]

    def fill(self, model: nn.Module, texts: Sequence[str], *, mode: Mode = "R", max_new: int = 40) -> list[str]:
        """The texts with an answer for each "[MASK]". A blank that the model does not answer stays "[MASK]".

        Raises:
            ValueError: as `generate`; a text without a blank.
        """
        corrupted = [self._blanks(text) for text in texts]
        for text, ids in zip(texts, corrupted, strict=True):
            if self.sentinels[0] not in ids:
                raise ValueError(f"{text[:80]!r} has no {MASK}: write it where something is missing")
        prompts = [self.prefix(mode, ids) for ids in corrupted]
        new = continue_prefixes(model, self.tokenizer, prompts, "bidirectional", max_new=[max_new] * len(prompts))
        answers = map(self._answers, new)  # some may be missing
        filled = [[t for i in ids for t in a.get(i, [i])] for ids, a in zip(corrupted, answers, strict=True)]
        return [self._show(ids, [MASK] * len(self.sentinels)) for ids in filled]

    def _answers(self, target: Sequence[int]) -> dict[int, list[int]]:
        """The ids after each sentinel, up to the next one."""
        answers: dict[int, list[int]] = {}
        current: list[int] = []
        for token in target:
            if token in self.sentinels:
                current = answers.setdefault(token, [])
            else:
                current.append(token)
        return answers

    def _show(self, ids: Sequence[int], names: Sequence[str]) -> str:
        """The text of the ids, with a name for each sentinel."""
        parts, run = [], []
        for i in ids:
            if i in self.sentinels:
                parts += [self.tokenizer.decode(run), names[self.sentinels.index(i)]]
                run = []
            else:
                run.append(i)
        return " ".join(part.strip() for part in (*parts, self.tokenizer.decode(run)) if part.strip())

    def _blanks(self, text: str) -> list[int]:
        """The ids of a text in which each "[MASK]" becomes the next sentinel."""
        first, *others = text.split(MASK)
        if len(others) > len(self.sentinels):
            raise ValueError(f"{text[:80]!r} has {len(others)} blanks, but n_sentinels={len(self.sentinels)}")
        ids = self.tokenizer.encode(first.rstrip() if others else first)
        for i, part in enumerate(others):
            is_last = i == len(others) - 1
            ids += [self.sentinels[i], *self.tokenizer.encode(part if is_last else part.rstrip())]
        return ids

    def _most_blanks(self, n: int) -> int:
        counted = [d for d in self.denoisers if d.mean is not None]
        return max((n_blanks(n, d.mean, d.rate)[1] for d in counted), default=0) if n > 1 else 0
