"""UniLM: one network that fills in masked tokens under four masks {cite}`dong2019unified`. Built in chapter 6.1.

    mode             share   row                      mask                          segments
    bidirectional    1/3     [CLS] a [SEP] b [SEP]    everything                    0, 1
    seq2seq          1/3     [CLS] a [SEP] b [SEP]    prefix [CLS] a [SEP]          4, 5
    left_to_right    1/6     [CLS] u [SEP]            causal                        2
    right_to_left    1/6     [CLS] u [SEP]            each token and later ones     3

All four losses are cloze losses: −Σ log P(u_i | the corrupted row), at the chosen positions i alone. No position predicts
the next token. A right-to-left network is a causal one that reads the row backwards, with the positions numbered
backwards too; so the four masks are prefix masks, and the model is an ordinary prefix decoder.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from seqbook.data.tokenizer import Tokenizer
from seqbook.generation.decoding import check_prompts
from seqbook.generation.sampling import sampler
from seqbook.nn.checks import check_positive
from seqbook.nn.mode import evaluating
from seqbook.objectives.batch import IGNORED
from seqbook.objectives.drawing import check_shares, draw, draw_one, sentence_ends, sentences
from seqbook.objectives.filling import CLS, MASK, SEP
from seqbook.objectives.masked import Masked
from seqbook.objectives.rows import Row, TextRows, TextRowsConfig, collate

Mode = Literal["bidirectional", "seq2seq", "left_to_right", "right_to_left"]
MODES: tuple[Mode, ...] = get_args(Mode)
SEGMENTS: dict[Mode, tuple[int, int]] = {
    "bidirectional": (0, 1),
    "seq2seq": (4, 5),
    "left_to_right": (2, 2),
    "right_to_left": (3, 3),
}
SEVERAL = 0.2  # how often two or three neighbouring tokens are chosen at once


@dataclass(frozen=True, kw_only=True)
class UniLMConfig(TextRowsConfig):
    """shares: how often each mode is drawn, in the order of `MODES`; rate: the share of tokens that are chosen.

    Of the chosen tokens, 80 % become `[MASK]`, 10 % a random token, and 10 % stay.

    Raises:
        ValueError: a rate outside 0 to 1, or shares that are negative or all 0.
    """

    shares: tuple[float, float, float, float] = (1 / 3, 1 / 3, 1 / 6, 1 / 6)
    rate: float = 0.15
    fills: ClassVar[tuple[str, ...]] = ("vocab_size", "n_segments")

    def __post_init__(self):
        super().__post_init__()
        check_shares(self.shares, MODES)
        if not 0 < self.rate <= 1:
            raise ValueError(f"rate={self.rate} must be above 0 and at most 1")

    def special(self) -> list[str]:
        return [CLS, SEP, MASK]

    def build(self, tokenizers: dict[str, Tokenizer], max_len: int) -> "UniLM":
        return UniLM(**tokenizers, config=self, max_len=max_len)


class UniLM(TextRows):
    """Each row draws its mode. In two modes the text is cut in two, after one of its sentences; a single sentence is cut
    anywhere. The next-sentence prediction that the paper adds to its bidirectional mode is left out.

    Raises:
        ValueError: a tokenizer without `[CLS]`, `[SEP]` or `[MASK]`.
    """

    PARTS = MODES
    shortest = 2

    def __init__(self, tokenizer: Tokenizer, config: UniLMConfig = UniLMConfig(), *, max_len: int):
        super().__init__(tokenizer, config, max_len=max_len)
        self.cls, self.sep, self.mask = (tokenizer.special_id(name) for name in (CLS, SEP, MASK))
        self.ends = sentence_ends(tokenizer)
        self.masked = Masked(tokenizer, max_len=max_len)  # replaces the chosen tokens

    def sizes(self) -> dict[str, int]:
        return super().sizes() | {"n_segments": 6}

    def longest_row(self, n: int) -> int:
        return n + 3

    def row(self, ids: list[int], generator: torch.Generator | None = None) -> Row:
        self.check(ids)
        mode, cut = MODES[draw_one(self.config.shares, generator)], self.cut(ids, generator)
        chosen = self.choose(len(ids), generator)
        corrupted = self.masked.corrupt(torch.tensor(ids), chosen, generator).tolist()
        return self.row_of(mode, ids, corrupted, chosen.tolist(), cut)

    def cut(self, ids: list[int], generator: torch.Generator | None = None) -> int:
        """The number of tokens of the first part."""
        places = [stop for _, stop in sentences(ids, self.ends)][:-1] or range(1, len(ids))
        return places[draw(0, len(places) - 1, generator)]

    def choose(self, n: int, generator: torch.Generator | None = None) -> Bool[Tensor, " time"]:
        """Which of n tokens are chosen: max(1, round(rate·n)), by ones, twos and threes."""
        wanted, chosen = max(1, round(self.config.rate * n)), torch.zeros(n, dtype=torch.bool)
        while (left := wanted - int(chosen.sum())) > 0:
            several = torch.rand((), generator=generator) < SEVERAL
            length = min(draw(2, 3, generator) if several else 1, left)
            start = draw(0, n - length, generator)
            chosen[start : start + length] = True  # some may be chosen already: then more are drawn
        return chosen

    def row_of(self, mode: Mode, ids: list[int], corrupted: list[int], chosen: list[bool], cut: int) -> Row:
        """The row of a text in this mode. corrupted: what the network reads in place of `ids`."""
        labels = [i if is_chosen else IGNORED for i, is_chosen in zip(ids, chosen, strict=True)]
        first, second = SEGMENTS[mode]
        if mode in ("bidirectional", "seq2seq"):
            read = [self.cls, *corrupted[:cut], self.sep, *corrupted[cut:], self.sep]
            labels = [IGNORED, *labels[:cut], IGNORED, *labels[cut:], IGNORED]
            segments = [first] * (cut + 2) + [second] * (len(ids) - cut + 1)
            prefix = len(read) if mode == "bidirectional" else cut + 2
        else:
            read, labels = [self.cls, *corrupted, self.sep], [IGNORED, *labels, IGNORED]
            segments, prefix = [first] * len(read), 0
        position_ids = list(range(len(read)))
        if mode == "right_to_left":
            read, labels, position_ids = read[::-1], labels[::-1], position_ids[::-1]
        return Row(read, labels, prefix, position_ids, segments=segments)

    def restore(self, row: Row) -> list[int]:
        tokens = [i if label == IGNORED else label for i, label in zip(row.ids, row.labels, strict=True)]
        ordered = [token for _, token in sorted(zip(row.position_ids, tokens, strict=True))]
        return [token for token in ordered if token not in (self.cls, self.sep)]

    @torch.inference_mode()
    def generate(
        self, model: nn.Module, texts: Sequence[str], *, max_new: int = 40, seed: int = 0, **how: Any
    ) -> list[str]:
        """What follows each text, in seq2seq mode: the network fills in a `[MASK]` after the row, then another one after
        it, up to `[SEP]`. Pretraining never masks `[SEP]`, so before fine-tuning a text usually has `max_new` tokens.

        how: as in `generation.sampling.sampler`; top_k=1 takes the most probable token.

        Raises:
            ValueError: a text without tokens, or one that leaves no room for `max_new` tokens.
        """
        check_positive(max_new=max_new)
        device, encoded = next(model.parameters()).device, self.tokenizer.encode_batch(texts)
        check_prompts(encoded)
        generator, found = torch.Generator(device).manual_seed(seed), []
        for text, ids in zip(texts, encoded, strict=True):
            choose = sampler(generator=generator, **how)  # with a stream of its own, whatever is drawn for other texts
            if len(ids) + 2 + max_new > self.max_len:
                raise ValueError(
                    f"{text[:80]!r} is {len(ids)} tokens long, which leaves no room for max_new={max_new}: at most "
                    f"{max(0, self.max_len - 2 - max_new)} fit under max_len={self.max_len}"
                )
            new: list[int] = []
            with evaluating(model):
                while len(new) < max_new and self.sep not in new:
                    row = self.row_of("seq2seq", [*ids, *new], [*ids, *new], [False] * len(ids + new), len(ids))
                    masked = row._replace(ids=[*row.ids[:-1], self.mask])  # in place of the [SEP] at the end
                    logits = model(*collate([masked], self.tokenizer.pad_id).to(device).inputs)[:, -1].float()
                    logits[:, [self.mask, self.cls, self.tokenizer.pad_id]] = -torch.inf
                    new.append(int(choose(logits)))
            found.append(self.tokenizer.decode(new))
        return found
