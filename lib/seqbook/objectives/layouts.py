"""How one text or two become one sequence of tokens: with the special tokens of GPT, of BERT, or of BART.

    GPT     <bos> a … <extract>         <bos> a … <delimiter> b … <extract>       the head reads the last token
    BART    <bos> a … <eos>             <bos> a … <eos> b … <eos>                 the head reads the last token
    BERT    [CLS] a … [SEP]             [CLS] a … [SEP] b … [SEP]                 the head reads the first token
    segment   0   0     0                 0   0     0   1     1                   only BERT has segments

A causal network has read the whole text only at its last token. In BERT every token has, and `[CLS]` is the first one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from seqbook.data.tokenizer import Tokenizer

DELIMITER, EXTRACT = "<delimiter>", "<extract>"
CLS, SEP = "[CLS]", "[SEP]"
LayoutName = Literal["gpt", "bert", "bart"]


class Layout:
    """Special tokens around one text or two, which are given as ids. The subclass says which ones.

    tokenizer: one with these special tokens.

    Raises:
        ValueError: a tokenizer without the special tokens.
    """

    names: ClassVar[tuple[str, str, str]]  # of the tokens before, between and after the texts
    has_segments: ClassVar[bool]
    fills: ClassVar[tuple[str, ...]]  # the settings of the model that `sizes` gives

    def __init__(self, tokenizer: Tokenizer):
        self.tokenizer = tokenizer
        self.begin, self.between, self.end = (tokenizer.special_id(name) for name in self.names)

    @staticmethod
    def grow(pretrained: Tokenizer) -> Tokenizer:
        """The pretrained tokenizer, with the special tokens that it lacks."""
        raise NotImplementedError

    def sizes(self) -> dict[str, int]:
        return {"vocab_size": len(self.tokenizer)}

    def single(self, ids: list[int]) -> list[int]:
        return [self.begin, *ids, self.end]

    def pair(self, first: list[int], second: list[int]) -> list[int]:
        return [self.begin, *first, self.between, *second, self.end]

    def start_of_second(self, first: list[int]) -> int:
        """The position of the second text of a pair in its sequence."""
        return len(first) + 2

    def extract(self, sequence: list[int]) -> int:
        """The position whose hidden state stands for the whole sequence."""
        raise NotImplementedError

    def segments(self, sequence: list[int]) -> list[int]:
        """The segment of each token: 0 up to the token between the texts, and 1 after it; without a second text, 0."""
        first = sequence.index(self.between) + 1 if self.between in sequence else len(sequence)
        return [0] * first + [1] * (len(sequence) - first)

    def check_lengths(self, sequences: Sequence[list[int]], max_len: int) -> None:
        """Check that no sequence is too long.

        Raises:
            ValueError: a sequence over max_len; names it and its length.
        """
        for ids in sequences:
            if len(ids) > max_len:
                raise ValueError(
                    f"{self.tokenizer.decode(ids)[:80]!r} is {len(ids)} tokens long with its special tokens: "
                    f"it must have at most max_len={max_len}"
                )


class GPTLayout(Layout):
    """`<bos> a <delimiter> b <extract>` {cite}`radford2018improving`. Pretraining knows only the first of them."""

    names = ("<bos>", DELIMITER, EXTRACT)
    has_segments = False
    fills = ("vocab_size",)

    @staticmethod
    def grow(pretrained: Tokenizer) -> Tokenizer:
        return pretrained.with_special(DELIMITER, EXTRACT)

    def extract(self, sequence: list[int]) -> int:
        return len(sequence) - 1


class BERTLayout(Layout):
    """`[CLS] a [SEP] b [SEP]`, where the segments tell a from b {cite}`devlin2019bert`. Pretraining knows all of them."""

    names = (CLS, SEP, SEP)
    has_segments = True
    fills = ("vocab_size", "pad_id")

    @staticmethod
    def grow(pretrained: Tokenizer) -> Tokenizer:
        return pretrained

    def sizes(self) -> dict[str, int]:
        return super().sizes() | {"pad_id": self.tokenizer.pad_id}

    def extract(self, sequence: list[int]) -> int:
        return 0


class BARTLayout(Layout):
    """`<bos> a <eos> b <eos>`, for encoder-decoders whose two stacks read the same text {cite}`lewis2020bart`."""

    names = ("<bos>", "<eos>", "<eos>")
    has_segments = False
    fills = ("vocab_size", "pad_id")

    @staticmethod
    def grow(pretrained: Tokenizer) -> Tokenizer:
        return pretrained

    def sizes(self) -> dict[str, int]:
        return super().sizes() | {"pad_id": self.tokenizer.pad_id}

    def extract(self, sequence: list[int]) -> int:
        return len(sequence) - 1


LAYOUTS: dict[LayoutName, type[Layout]] = {"gpt": GPTLayout, "bert": BERTLayout, "bart": BARTLayout}


@dataclass(frozen=True, kw_only=True)
class LayoutConfig:
    """What the settings of all objectives of fine-tuning have in common. layout: the special tokens of GPT, BERT or BART."""

    layout: LayoutName = "gpt"

    @property
    def fills(self) -> tuple[str, ...]:
        """The settings of the model that are set from the tokenizer and the task."""
        return (*LAYOUTS[self.layout].fills, "n_classes")

    def tokenizers(self, _: dict[str, Sequence], pretrained: dict[str, Tokenizer]) -> dict[str, Tokenizer]:
        return {"tokenizer": LAYOUTS[self.layout].grow(pretrained["tokenizer"])}
