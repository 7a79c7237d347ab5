"""The next token, at every place of a text: −Σ_i log P(u_i | u_<i), teacher-forced."""

from collections.abc import Sequence

from datasets import Dataset
from jaxtyping import Float, Int
from torch import Tensor

from seqbook.data.loader import Windows
from seqbook.objectives.batch import IGNORED, Batch, encode, pad, summed_nats
from seqbook.tokenizer import BOS, EOS, PAD, Tokenizer

Example = tuple[list[int]]


class Causal:
    """Ids in a row as (ids,); each but the first is to be foretold from those before it. Built in chapter 3.1.

    For training, the texts follow each other in one long row, `<bos> u <eos> <bos> v <eos> …`, which is read in windows of
    max_len tokens that may begin anywhere {cite}`radford2018improving`: there is no padding, and no text is too long.
    """

    def __init__(self, tokenizer: Tokenizer, *, max_len: int):
        self.tokenizers = {"tokenizer": tokenizer}
        self.tokenizer = tokenizer
        self.max_len = max_len

    def encode(self, texts: Sequence[str]) -> list[Example]:
        """One example a text, `<bos>` and `<eos>` around it.

        Raises:
            ValueError: a text without tokens, or one over max_len (`<bos>` counts); names it and its length.
        """
        return [([BOS, *ids, EOS],) for ids in encode(self.tokenizer, texts, self.max_len - 1)]

    def columns(self, text: Sequence[str]) -> dict[str, list[list[int]]]:
        """The texts' ids as a column of a dataset; a single text is all there is, and has no beginning or end."""
        ids = self.tokenizer.encode_batch(text)
        return {"ids": ids if len(ids) == 1 else [[BOS, *i, EOS] for i in ids]}

    def examples(self, rows: Dataset) -> Windows:
        """Every window of max_len tokens of a dataset with this column."""
        return Windows([i for ids in rows["ids"][:] for i in ids], self.max_len)

    def lengths(self, example: Example) -> tuple[int]:
        return (len(example[0]) - 1,)

    def collate(self, examples: list[Example]) -> Batch:
        return Batch((pad([ids[:-1] for (ids,) in examples], PAD),), pad([ids[1:] for (ids,) in examples], IGNORED))

    def nats(self, logits: Float[Tensor, "batch time vocab"], labels: Int[Tensor, "batch time"]) -> Float[Tensor, ""]:
        return summed_nats(logits, labels)

    loss = nats
