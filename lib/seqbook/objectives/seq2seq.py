"""Predict the next target token, given the source: −Σ_i log P(y_i | y_<i, x), teacher-forced."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from datasets import Dataset, DatasetDict
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqbook import metrics
from seqbook.data.loader import in_length_order
from seqbook.data.tokenizer import Kind, Tokenizer
from seqbook.generation.beam import beam
from seqbook.generation.decoding import greedy
from seqbook.nn.checks import check_positive
from seqbook.objectives.batch import IGNORED, Batch, encode, pad, summed_nll

Example = tuple[list[int], list[int]]


@dataclass(frozen=True, kw_only=True)
class Seq2SeqConfig:
    """Translate the corpus's column `source` into its column `target`.

    source_kind, target_kind: the kinds of tokens; max_vocab_size: the number of tokens for byte pairs; reverse_source:
    the encoder reads the source in reverse order {cite}`sutskever2014sequence`; label_smoothing: ε; beams: for the
    scores.
    """

    source: str = "en"
    target: str = "zh"
    source_kind: Kind = "word"
    target_kind: Kind = "character"
    max_vocab_size: int = 30_000
    reverse_source: bool = False
    label_smoothing: float = 0.0
    beams: int = 1
    fills: ClassVar[tuple[str, ...]] = ("source_vocab_size", "target_vocab_size", "pad_id")

    def __post_init__(self):
        check_positive(max_vocab_size=self.max_vocab_size, beams=self.beams)

    def reads(self) -> dict[str, str]:
        return {"source": self.source, "target": self.target}

    def tokenizers(self, texts: dict[str, Sequence[str]], _: dict[str, Tokenizer]) -> dict[str, Tokenizer]:
        return {
            "source_tokenizer": Tokenizer.train(texts["source"], self.source_kind, self.max_vocab_size),
            "target_tokenizer": Tokenizer.train(texts["target"], self.target_kind, self.max_vocab_size),
        }

    def build(self, tokenizers: dict[str, Tokenizer], max_len: int) -> "Seq2Seq":
        return Seq2Seq(**tokenizers, config=self, max_len=max_len)


class Seq2Seq:
    """Examples are (source, target) ids. The decoder reads `<bos> y` and predicts `y <eos>`. Built in chapter 1.1."""

    def __init__(
        self,
        source_tokenizer: Tokenizer,
        target_tokenizer: Tokenizer,
        config: Seq2SeqConfig = Seq2SeqConfig(),
        *,
        max_len: int,
    ):
        self.tokenizers = {"source_tokenizer": source_tokenizer, "target_tokenizer": target_tokenizer}
        self.source_tokenizer, self.target_tokenizer = source_tokenizer, target_tokenizer
        self.config, self.max_len = config, max_len

    def sizes(self) -> dict[str, int]:
        sizes = {"source_vocab_size": len(self.source_tokenizer), "target_vocab_size": len(self.target_tokenizer)}
        return sizes | {"pad_id": self.target_tokenizer.pad_id}

    def encode(self, sources: Sequence[str], targets: Sequence[str]) -> list[Example]:
        """One example per pair of texts.

        Raises:
            ValueError: a text without tokens, or one over max_len (the target leaves room for `<eos>`); names it.
        """
        target_ids = encode(self.target_tokenizer, targets, self.max_len - 1)
        return list(zip(self.encode_sources(sources), target_ids, strict=True))

    def encode_sources(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of sources without targets, for generation.

        Raises:
            ValueError: a text without tokens, or one over max_len; names it and its length.
        """
        return encode(self.source_tokenizer, texts, self.max_len)

    def tokenize(self, source: Sequence[str], target: Sequence[str]) -> dict[str, Sequence[list[int]]]:
        source_ids, target_ids = zip(*self.encode(source, target), strict=True)
        return {"source_ids": source_ids, "target_ids": target_ids}

    def examples(self, rows: Dataset) -> list[Example]:
        return list(zip(rows["source_ids"][:], rows["target_ids"][:], strict=True))

    def lengths(self, example: Example) -> tuple[int, int]:
        return len(example[1]) + 1, len(example[0])

    def collate(self, examples: list[Example], generator: torch.Generator | None = None) -> Batch:
        sources, targets = zip(*examples, strict=True)
        bos, eos, pad_id = self.target_tokenizer.bos_id, self.target_tokenizer.eos_id, self.target_tokenizer.pad_id
        decoder_inputs = pad([[bos, *y] for y in targets], pad_id)
        return Batch((self.collate_sources(sources), decoder_inputs), pad([[*y, eos] for y in targets], IGNORED))

    def collate_sources(self, sources: Sequence[list[int]]) -> Int[Tensor, "batch source"]:
        """The input of the encoder: the sources, or the reversed sources, padded at the end."""
        ordered = [s[::-1] for s in sources] if self.config.reverse_source else sources
        return pad(ordered, self.source_tokenizer.pad_id)

    def nll(self, logits: Float[Tensor, "batch time vocab"], labels: Int[Tensor, "batch time"]) -> Float[Tensor, ""]:
        return summed_nll(logits, labels)

    def loss(self, logits: Float[Tensor, "batch time vocab"], labels: Int[Tensor, "batch time"]) -> Float[Tensor, ""]:
        """`nll` with label smoothing."""
        return summed_nll(logits, labels, self.config.label_smoothing)

    def scores(self, model: nn.Module, splits: DatasetDict) -> dict[str, Any]:
        """BLEU, exact match and loss (nats per token)."""

        def of(rows: Dataset) -> dict[str, Any]:
            hypotheses = self.generate(model, rows[self.config.source][:], beams=self.config.beams)
            references = rows[self.config.target][:]
            bleu = metrics.bleu(hypotheses, references, self.config.target)
            return {
                "loss": metrics.mean_nll(model, self, self.examples(rows)),
                "bleu": bleu.score,
                "bleu_signature": bleu.signature,
                "exact_match": metrics.exact_match(hypotheses, references),
            }

        return {"beams": self.config.beams} | metrics.on_unseen(splits, of)

    def generate(
        self,
        model: nn.Module,
        texts: Sequence[str],
        *,
        beams: int = 1,
        length_penalty: float = 1.0,
        batch_size: int = 250,
    ) -> list[str]:
        """The translation of each text, by greedy decoding or beam search.

        With greedy decoding, a translation does not depend on the other texts. A beam search compares hypotheses up to
        the length that the longest text of its batch allows.

        Raises:
            ValueError: a text without tokens, or one over max_len.
        """
        device = next(model.parameters()).device
        sources = self.encode_sources(texts)
        translations = [""] * len(texts)
        for rows in in_length_order(list(map(len, sources)), batch_size):
            given = tuple(t.to(device) for t in self.prompt([sources[i] for i in rows]))
            how = {"max_new": self.longest(given[0].shape[1]), "stop": [self.target_tokenizer.eos_id]}
            if beams == 1:
                written = greedy(model, given, **how)
            else:
                found = beam(model, given, **how, beams=beams, length_penalty=length_penalty)
                written = [hypotheses[0].ids for hypotheses in found]
            for i, ids in zip(rows, written, strict=True):
                translations[i] = self.target_tokenizer.decode(ids[: self.longest(len(sources[i]))])
        return translations

    def prompt(self, sources: Sequence[list[int]]) -> tuple[Int[Tensor, "batch source"], Int[Tensor, "batch 1"]]:
        """What a model's `prefill` reads before generation: the sources, and `<bos>` for each."""
        return self.collate_sources(sources), torch.full((len(sources), 1), self.target_tokenizer.bos_id)

    def longest(self, source_len: int) -> int:
        """The largest number of tokens in the translation of `source_len` tokens, for a model that repeats itself."""
        return min(self.max_len, 2 * source_len + 10)
