"""Predict what follows a prefix: −Σ_i log P(y_i | y_<i, x), where x and y are one sequence of a decoder-only model.

    pairs     <bos> x … <delimiter> │ y … <eos>       the target after the source {cite}`liu2018generating`
    texts     <bos> u … │ u … <eos>                   a text that is split at random {cite}`raffel2020exploring`

The prefix is on the left of the bar. Its tokens attend to each other in both directions, or only to earlier ones. Both
kinds of decoders are trained with this objective, so that they differ in the mask alone.
"""

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
from seqbook.objectives.batch import encode, summed_nll
from seqbook.objectives.continuing import Mask, continue_prefixes
from seqbook.objectives.drawing import draw
from seqbook.objectives.layouts import DELIMITER
from seqbook.objectives.rows import PrefixBatch, Row, collate, row_of, sequence_of
from seqbook.objectives.text_rows import TextRows, vocabulary

LossOn = Literal["target", "whole"]
Pair = tuple[list[int], list[int]]


@dataclass(frozen=True, kw_only=True)
class PrefixTextsConfig:
    """prefix: the mask inside the prefix; loss_on: which tokens are predicted, those after the prefix or all of them;
    kind: the kind of tokens; max_vocab_size: the number of tokens for byte pairs.

    Raises:
        ValueError: an unknown choice, or a loss on the whole sequence with a bidirectional prefix.
    """

    prefix: Mask = "bidirectional"
    loss_on: LossOn = "target"
    kind: Kind = "word"
    max_vocab_size: int = 30_000
    fills: ClassVar[tuple[str, ...]] = ("vocab_size",)

    def __post_init__(self):
        check_positive(max_vocab_size=self.max_vocab_size)
        for name, value, choices in (("prefix", self.prefix, Mask), ("loss_on", self.loss_on, LossOn)):
            if value not in get_args(choices):
                raise ValueError(f"{name}={value!r}: choose one of {', '.join(get_args(choices))}")
        if self.loss_on == "whole" and self.prefix == "bidirectional":
            raise ValueError(
                "loss_on='whole' with prefix='bidirectional': each position of the prefix attends to the next token, which "
                "is its label, so the model would copy it and learn nothing. Choose loss_on='target' or prefix='causal'"
            )

    def reads(self) -> dict[str, str]:
        return {"text": "text"}

    def tokenizers(self, texts: dict[str, Sequence[str]], pretrained: dict[str, Tokenizer]) -> dict[str, Tokenizer]:
        return {"tokenizer": vocabulary(texts["text"], pretrained, self.kind, self.max_vocab_size)}

    def build(self, tokenizers: dict[str, Tokenizer], max_len: int) -> "PrefixTexts":
        return PrefixTexts(**tokenizers, config=self, max_len=max_len)


@dataclass(frozen=True, kw_only=True)
class PrefixPairsConfig(PrefixTextsConfig):
    """Translate the corpus's column `source` into its column `target`, with one vocabulary for both.

    label_smoothing: ε; beams: for the scores. The other settings as in `PrefixTextsConfig`.
    """

    source: str = "en"
    target: str = "zh"
    label_smoothing: float = 0.0
    beams: int = 1

    def __post_init__(self):
        super().__post_init__()
        check_positive(beams=self.beams)

    def reads(self) -> dict[str, str]:
        return {"source": self.source, "target": self.target}

    def tokenizers(self, texts: dict[str, Sequence[str]], pretrained: dict[str, Tokenizer]) -> dict[str, Tokenizer]:
        both = [*texts["source"], *texts["target"]]
        return {"tokenizer": vocabulary(both, pretrained, self.kind, self.max_vocab_size, [DELIMITER])}

    def build(self, tokenizers: dict[str, Tokenizer], max_len: int) -> "PrefixPairs":
        return PrefixPairs(**tokenizers, config=self, max_len=max_len)


class PrefixTexts(TextRows):
    """A text `<bos> u <eos>` of L tokens is split before position n, which is drawn uniformly from 1 to L − 1, as in T5.

    Built in chapter 6.1.
    """

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
        whole = self.config.loss_on == "whole"
        return row_of(sequence[:n], sequence[n:], bidirectional=self.config.prefix == "bidirectional", whole=whole)

    def restore(self, row: Row) -> list[int]:
        return sequence_of(row)[1:-1]

    def generate(self, model: nn.Module, texts: Sequence[str], *, max_new: int = 40, beams: int = 1) -> list[str]:
        """Each text with its continuation by the model, up to `<eos>`; the text is the prefix.

        Raises:
            ValueError: a text that leaves no room for `max_new` tokens; names it and its length.
        """
        prompts = [[self.tokenizer.bos_id, *ids] for ids in self.tokenizer.encode_batch(texts)]
        new = continue_prefixes(
            model, self.tokenizer, prompts, self.config.prefix, max_new=[max_new] * len(prompts), beams=beams
        )
        return [self.tokenizer.decode([*p, *n]) for p, n in zip(prompts, new, strict=True)]


