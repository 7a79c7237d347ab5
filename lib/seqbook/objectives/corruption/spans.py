"""T5's span corruption {cite}`raffel2020exploring`: sentinels replace spans of a text, and the target lists the spans.

    text      Thank you for inviting me to your party
    noise       .    .   x      x    .   .   .    x
    source    Thank you <extra_id_0> me to your <extra_id_1>
    target    <extra_id_0> for inviting <extra_id_1> party

T5's noise never begins at the first token and always ends at the last one, so its targets have no closing sentinel.
Built in chapter 5.1.
"""

import re
from collections.abc import Sequence

import torch
from jaxtyping import Bool
from torch import Tensor

from seqbook.data.tokenizer import Tokenizer
from seqbook.nn.checks import check_positive

SENTINEL = "<extra_id_{}>"
WRITTEN = re.compile(r"(<extra_id_\d+>)")  # a sentinel in a text


def sentinel_ids(tokenizer: Tokenizer) -> list[int]:
    """The ids of `<extra_id_0>`, `<extra_id_1>`, …, as far as the vocabulary has them. In T5's, each is one less than the
    one before it, and the first is the highest id."""
    found: list[int] = []
    while (i := tokenizer.backend.token_to_id(SENTINEL.format(len(found)))) is not None:
        found.append(i)
    return found


def count_noise(length: int, rate: float = 0.15, mean_length: float = 3.0) -> tuple[int, int]:
    """The numbers of noise tokens and of noise spans in a text of `length` tokens: always the same for a length.

    At least one token is noise, and one is not. There are at most as many spans as tokens that stay, because spans never
    touch.
    """
    length = max(length, 2)
    n_noise = min(max(round(length * rate), 1), length - 1)
    return n_noise, min(max(round(n_noise / mean_length), 1), length - n_noise)


def draw_noise(
    length: int, rate: float = 0.15, mean_length: float = 3.0, generator: torch.Generator | None = None
) -> Bool[Tensor, " time"]:
    """Which tokens of a text are noise. A text of one token has none.

    The noise tokens are divided into spans at random, each division being equally likely, and so are the others. The
    parts alternate, beginning with tokens that stay.

    Raises:
        ValueError: a length below one.
    """
    check_positive(length=length)
    n_noise, n_spans = count_noise(length, rate, mean_length)
    stays, noise = (partition(n, n_spans, generator) for n in (max(length, 2) - n_noise, n_noise))
    lengths = torch.stack([stays, noise], dim=1).flatten()
    return torch.tensor([False, True]).repeat(n_spans).repeat_interleave(lengths)[:length]


def replace_runs(ids: Sequence[int], noise: Bool[Tensor, " time"], sentinels: Sequence[int]) -> list[int]:
    """The ids with the first sentinel in place of the first run of noise, the second one in place of the second, …

    Raises:
        ValueError: more runs than sentinels; ids that contain a sentinel.
    """
    if common := set(ids) & set(sentinels):
        raise ValueError(f"the ids contain the sentinel {min(common)}: a sentinel stands for a span that was taken out")
    replaced, n, before = [], 0, False
    for i, is_noise in zip(ids, noise.tolist(), strict=True):
        if not is_noise:
            replaced.append(i)
        elif not before:
            if n == len(sentinels):
                raise ValueError(
                    f"there are more than {n} spans, and {n} sentinels: give more sentinels, or less noise"
                )
            replaced.append(sentinels[n])
            n += 1
        before = is_noise
    return replaced


def corrupt(ids: Sequence[int], noise: Bool[Tensor, " time"], sentinels: Sequence[int]) -> tuple[list[int], list[int]]:
    """The source, with a sentinel for each run of noise, and the target, with a sentinel for each run that stays.

    Raises:
        ValueError: noise at the first token, with which the sentinels of source and target would not correspond; more
            spans than sentinels; ids that contain a sentinel.
    """
    if len(ids) and noise[0]:
        raise ValueError("the first token is noise: it must stay, so that target and source begin the same span")
    return replace_runs(ids, noise, sentinels), replace_runs(ids, ~noise, sentinels)


def restore(source: Sequence[int], target: Sequence[int], sentinels: Sequence[int]) -> list[int]:
    """The inverse of `corrupt`: the source with the spans of the target in place of its sentinels.

    The target may be a model's: a sentinel that it lacks stands for no token, and one that it repeats counts once.
    """
    found = spans_of(target, sentinels)
    return [j for i in source for j in (found.get(i, []) if i in sentinels else [i])]


def spans_of(target: Sequence[int], sentinels: Sequence[int]) -> dict[int, list[int]]:
    """The tokens after each sentinel of a target."""
    found: dict[int, list[int]] = {}
    span: list[int] = []
    for i in target:
        if i in sentinels:
            span = []
            found.setdefault(i, span)
        else:
            span.append(i)
    return found


def longest_text(max_len: int, rate: float = 0.15, mean_length: float = 3.0) -> int:
    """How many tokens a text may have, so that source and target have at most max_len with the token that ends each."""

    def fits(length: int) -> bool:
        n_noise, n_spans = count_noise(length, rate, mean_length)
        return max(length - n_noise, n_noise) + n_spans + 1 <= max_len

    length = 1
    while fits(length + 1):
        length += 1
    return length


def partition(total: int, parts: int, generator: torch.Generator | None) -> Tensor:
    """The sizes of `parts` parts of `total`, all at least one; each way to divide it is equally likely."""
    cuts = torch.randperm(total - 1, generator=generator)[: parts - 1].sort().values + 1
    return torch.diff(cuts, prepend=torch.tensor([0]), append=torch.tensor([total]))
