"""Masked-language modelling: −Σ log P(u_i | the corrupted text) over the chosen positions i {cite}`devlin2019bert`.

About 15 % of the tokens are chosen. Of these, 80 % are replaced by `[MASK]`, 10 % by a random token, and 10 % stay as
they are. The network reads the result and predicts the original tokens at the chosen positions. Built in chapter 4.1.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, get_args

import torch
import torch.nn.functional as F
from datasets import Dataset, DatasetDict
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seqbook import metrics
from seqbook.data.tokenizer import Kind, Tokenizer
from seqbook.models.bert import Predictions
from seqbook.nn.checks import check_positive
from seqbook.objectives.batch import IGNORED, Batch, encode, pad
from seqbook.objectives.filling import MASK, Filled, fill, special_ids
from seqbook.objectives.layouts import CLS, SEP
from seqbook.objectives.sentence_pairs import RANDOM, draw_pairs

Masking = Literal["dynamic", "static"]


@dataclass(frozen=True, kw_only=True)
class MaskedConfig:
    """kind: the kind of tokens of the column "text"; max_vocab_size: the number of tokens for byte pairs.

    rate: the share of tokens that are chosen; mask_share, random_share: the shares of the chosen tokens that become
    `[MASK]` or a random token, while the others stay; masking: new masks at each visit of an example ("dynamic"
    {cite}`liu2019roberta`), or always the same ones ("static"); whole_words: all pieces of a word are chosen together;
    pairs: examples are pairs for next-sentence prediction, and not windows.

    Raises:
        ValueError: a rate or a share that is not between 0 and 1; an unknown kind of masking.
    """

    kind: Kind = "word"
    max_vocab_size: int = 30_000
    rate: float = 0.15
    mask_share: float = 0.8
    random_share: float = 0.1
    masking: Masking = "dynamic"
    whole_words: bool = False
    pairs: bool = False
    fills: ClassVar[tuple[str, ...]] = ("vocab_size", "pad_id")

    def __post_init__(self):
        check_positive(max_vocab_size=self.max_vocab_size)
        if not 0 < self.rate <= 1:
            raise ValueError(f"rate={self.rate} must be above 0 and at most 1")
        if min(self.mask_share, self.random_share) < 0 or self.mask_share + self.random_share > 1 + 1e-9:
            raise ValueError(
                f"mask_share={self.mask_share} and random_share={self.random_share} must be 0 or more, with a sum of at "
                "most 1"
            )
        if self.masking not in get_args(Masking):
            raise ValueError(f"masking={self.masking!r}: choose one of {', '.join(get_args(Masking))}")

    def reads(self) -> dict[str, str]:
        return {"text": "text"}

    def tokenizers(self, texts: dict[str, Sequence[str]], _: dict[str, Tokenizer]) -> dict[str, Tokenizer]:
        tokenizer = Tokenizer.train(texts["text"], self.kind, self.max_vocab_size)
        return {"tokenizer": tokenizer.with_special(CLS, SEP, MASK)}

    def build(self, tokenizers: dict[str, Tokenizer], max_len: int) -> "Masked":
        return Masked(**tokenizers, config=self, max_len=max_len)


class Example(NamedTuple):
    """A sequence with its special tokens.

    n_first: the number of its tokens in segment 0, the others are in segment 1; next_sentence: the label of a pair.
    """

    ids: list[int]
    n_first: int
    next_sentence: int = IGNORED


class Labels(NamedTuple):
    """The original ids at the chosen positions, and the label of each pair: 0 if B follows A, 1 if it is random."""

    tokens: Int[Tensor, " chosen"]
    next_sentence: Int[Tensor, " batch"]


@dataclass(frozen=True)
class MaskedBatch(Batch):
    """`inputs`: the corrupted ids, the chosen positions, and the segments. `labels`: of the chosen positions, in reading
    order."""

    labels: Int[Tensor, " chosen"] | Labels

    @property
    def n_tokens(self) -> int:
        return len(_tokens(self.labels))


class Masked:
    """Examples are windows of the texts or, with `pairs`, two parts of a text.

    The texts form one long sequence, `u [SEP] v [SEP] …`, which is read in consecutive windows: `[CLS]` and then
    max_len − 1 tokens, as in RoBERTa {cite}`liu2019roberta`. A pair is `[CLS] A [SEP] B [SEP]`, as in BERT: B follows A
    in the same text (label 0), or comes from another one (label 1).

    In each sequence of n tokens, max(1, round(rate·n)) positions are chosen. Special tokens count in n, as in BERT's own
    code, but neither they nor padding are ever chosen. A random token is drawn from the vocabulary without special tokens, as in
    RoBERTa (BERT draws from the whole vocabulary), and may be the original one.

    Raises:
        ValueError: a tokenizer without `[CLS]`, `[SEP]`, `[MASK]` or `<pad>`; whole words of a vocabulary without pieces.
    """

    def __init__(self, tokenizer: Tokenizer, config: MaskedConfig = MaskedConfig(), *, max_len: int):
        self.tokenizers = {"tokenizer": tokenizer}
        self.tokenizer, self.config, self.max_len = tokenizer, config, max_len
        self.cls, self.sep, self.mask = (tokenizer.special_id(name) for name in (CLS, SEP, MASK))
        self.special = special_ids(tokenizer)
        self.ordinary = torch.tensor([i for i in range(len(tokenizer)) if i not in self.special])
        self.continuing = continuing_ids(tokenizer) if config.whole_words else frozenset()
        if config.whole_words and not self.continuing:
            raise ValueError(
                "whole_words=True, but the vocabulary has no pieces of words (## or Ġ): choose kind='bpe', or leave "
                "whole_words out"
            )

    def sizes(self) -> dict[str, int]:
        return {"vocab_size": len(self.tokenizer), "pad_id": self.tokenizer.pad_id}

    def encode(self, texts: Sequence[str]) -> list[Example]:
        """One example `[CLS] text [SEP]` per text.

        Raises:
            ValueError: a text without tokens, or one over max_len with its special tokens; names it and its length.
        """
        sequences = [[self.cls, *ids, self.sep] for ids in encode(self.tokenizer, texts, self.max_len - 2)]
        return [Example(ids, len(ids)) for ids in sequences]

    def tokenize(self, text: Sequence[str]) -> dict[str, list[list[int]]]:
        """The ids of each text, without special tokens."""
        return {"ids": self.tokenizer.encode_batch(text)}

    def examples(self, rows: Dataset) -> list[Example]:
        """All windows, or one pair per text. The pairs are always the same ones."""
        texts = [ids for ids in rows["ids"][:] if ids]
        return self._pairs(texts) if self.config.pairs else self._windows(texts)

    def lengths(self, example: Example) -> tuple[int]:
        return (len(example.ids),)

    def collate(self, examples: list[Example], generator: torch.Generator | None = None) -> MaskedBatch:
        pad_id = self.tokenizer.pad_id
        ids = pad([example.ids for example in examples], pad_id)  # (B, T)
        corrupted, chosen = ids.clone(), torch.zeros_like(ids, dtype=torch.bool)
        for row, example in enumerate(examples):
            n, draw = len(example.ids), self._static(example.ids) if self.config.masking == "static" else generator
            chosen[row, :n] = self.choose(example.ids, draw)
            corrupted[row, :n] = self.corrupt(ids[row, :n], chosen[row, :n], draw)
        segments = pad([[0] * e.n_first + [1] * (len(e.ids) - e.n_first) for e in examples], 0)
        labels = ids[chosen]
        if self.config.pairs:
            labels = Labels(labels, torch.tensor([example.next_sentence for example in examples]))
        return MaskedBatch((corrupted, chosen, segments), labels)

    def choose(self, ids: list[int], generator: torch.Generator | None = None) -> Bool[Tensor, " time"]:
        """Which positions of a sequence are chosen. A word that would make it too many is left out."""
        wanted, words = max(1, round(self.config.rate * len(ids))), self._words(ids)
        chosen = torch.zeros(len(ids), dtype=torch.bool)
        n_chosen = 0
        for i in torch.randperm(len(words), generator=generator).tolist():
            if n_chosen + len(words[i]) <= wanted:
                chosen[words[i]] = True
                n_chosen += len(words[i])
        return chosen

    def corrupt(
        self, ids: Int[Tensor, " time"], chosen: Bool[Tensor, " time"], generator: torch.Generator | None = None
    ) -> Int[Tensor, " time"]:
        """The sequence that the network reads: chosen tokens are replaced by `[MASK]` or a random token, or they stay."""
        draw = torch.rand(len(ids), generator=generator)
        others = self.ordinary[torch.randint(len(self.ordinary), (len(ids),), generator=generator)]
        masked = chosen & (draw < self.config.mask_share)
        replaced = chosen & ~masked & (draw < self.config.mask_share + self.config.random_share)
        return ids.masked_fill(masked, self.mask).where(~replaced, others)

    def nll(self, outputs: Float[Tensor, "chosen vocab"] | Predictions, labels: Tensor | Labels) -> Float[Tensor, ""]:
        """−Σ log P(original token), in nats, over the chosen positions."""
        return F.cross_entropy(_tokens(outputs).float(), _tokens(labels), reduction="sum")

    def n_right(self, outputs: Float[Tensor, "chosen vocab"] | Predictions, labels: Tensor | Labels) -> int:
        """The number of chosen positions whose most probable token is the original one."""
        return int((_tokens(outputs).argmax(-1) == _tokens(labels)).sum())

    def loss(self, outputs: Float[Tensor, "chosen vocab"] | Predictions, labels: Tensor | Labels) -> Float[Tensor, ""]:
        """`nll`. With pairs, the mean loss of the pairs is added to the mean loss of the tokens, as in BERT. Both are
        multiplied by the number of chosen positions, by which the training loop divides.

        Raises:
            ValueError: with pairs, a model without the head for them.
        """
        nll = self.nll(outputs, labels)
        if not self.config.pairs:
            return nll
        if not isinstance(outputs, Predictions):
            raise ValueError("pairs=True needs a model with both heads: build it with outputs='pretraining'")
        return nll + len(labels.tokens) * F.cross_entropy(outputs.next_sentence.float(), labels.next_sentence)

    def scores(self, model: nn.Module, splits: DatasetDict) -> dict[str, Any]:
        """Loss (nats per chosen token) and accuracy of the chosen tokens. With pairs also next_sentence_accuracy, and
        the share of the more frequent label of the pairs."""

        def of(rows: Dataset) -> dict[str, float]:
            examples = self.examples(rows)
            found = metrics.evaluate(model, self, examples)
            return found | self._next_sentence_scores(model, examples) if self.config.pairs else found

        return metrics.on_unseen(splits, of)

    def fill(self, model: nn.Module, texts: Sequence[str], *, top: int = 5) -> list[Filled]:
        """The texts with a word for each "[MASK]", and the `top` most probable words, as in `filling.fill`."""
        return fill(model, self.tokenizer, texts, top=top)

    def _next_sentence_scores(self, model: nn.Module, examples: Sequence[Example]) -> dict[str, float]:
        right, labels = 0, [example.next_sentence for example in examples]
        for _, batch, outputs in metrics.in_batches(model, self, examples):
            right += int((outputs.next_sentence.argmax(-1) == batch.labels.next_sentence).sum())
        share = labels.count(RANDOM) / len(labels)
        return {"next_sentence_accuracy": right / len(labels), "next_sentence_majority": max(share, 1 - share)}

    def _windows(self, texts: Sequence[list[int]]) -> list[Example]:
        stream = [i for ids in texts for i in (*ids, self.sep)]
        step = self.max_len - 1
        windows = [[self.cls, *stream[start : start + step]] for start in range(0, len(stream), step)]
        # The last window may be a [SEP] alone, where there is nothing to choose.
        return [Example(ids, len(ids)) for ids in windows if not self.special.issuperset(ids)]

    def _pairs(self, texts: Sequence[list[int]]) -> list[Example]:
        ends = {self.tokenizer.backend.token_to_id(end) for end in ".!?"}
        pairs = draw_pairs(texts, ends, self.max_len - 3)
        return [Example([self.cls, *a, self.sep, *b, self.sep], len(a) + 2, label) for a, b, label in pairs]

    def _words(self, ids: list[int]) -> list[list[int]]:
        """The positions of each word that may be chosen; each token is a word of its own, except with `whole_words`."""
        words: list[list[int]] = []
        for position, i in enumerate(ids):
            if i in self.special:
                continue
            if i in self.continuing and words and words[-1][-1] == position - 1:
                words[-1].append(position)
            else:
                words.append([position])
        return words

    def _static(self, ids: list[int]) -> torch.Generator:
        """A generator that depends on the sequence alone, in every process and in every run."""
        digest = hashlib.sha256(" ".join(map(str, ids)).encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:7]))


def continuing_ids(tokenizer: Tokenizer) -> frozenset[int]:
    """The tokens that continue the word before them.

    In WordPiece, these begin with "##". In a byte-level vocabulary, all tokens continue the word, except those that
    begin with a space ("Ġ") or a new line ("Ċ"), so punctuation belongs to the word before it, as in RoBERTa.
    """
    vocabulary = tokenizer.backend.get_vocab()
    pieces = {i for token, i in vocabulary.items() if token.startswith("##")}
    if not pieces and any(token.startswith("Ġ") for token in vocabulary):
        pieces = {i for token, i in vocabulary.items() if token[0] not in "ĠĊ"}
    return frozenset(pieces) - special_ids(tokenizer)


def _tokens(of: Tensor | Predictions | Labels) -> Tensor:
    """The part for the chosen tokens: a model with both heads can be compared with one that has only the first."""
    return of if isinstance(of, Tensor) else of.tokens
