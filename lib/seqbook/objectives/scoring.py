"""Texts with gaps for a network that only predicts what comes next: score the text with each candidate in the gap."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from seqbook.data.tokenizer import Tokenizer
from seqbook.generation.likelihood import log_likelihood
from seqbook.nn.checks import check_positive
from seqbook.objectives.filling import MASK, Filled, special_ids

CANDIDATES = 100  # tokens that are tried in each gap
BEGIN, END = ("<bos>", "<|endoftext|>"), ("<eos>", "<|endoftext|>")  # by the names of our tokenizers, and of GPT-2's


def fill_by_scoring(model: nn.Module, tokenizer: Tokenizer, texts: Sequence[str], *, top: int = 5) -> list[Filled]:
    """Fill in each "[MASK]" of the texts with one token, from left to right.

    The 100 tokens that are most probable after the left side are candidates. The text, up to the next gap, is scored
    with each of them, and their probabilities are P(token and what follows | left side), divided by their sum. So a gap
    costs two passes, the second one over 100 texts, where a masked language model needs one. Built in chapter 6.2.

    top: how many tokens are listed for each gap.

    Raises:
        ValueError: a vocabulary without a token that begins a text; a text without "[MASK]", or one over the model's
            max_len; `top` below one.
    """
    check_positive(top=top)
    begin, end = (_special_id(tokenizer, names) for names in (BEGIN, END))
    return [_fill(model, tokenizer, text, begin, end, top) for text in texts]


def _fill(model: nn.Module, tokenizer: Tokenizer, text: str, begin: int, end: int, top: int) -> Filled:
    first, *after = text.split(MASK)
    if not after:
        raise ValueError(f"{text[:80]!r} has no {MASK}: write it where a word is missing")
    # In a byte-level vocabulary the space before a word is part of its token.
    read = [begin, *tokenizer.encode(first.rstrip())]
    parts = [tokenizer.encode(part.rstrip()) for part in after[:-1]] + [tokenizer.encode(after[-1])]
    length = len(read) + sum(len(part) + 1 for part in parts)
    if length > model.config.max_len:
        raise ValueError(
            f"{text[:80]!r} is {length} tokens long with its first token: it must have at most max_len={model.config.max_len}"
        )

    never, words = sorted(special_ids(tokenizer)), []
    for number, part in enumerate(parts, 1):
        follows = [*part, end] if number == len(parts) else part
        candidates = _most_probable(model, read, never)
        scores = log_likelihood(model, [read] * len(candidates), [[i, *follows] for i in candidates])
        shares = torch.tensor(scores).softmax(0)
        best = shares.topk(min(top, len(candidates)))
        found = [(candidates[i], p) for i, p in zip(best.indices.tolist(), best.values.tolist(), strict=True)]
        words.append([(tokenizer.decode([i]).strip(), p) for i, p in found])
        read = [*read, found[0][0], *part]
    return Filled(tokenizer.decode(read).strip(), words)


@torch.inference_mode()
def _most_probable(model: nn.Module, read: list[int], never: list[int]) -> list[int]:
    """The candidates after these tokens."""
    logits = model(torch.tensor([read], device=next(model.parameters()).device))[0, -1].float()
    logits[never] = -torch.inf
    return [i for i in logits.topk(min(CANDIDATES, len(logits))).indices.tolist() if logits[i] > -math.inf]


def _special_id(tokenizer: Tokenizer, names: Sequence[str]) -> int:
    """The id of the first of these tokens that the vocabulary has."""
    known = [name for name in names if tokenizer.backend.token_to_id(name) is not None]
    return tokenizer.special_id((known or names)[0])
