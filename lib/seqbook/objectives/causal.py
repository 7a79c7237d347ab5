"""Predict the next token at every position of a text: −Σ_i log P(u_i | u_<i), teacher-forced."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from datasets import Dataset, DatasetDict
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqbook import metrics
from seqbook.data.loader import Windows
from seqbook.data.tokenizer import Kind, Tokenizer
from seqbook.generation.decoding import complete
from seqbook.nn.checks import check_positive
from seqbook.objectives.batch import IGNORED, Batch, encode, pad, summed_nll

Example = tuple[list[int]]


@dataclass(frozen=True, kw_only=True)
class CausalConfig:
    """kind: the kind of tokens of the column "text"; max_vocab_size: the number of tokens for byte pairs."""

    kind: Kind = "word"
    max_vocab_size: int = 30_000
    fills: ClassVar[tuple[str, ...]] = ("vocab_size",)

    def __post_init__(self):
        check_positive(max_vocab_size=self.max_vocab_size)

    def reads(self) -> dict[str, str]:
        return {"text": "text"}

    def tokenizers(self, texts: dict[str, Sequence[str]], _: dict[str, Tokenizer]) -> dict[str, Tokenizer]:
        return {"tokenizer": Tokenizer.train(texts["text"], self.kind, self.max_vocab_size)}

    def build(self, tokenizers: dict[str, Tokenizer], max_len: int) -> "Causal":
        return Causal(**tokenizers, config=self, max_len=max_len)


class Causal:
    """Examples are (ids,). Each id except the first one is predicted from those before it. Built in chapter 3.1.

    In training, the texts form one long sequence, `<bos> u <eos> <bos> v <eos> …`, which is read in windows of max_len
    tokens that may begin anywhere {cite}`radford2018improving`. So there is no padding, and no text is too long.
    """

    def __init__(self, tokenizer: Tokenizer, config: CausalConfig = CausalConfig(), *, max_len: int):
        self.tokenizers = {"tokenizer": tokenizer}
        self.tokenizer, self.config, self.max_len = tokenizer, config, max_len

    def sizes(self) -> dict[str, int]:
        return {"vocab_size": len(self.tokenizer)}

    def encode(self, texts: Sequence[str]) -> list[Example]:
        """One example per text, with `<bos>` and `<eos>` around it.

        Raises:
            ValueError: a text without tokens, or one over max_len (`<bos>` counts); names it and its length.
        """
        bos, eos = self.tokenizer.bos_id, self.tokenizer.eos_id
        return [([bos, *ids, eos],) for ids in encode(self.tokenizer, texts, self.max_len - 1)]

    def tokenize(self, text: Sequence[str]) -> dict[str, list[list[int]]]:
        """The ids of each text. A corpus of a single text, such as Tiny Shakespeare, gets no `<bos>` and `<eos>`."""
        ids, bos, eos = self.tokenizer.encode_batch(text), self.tokenizer.bos_id, self.tokenizer.eos_id
        return {"ids": ids if len(ids) == 1 else [[bos, *i, eos] for i in ids]}

    def examples(self, rows: Dataset) -> Windows:
        """Every window of max_len tokens."""
        return Windows([i for ids in rows["ids"][:] for i in ids], self.max_len)

    def lengths(self, example: Example) -> tuple[int]:
        return (len(example[0]) - 1,)

    def collate(self, examples: list[Example], generator: torch.Generator | None = None) -> Batch:
        # Labels are the inputs shifted by one. Padding is on the right, where no token attends to it.
        inputs = pad([ids[:-1] for (ids,) in examples], self.tokenizer.pad_id)
        return Batch((inputs,), pad([ids[1:] for (ids,) in examples], IGNORED))

    def nll(self, logits: Float[Tensor, "batch time vocab"], labels: Int[Tensor, "batch time"]) -> Float[Tensor, ""]:
        return summed_nll(logits, labels)

    loss = nll

    def scores(self, model: nn.Module, splits: DatasetDict) -> dict[str, Any]:
        """The loss (nats per token)."""
        return metrics.on_unseen(splits, lambda rows: {"loss": metrics.mean_nll(model, self, self.examples(rows))})

    def generate(self, model: nn.Module, texts: Sequence[str], **how: Any) -> list[str]:
        """Each text with its continuation by the model, up to `<eos>`. An empty text starts a new text.

        how: as in `continue_texts`.
        """
        return continue_texts(model, self.tokenizer, texts, [self.tokenizer.bos_id], self.tokenizer.eos_id, **how)


def continue_texts(
    model: nn.Module,
    tokenizer: Tokenizer,
    texts: Sequence[str],
    begin: list[int],
    end: int | None,
    *,
    max_new: int = 40,
    seed: int = 0,
    **how: Any,
) -> list[str]:
    """Each text with its continuation by a decoder-only model. A word that the vocabulary lacks is read as <unk>, and stays
    in the text.

    begin: the ids before each text; end: the id that ends a text (None: there is none), which also comes before a new
    text; how: temperature, top_k and top_p, as in `generation.sampling.sampler`.
    """
    ends = [] if end is None else [end]
    prompts = [[*begin, *tokenizer.encode(text)] or ends for text in texts]
    generator = torch.Generator(next(model.parameters()).device).manual_seed(seed)
    found = complete(model, prompts, max_new, stop=ends, generator=generator, **how)
    if tokenizer.unknown(texts):
        tokenizer = tokenizer.with_words(texts)
    return [tokenizer.decode([*tokenizer.encode(text), *new]) for text, new in zip(texts, found, strict=True)]
