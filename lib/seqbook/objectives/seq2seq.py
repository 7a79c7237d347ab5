"""The next target token, given the source: −Σ_i log P(y_i | y_<i, x), teacher-forced."""

from collections.abc import Sequence

from datasets import Dataset
from jaxtyping import Float, Int
from torch import Tensor

from seqbook.objectives.batch import IGNORED, Batch, encode, pad, summed_nats
from seqbook.tokenizer import BOS, EOS, PAD, Tokenizer

Example = tuple[list[int], list[int]]


class Seq2Seq:
    """Pairs of texts as (source, target) ids; the decoder reads `<bos> y` and is to say `y <eos>`. Built in chapter 1.1.

    reverse_source: hand the source to the encoder last word first {cite}`sutskever2014sequence`.
    """

    def __init__(
        self,
        source_tokenizer: Tokenizer,
        target_tokenizer: Tokenizer,
        *,
        max_len: int,
        reverse_source: bool = False,
        label_smoothing: float = 0.0,
    ):
        self.tokenizers = {"source_tokenizer": source_tokenizer, "target_tokenizer": target_tokenizer}
        self.source_tokenizer = source_tokenizer
        self.target_tokenizer = target_tokenizer
        self.max_len = max_len
        self.reverse_source = reverse_source
        self.label_smoothing = label_smoothing

    def encode(self, sources: Sequence[str], targets: Sequence[str]) -> list[Example]:
        """One example a pair of texts.

        Raises:
            ValueError: a text without tokens, or one over max_len (the target leaves room for `<eos>`); names it.
        """
        target_ids = encode(self.target_tokenizer, targets, self.max_len - 1)
        return list(zip(self.encode_sources(sources), target_ids, strict=True))

    def encode_sources(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of sources alone, for generation.

        Raises:
            ValueError: a text without tokens, or one over max_len; names it and its length.
        """
        return encode(self.source_tokenizer, texts, self.max_len)

    def columns(self, source: Sequence[str], target: Sequence[str]) -> dict[str, Sequence[list[int]]]:
        """`encode` as the columns of a dataset."""
        source_ids, target_ids = zip(*self.encode(source, target), strict=True)
        return {"source_ids": source_ids, "target_ids": target_ids}

    def examples(self, rows: Dataset) -> list[Example]:
        """The examples of a dataset with these columns."""
        return list(zip(rows["source_ids"][:], rows["target_ids"][:], strict=True))

    def lengths(self, example: Example) -> tuple[int, int]:
        return len(example[1]) + 1, len(example[0])

    def collate(self, examples: list[Example]) -> Batch:
        sources, targets = zip(*examples, strict=True)
        decoder_inputs = pad([[BOS, *y] for y in targets], PAD)
        labels = pad([[*y, EOS] for y in targets], IGNORED)
        return Batch((self.collate_sources(sources), decoder_inputs), labels)

    def collate_sources(self, sources: Sequence[list[int]]) -> Int[Tensor, "batch source"]:
        """What the encoder reads: the sources, or the reversed sources, padded at the end."""
        return pad([s[::-1] for s in sources] if self.reverse_source else list(sources), PAD)

    def nats(self, logits: Float[Tensor, "batch time vocab"], labels: Int[Tensor, "batch time"]) -> Float[Tensor, ""]:
        return summed_nats(logits, labels)

    def loss(self, logits: Float[Tensor, "batch time vocab"], labels: Int[Tensor, "batch time"]) -> Float[Tensor, ""]:
        """With label smoothing."""
        return summed_nats(logits, labels, self.label_smoothing)
