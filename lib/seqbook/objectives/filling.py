"""Texts with blanks: what a masked language model writes into them, and with which probability."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import nn

from seqbook.data.tokenizer import Tokenizer
from seqbook.generation.infilling import probabilities
from seqbook.nn.checks import check_positive
from seqbook.objectives.batch import pad
from seqbook.objectives.layouts import CLS, SEP

MASK = "[MASK]"
BERT = (CLS, SEP, MASK)
ROBERTA = ("<s>", "</s>", "<mask>")  # the same three, by other names


class Filled(NamedTuple):
    """A text in which every mask has its most probable word, and for each mask the most probable words with their
    probabilities."""

    text: str
    words: list[list[tuple[str, float]]]


def special_ids(tokenizer: Tokenizer) -> frozenset[int]:
    """The ids of the special tokens, which no text can produce."""
    return frozenset(i for i, token in tokenizer.backend.get_added_tokens_decoder().items() if token.special)


def fill(model: nn.Module, tokenizer: Tokenizer, texts: Sequence[str], *, top: int = 5) -> list[Filled]:
    """Fill in each "[MASK]" of the texts ("<mask>" for RoBERTa), from one pass, and independently of the others.

    top: how many words are listed for each mask.

    Raises:
        ValueError: a vocabulary without these tokens; a text without a mask, or one over the model's max_len with its
            special tokens; a model that cannot fill in words; `top` below one.
    """
    check_positive(top=top)
    backend, device = tokenizer.backend, next(model.parameters()).device
    names = next((names for names in (BERT, ROBERTA) if backend.token_to_id(names[2]) is not None), None)
    if names is None:
        raise ValueError(f"the vocabulary has neither {MASK} nor {ROBERTA[2]}: the model cannot fill in words")
    cls, sep, mask = (tokenizer.special_id(name) for name in names)

    rows = []
    for text in texts:
        *before, last = text.split(names[2])
        if not before:
            raise ValueError(f"{text[:80]!r} has no {names[2]}: write it where a word is missing")
        # In a byte-level vocabulary the space before a word is part of its token.
        parts = tokenizer.encode_batch([part.rstrip() for part in before])
        row = [cls, *(i for ids in parts for i in (*ids, mask)), *tokenizer.encode(last), sep]
        if len(row) > model.config.max_len:
            raise ValueError(
                f"{text[:80]!r} is {len(row)} tokens long with its special tokens: "
                f"it must have at most max_len={model.config.max_len}"
            )
        rows.append(row)

    ids = pad(rows, model.config.pad_id).to(device)  # (B, T)
    found = probabilities(model, ids, mask, special_ids(tokenizer)).topk(min(top, len(tokenizer)))
    filled = ids.clone()
    filled[ids == mask] = found.indices[:, 0]
    words = [
        [(tokenizer.decode([i]).strip(), p) for i, p in zip(*both, strict=True) if p > 0]
        for both in zip(found.indices.tolist(), found.values.tolist(), strict=True)
    ]
    lists = iter(words)
    return [
        Filled(tokenizer.decode(new[: len(row)]).strip(), [next(lists) for _ in range(row.count(mask))])
        for row, new in zip(rows, filled.tolist(), strict=True)
    ]
