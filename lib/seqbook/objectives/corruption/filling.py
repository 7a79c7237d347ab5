"""Texts with gaps, filled in by encoder-decoders: T5 writes the words of each sentinel, BART writes the whole text anew."""

import math
from collections import Counter
from collections.abc import Collection, Sequence

import torch
from torch import nn

from seqbook.data.tokenizer import Tokenizer
from seqbook.generation.beam import Hypothesis, beam
from seqbook.nn.checks import check_positive
from seqbook.objectives.corruption import spans
from seqbook.objectives.filling import Filled

MASK = "<mask>"
BEGIN, END = ("<bos>", "<s>"), ("<eos>", "</s>")  # by the names of our tokenizers, and of T5's and BART's own


def fill_gaps(model: nn.Module, tokenizer: Tokenizer, texts: Sequence[str], *, top: int = 5) -> list[Filled]:
    """Fill in `<extra_id_0>`, `<extra_id_1>`, …, of each text with any number of words, as T5 was trained to.

    The `top` most probable answers are found by beam search. The text has the most probable one. For each sentinel, its
    different contents are listed, each with the sum of the probabilities of the answers that have it.

    Raises:
        ValueError: a vocabulary without sentinels, or with too few; a text whose sentinels are missing or not numbered
            from 0, or one over the model's max_len; `top` below one.
    """
    end, sentinels = _special_id(tokenizer, END), spans.sentinel_ids(tokenizer)
    filled = []
    for text in texts:
        # ["the first words", "<extra_id_0>", "the words between", "<extra_id_1>", …]
        parts = spans.WRITTEN.split(text)
        # In a byte-level vocabulary the space before a word is part of its token, so no part ends with one.
        names, ids = parts[1::2], tokenizer.encode_batch([part.rstrip() for part in parts[::2]])
        if not names or names != [spans.SENTINEL.format(i) for i in range(len(names))]:
            raise ValueError(
                f"{text[:80]!r} has {', '.join(names) or 'no <extra_id_0>'}: write <extra_id_0>, <extra_id_1>, …, in this "
                "order, where words are missing"
            )
        if len(names) > len(sentinels):
            raise ValueError(f"{text[:80]!r} has {len(names)} gaps, but the vocabulary has {len(sentinels)} sentinels")
        source = [*ids[0], *(i for pair in zip(sentinels, ids[1:], strict=False) for i in (pair[0], *pair[1]))]

        # After the last gap, T5's own models write the next sentinel before they end.
        stop = [end, *sentinels[len(names) :][:1]]
        found = _answers(model, tokenizer, text, [*source, end], [model.config.pad_id], stop, top)
        best = spans.restore(source, found[0].ids, sentinels)
        words = []
        for sentinel in sentinels[: len(names)]:
            contents: Counter[str] = Counter()
            for answer in found:
                ids = spans.spans_of(answer.ids, sentinels).get(sentinel, [])
                contents[tokenizer.decode(ids).strip()] += math.exp(answer.score)
            words.append(contents.most_common())
        filled.append(Filled(tokenizer.decode(best).strip(), words))
    return filled


def rewrite(model: nn.Module, tokenizer: Tokenizer, texts: Sequence[str], *, top: int = 5) -> list[Filled]:
    """Each text as the model rewrites it: with words for each "<mask>", and with what else it finds to be corrupted.

    The `top` most probable texts are found by beam search, and listed with their probabilities as the words of a single
    gap.

    Raises:
        ValueError: a vocabulary without `<mask>` or the tokens that begin and end a text; a text over the model's
            max_len; `top` below one.
    """
    begin, end, mask = (_special_id(tokenizer, names) for names in (BEGIN, END, (MASK,)))
    filled = []
    for text in texts:
        *before, last = text.split(MASK)
        # In a byte-level vocabulary the space before a word is part of its token.
        parts = tokenizer.encode_batch([part.rstrip() for part in before])
        source = [begin, *(i for ids in parts for i in (*ids, mask)), *tokenizer.encode(last), end]
        found = _answers(model, tokenizer, text, source, [end, begin], [end], top)
        written = [(tokenizer.decode(answer.ids).strip(), math.exp(answer.score)) for answer in found]
        filled.append(Filled(written[0][0], [written]))
    return filled


def _answers(
    model: nn.Module,
    tokenizer: Tokenizer,
    text: str,
    source: list[int],
    start: list[int],
    stop: Collection[int],
    top: int,
) -> list[Hypothesis]:
    """The most probable answers to one source, best first, by log P(answer | source) in nats."""
    check_positive(top=top)
    max_len, device = model.config.max_len, next(model.parameters()).device
    if len(source) > max_len:
        raise ValueError(
            f"{text[:80]!r} is {len(source)} tokens long with its special tokens: it must have at most max_len={max_len}"
        )
    given = tuple(torch.tensor([ids], device=device) for ids in (source, start))
    max_new = min(max_len + 1 - len(start), 2 * len(source) + 10)
    (found,) = beam(model, given, max_new=max_new, stop=stop, beams=top, length_penalty=0.0)
    # A model may have more ids than its vocabulary has tokens, as T5's own do.
    known = len(tokenizer)
    return [Hypothesis([i for i in answer.ids if i < known], answer.score) for answer in found]


def _special_id(tokenizer: Tokenizer, names: Sequence[str]) -> int:
    """The id of the first of these tokens that the vocabulary has."""
    known = [name for name in names if tokenizer.backend.token_to_id(name) is not None]
    return tokenizer.special_id((known or names)[0])