class PrefixPairs:
    """Examples are (source, target) ids. The row is `<bos> x <delimiter> y <eos>`, whose prefix ends with the delimiter.

    Built in chapter 6.1.
    """

    def __init__(self, tokenizer: Tokenizer, config: PrefixPairsConfig = PrefixPairsConfig(), *, max_len: int):
        self.tokenizers = {"tokenizer": tokenizer}
        self.tokenizer, self.config, self.max_len = tokenizer, config, max_len
        self.delimiter = tokenizer.special_id(DELIMITER)

    def sizes(self) -> dict[str, int]:
        return {"vocab_size": len(self.tokenizer)}

    def encode(self, sources: Sequence[str], targets: Sequence[str]) -> list[Pair]:
        """One example per pair of texts.

        Raises:
            ValueError: a text without tokens, or a pair whose row is over max_len; names it and its length.
        """
        room = self.max_len - 2  # for <bos> and the delimiter; <eos> is only a label
        source_ids, target_ids = (encode(self.tokenizer, texts, room) for texts in (sources, targets))
        for text, x, y in zip(sources, source_ids, target_ids, strict=True):
            if len(x) + len(y) > room:
                raise ValueError(
                    f"{text[:80]!r} and its target are {len(x)} + {len(y)} tokens long: together they must have at most "
                    f"{room}, because max_len={self.max_len} with the special tokens"
                )
        return list(zip(source_ids, target_ids, strict=True))

    def tokenize(self, source: Sequence[str], target: Sequence[str]) -> dict[str, Sequence[list[int]]]:
        source_ids, target_ids = zip(*self.encode(source, target), strict=True)
        return {"source_ids": source_ids, "target_ids": target_ids}

    def examples(self, rows: Dataset) -> list[Pair]:
        return list(zip(rows["source_ids"][:], rows["target_ids"][:], strict=True))

    def lengths(self, example: Pair) -> tuple[int]:
        return (len(example[0]) + len(example[1]) + 2,)

    def row(self, source: list[int], target: list[int]) -> Row:
        bidirectional, whole = self.config.prefix == "bidirectional", self.config.loss_on == "whole"
        return row_of(self.prompt(source), [*target, self.tokenizer.eos_id], bidirectional=bidirectional, whole=whole)

    def prompt(self, source: list[int]) -> list[int]:
        """The prefix, after which the model writes the target."""
        return [self.tokenizer.bos_id, *source, self.delimiter]

    def restore(self, row: Row) -> Pair:
        """The source and the target from which the row was made."""
        sequence = sequence_of(row)
        end = sequence.index(self.delimiter)
        return sequence[1:end], sequence[end + 1 : -1]

    def collate(self, examples: list[Pair], generator: torch.Generator | None = None) -> PrefixBatch:
        return collate([self.row(*pair) for pair in examples], self.tokenizer.pad_id)

    def nll(self, logits: Float[Tensor, "batch time vocab"], labels: Int[Tensor, "batch time"]) -> Float[Tensor, ""]:
        return summed_nll(logits, labels)

    def loss(self, logits: Float[Tensor, "batch time vocab"], labels: Int[Tensor, "batch time"]) -> Float[Tensor, ""]:
        """`nll` with label smoothing."""
        return summed_nll(logits, labels, self.config.label_smoothing)

    def scores(self, model: nn.Module, splits: DatasetDict) -> dict[str, Any]:
        """BLEU, exact match and loss (nats per predicted token)."""

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
        self, model: nn.Module, texts: Sequence[str], *, beams: int = 1, length_penalty: float = 1.0
    ) -> list[str]:
        """The target for each text, by greedy decoding or beam search.

        Raises:
            ValueError: a text without tokens, or one that leaves no room for a target.
        """
        prompts = [self.prompt(x) for x in encode(self.tokenizer, texts, self.max_len - 2)]
        # as in translation: at most 2·n + 10 tokens, and no more than fit
        limits = [min(self.max_len + 1 - len(p), 2 * len(p) + 6) for p in prompts]
        how = {"beams": beams, "length_penalty": length_penalty}
        return [self.tokenizer.decode(ids) for ids in continue_prefixes(
            model, self.tokenizer, prompts, self.config.prefix, max_new=limits, **how
        )]  # fmt: skip
