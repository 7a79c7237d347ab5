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
    """Texts as (ids,); the model reads `<bos> u` and is to say `u <eos>` {cite}`radford2018improving`. Built in chapter 3.1.

    An example may also be a piece of a long text without `<bos>` and `<eos>`: each of its tokens is to follow from those
    before it in the piece.
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
        """`encode` as a column of a dataset; a single text is a long one, and stays as it is."""
        if len(text) == 1:
            return {"ids": [self.tokenizer.encode(text[0])]}
        return {"ids": [ids for (ids,) in self.encode(text)]}

    def examples(self, rows: Dataset) -> Sequence[Example]:
        """The examples of a dataset with this column; of a long text every window of max_len tokens."""
        if len(rows) == 1:
            return Windows(rows["ids"][0], self.max_len)
        return [(ids,) for ids in rows["ids"][:]]

    def lengths(self, example: Example) -> tuple[int]:
        return (len(example[0]) - 1,)

    def collate(self, examples: list[Example]) -> Batch:
        return Batch((pad([ids[:-1] for (ids,) in examples], PAD),), pad([ids[1:] for (ids,) in examples], IGNORED))

    def loss(self, logits: Float[Tensor, "batch time vocab"], labels: Int[Tensor, "batch time"]) -> Float[Tensor, ""]:
        return summed_nats(logits, labels)
