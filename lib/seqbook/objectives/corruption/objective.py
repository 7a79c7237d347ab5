"""Corrupted texts as sources: −Σ_i log P(y_i | y_<i, the corrupted text), where y is what was lost, or the whole text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import torch
from datasets import Dataset, DatasetDict
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqbook import metrics
from seqbook.data.tokenizer import Kind, Tokenizer
from seqbook.nn.checks import check_positive
from seqbook.objectives.batch import IGNORED, Batch, encode, pad, summed_nll
from seqbook.objectives.corruption import noises, spans
from seqbook.objectives.corruption.filling import MASK, fill_gaps, rewrite
from seqbook.objectives.filling import Filled
from seqbook.objectives.masked import continuing_ids

Noise = Literal["masking", "deletion", "infilling", "permutation", "rotation", "mix"]


@dataclass(frozen=True, kw_only=True)
class SpanCorruptionConfig:
    """kind: the kind of tokens of the column "text"; max_vocab_size: the number of tokens for byte pairs.

    rate: the share of tokens that are noise; mean_length: of a span of noise, in tokens; n_sentinels: how many sentinels
    the vocabulary gets.

    Raises:
        ValueError: a rate that is not between 0 and 1; a mean length or a number of sentinels below one.
    """

    kind: Kind = "word"
    max_vocab_size: int = 30_000
    rate: float = 0.15
    mean_length: float = 3.0
    n_sentinels: int = 100
    fills: ClassVar[tuple[str, ...]] = ("vocab_size", "pad_id")

    def __post_init__(self):
        check_positive(max_vocab_size=self.max_vocab_size, n_sentinels=self.n_sentinels)
        if not 0 < self.rate < 1:
            raise ValueError(f"rate={self.rate} must be above 0 and below 1")
        if self.mean_length < 1:
            raise ValueError(f"mean_length={self.mean_length} must be at least 1")

    def reads(self) -> dict[str, str]:
        return {"text": "text"}

    def tokenizers(self, texts: dict[str, Sequence[str]], _: dict[str, Tokenizer]) -> dict[str, Tokenizer]:
        """The first sentinel gets the highest id, as in T5."""
        tokenizer = Tokenizer.train(texts["text"], self.kind, self.max_vocab_size)
        names = [spans.SENTINEL.format(i) for i in range(self.n_sentinels)]
        return {"tokenizer": tokenizer.with_special(*reversed(names))}

    def build(self, tokenizers: dict[str, Tokenizer], max_len: int) -> "SpanCorruption":
        return SpanCorruption(**tokenizers, config=self, max_len=max_len)


@dataclass(frozen=True, kw_only=True)
class DenoisingConfig:
    """kind: the kind of tokens of the column "text"; max_vocab_size: the number of tokens for byte pairs.

    noise: one of BART's five noises, or "mix", with which it was trained: sentences are permuted, then words are
    infilled; rate: the share of tokens that are masked or deleted, or of words that are infilled; mean_length: of a span
    of infilling, in words.

    Raises:
        ValueError: an unknown noise; a rate that is not between 0 and 1; a mean length of 0 or less.
    """

    kind: Kind = "word"
    max_vocab_size: int = 30_000
    noise: Noise = "mix"
    rate: float = 0.3
    mean_length: float = 3.0
    fills: ClassVar[tuple[str, ...]] = ("vocab_size", "pad_id")

    def __post_init__(self):
        check_positive(max_vocab_size=self.max_vocab_size)
        if self.noise not in get_args(Noise):
            raise ValueError(f"noise={self.noise!r}: choose one of {', '.join(get_args(Noise))}")
        if not 0 < self.rate <= 1:
            raise ValueError(f"rate={self.rate} must be above 0 and at most 1")
        if self.mean_length <= 0:
            raise ValueError(f"mean_length={self.mean_length} must be above 0")

    def reads(self) -> dict[str, str]:
        return {"text": "text"}

    def tokenizers(self, texts: dict[str, Sequence[str]], _: dict[str, Tokenizer]) -> dict[str, Tokenizer]:
        return {"tokenizer": Tokenizer.train(texts["text"], self.kind, self.max_vocab_size).with_special(MASK)}

    def build(self, tokenizers: dict[str, Tokenizer], max_len: int) -> "Denoising":
        return Denoising(**tokenizers, config=self, max_len=max_len)


class Corruption:
    """Examples are the ids of texts, or of parts of them. A source and a target are made of each anew in every batch.

    The subclass says how, and which token the decoder reads first. The decoder reads the target without its last token,
    and predicts all of it.

    shortest, longest: how many tokens an example may have.
    """

    def __init__(self, tokenizer: Tokenizer, config: Any, *, max_len: int, start: int, shortest: int, longest: int):
        if longest < shortest:
            raise ValueError(f"max_len={max_len} leaves no room for a corrupted text: give more")
        self.tokenizers = {"tokenizer": tokenizer}
        self.tokenizer, self.config, self.max_len = tokenizer, config, max_len
        self.start, self.shortest, self.longest = start, shortest, longest

    def corrupt(self, ids: list[int], generator: torch.Generator | None = None) -> tuple[list[int], list[int]]:
        """The source and the target that are made of a text."""
        raise NotImplementedError

    def sizes(self) -> dict[str, int]:
        return {"vocab_size": len(self.tokenizer), "pad_id": self.tokenizer.pad_id}

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """One example per text.

        Raises:
            ValueError: a text that is too short to corrupt, or too long; names it and its length.
        """
        found = encode(self.tokenizer, texts, self.longest)
        for text, ids in zip(texts, found, strict=True):
            self._check_length(repr(text[:80]), ids)
        return found

    def tokenize(self, text: Sequence[str]) -> dict[str, list[list[int]]]:
        """The ids of each text, without special tokens."""
        return {"ids": self.tokenizer.encode_batch(text)}

    def examples(self, rows: Dataset) -> list[list[int]]:
        """All texts. One that is too long is divided into parts of about equal length.

        Raises:
            ValueError: a text that is too short to corrupt.
        """
        return [part for ids in rows["ids"][:] for part in self._parts(ids)]

    def lengths(self, example: list[int]) -> tuple[int]:
        return (len(example),)

    def collate(self, examples: list[list[int]], generator: torch.Generator | None = None) -> Batch:
        sources, targets = zip(*(self.corrupt(ids, generator) for ids in examples), strict=True)
        pad_id = self.tokenizer.pad_id
        decoder_inputs = pad([[self.start, *target[:-1]] for target in targets], pad_id)
        return Batch((pad(sources, pad_id), decoder_inputs), pad(targets, IGNORED))

    def nll(self, logits: Float[Tensor, "batch time vocab"], labels: Int[Tensor, "batch time"]) -> Float[Tensor, ""]:
        return summed_nll(logits, labels)

    loss = nll

    def scores(self, model: nn.Module, splits: DatasetDict) -> dict[str, Any]:
        """The loss (nats per token of the targets)."""
        return metrics.on_unseen(splits, lambda rows: {"loss": metrics.mean_nll(model, self, self.examples(rows))})

    def _parts(self, ids: list[int]) -> list[list[int]]:
        self._check_length("a text", ids)
        n, k = len(ids), -(-len(ids) // self.longest)
        return [ids[n * i // k : n * (i + 1) // k] for i in range(k)]

    def _check_length(self, text: str, ids: list[int]) -> None:
        if len(ids) < self.shortest:
            raise ValueError(
                f"{text} is {len(ids)} tokens long, which is too short to corrupt: it must have at least {self.shortest}"
            )


class SpanCorruption(Corruption):
    """T5's pretraining {cite}`raffel2020exploring`: the target lists the spans that sentinels replace in the source.

    Source and target end with `<eos>`, and the decoder begins with `<pad>`. Built in chapter 5.1.

    The texts form one long sequence, which is divided into examples, as in T5. A short text has one span, and its only
    place is the end: with one text per example, a model would never learn to fill a gap in the middle.

    Raises:
        ValueError: a tokenizer without `<eos>` or `<pad>`, or with fewer sentinels than the longest text has spans.
    """

    def __init__(self, tokenizer: Tokenizer, config: SpanCorruptionConfig = SpanCorruptionConfig(), *, max_len: int):
        longest = spans.longest_text(max_len, config.rate, config.mean_length)
        # Of one token, nothing can be taken out that would leave something to read.
        super().__init__(tokenizer, config, max_len=max_len, start=tokenizer.pad_id, shortest=2, longest=longest)
        self.eos, self.sentinels = tokenizer.eos_id, spans.sentinel_ids(tokenizer)
        _, n_spans = spans.count_noise(longest, config.rate, config.mean_length)
        if n_spans > len(self.sentinels):
            raise ValueError(
                f"a text of {longest} tokens has {n_spans} spans, but the vocabulary has {len(self.sentinels)} "
                f"sentinels: give n_sentinels={n_spans} or more"
            )

    def corrupt(self, ids: list[int], generator: torch.Generator | None = None) -> tuple[list[int], list[int]]:
        noise = spans.draw_noise(len(ids), self.config.rate, self.config.mean_length, generator)
        source, target = spans.corrupt(ids, noise, self.sentinels)
        return [*source, self.eos], [*target, self.eos]

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        _check_unwritten(texts)
        return super().encode(texts)

    def tokenize(self, text: Sequence[str]) -> dict[str, list[list[int]]]:
        """The ids of each text, without special tokens.

        Raises:
            ValueError: a text in which a sentinel is written; names both.
        """
        _check_unwritten(text)
        return super().tokenize(text)

    def examples(self, rows: Dataset) -> list[list[int]]:
        return self._parts([i for ids in rows["ids"][:] for i in ids])

    def fill(self, model: nn.Module, texts: Sequence[str], *, top: int = 5) -> list[Filled]:
        """The texts with words for `<extra_id_0>`, `<extra_id_1>`, …, as in `filling.fill_gaps`."""
        return fill_gaps(model, self.tokenizer, texts, top=top)


class Denoising(Corruption):
    """BART's pretraining {cite}`lewis2020bart`: the target is the whole text.

    Source and target are `<bos> text <eos>`, and the decoder begins with `<eos>`, as in BART's own code. Built in
    chapter 5.1.

    Raises:
        ValueError: a tokenizer without `<bos>`, `<eos>`, `<pad>` or `<mask>`.
    """

    def __init__(self, tokenizer: Tokenizer, config: DenoisingConfig = DenoisingConfig(), *, max_len: int):
        super().__init__(tokenizer, config, max_len=max_len, start=tokenizer.eos_id, shortest=1, longest=max_len - 2)
        self.bos, self.mask, self.continuing = tokenizer.bos_id, tokenizer.special_id(MASK), continuing_ids(tokenizer)
        vocabulary = tokenizer.backend.get_vocab()
        self.ends = {vocabulary[end] for end in ".!?。！？" if end in vocabulary}

    def corrupt(self, ids: list[int], generator: torch.Generator | None = None) -> tuple[list[int], list[int]]:
        """A source whose masks of no word would make it longer than max_len loses its end. This hardly ever happens."""
        eos = self.start  # the token that ends a text also starts the decoder
        return [self.bos, *self.noised(ids, generator)[: self.longest], eos], [self.bos, *ids, eos]

    def noised(self, ids: list[int], generator: torch.Generator | None = None) -> list[int]:
        """The text with this objective's noise."""
        match self.config.noise:
            case "masking":
                return noises.mask_tokens(ids, self._positions(ids, generator), self.mask).ids
            case "deletion":
                return noises.delete_tokens(ids, self._positions(ids, generator))
            case "infilling":
                return self._infilled(ids, generator)
            case "permutation":
                return self._permuted(ids, generator)
            case "rotation":
                return noises.rotate(ids, int(torch.randint(len(ids), (), generator=generator)))
            case "mix":
                return self._infilled(self._permuted(ids, generator), generator)

    def fill(self, model: nn.Module, texts: Sequence[str], *, top: int = 5) -> list[Filled]:
        """The texts as the model rewrites them, with or without `<mask>`, as in `filling.rewrite`."""
        return rewrite(model, self.tokenizer, texts, top=top)

    def _positions(self, ids: list[int], generator: torch.Generator | None) -> list[int]:
        return noises.draw_positions(len(ids), self.config.rate, generator)

    def _infilled(self, ids: list[int], generator: torch.Generator | None) -> list[int]:
        words: list[list[int]] = []
        for i in ids:
            if i in self.continuing and words:
                words[-1].append(i)
            else:
                words.append([i])
        found, n_empty = noises.draw_spans(len(words), self.config.rate, self.config.mean_length, generator)
        masked = noises.infill(words, found, self.mask).ids
        empty = torch.randperm(len(masked) + n_empty, generator=generator)[:n_empty].tolist()
        return noises.infill(words, found, self.mask, empty).ids

    def _permuted(self, ids: list[int], generator: torch.Generator | None) -> list[int]:
        parts = noises.sentences(ids, self.ends)
        order = torch.randperm(len(parts), generator=generator).tolist()
        return [i for sentence in noises.permute(parts, order) for i in sentence]


def _check_unwritten(texts: Sequence[str]) -> None:
    for text in texts:
        if written := spans.WRITTEN.search(text):
            raise ValueError(
                f"{text[:80]!r} contains {written[0]}, which stands for words that were taken out: leave it out"
            )
