"""T5's relative positions {cite}`raffel2020exploring`: a learned number per head that depends on key minus query.

The exact distance matters for near keys. Far keys share buckets, which get wider with the distance:

    key − query     … −5  −4  −3  −2  −1   0   1   2   3   4   5 …
    bidirectional      5   4   3   2   1   0  17  18  19  20  21      32 buckets: 16 for each direction
    causal             5   4   3   2   1   0   0   0   0   0   0      all 32 for the past; a mask hides the future
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqbook.nn.checks import check_positive


def buckets(
    relative: Int[Tensor, "*shape"], *, bidirectional: bool, n_buckets: int = 32, max_distance: int = 128
) -> Int[Tensor, "*shape"]:
    """The bucket of each relative position, key − query, in tokens.

    Of the n buckets of a direction, the first n/2 hold one distance each. The others grow like a logarithm, up to
    `max_distance`; the last bucket also holds everything beyond it.

    Raises:
        ValueError: too few buckets, or a max_distance within those that hold one distance each.
    """
    check_positive(n_buckets=n_buckets, max_distance=max_distance)
    n, first = (n_buckets // 2, (relative > 0).long() * (n_buckets // 2)) if bidirectional else (n_buckets, 0)
    distance = relative.abs() if bidirectional else (-relative).clamp(min=0)
    exact = n // 2
    if exact < 1 or max_distance <= exact:
        raise ValueError(
            f"n_buckets={n_buckets} and max_distance={max_distance}: give at least {4 if bidirectional else 2} buckets, "
            f"and a max_distance above {max(exact, 1)}"
        )
    growth = (distance.clamp(min=1).float() / exact).log() / math.log(max_distance / exact)
    far = (exact + (growth * (n - exact)).long()).clamp(max=n - 1)
    return first + torch.where(distance < exact, distance, far)


class RelativeBias(nn.Module):
    """b[bucket(key − query), head], which self-attention adds to its scores. All blocks of a stack share one table.
    Built in chapter 5.1.

    max_len: the largest number of positions (tokens).

    Raises:
        ValueError: sizes that do not fit, as in `buckets`.
    """

    def __init__(
        self, n_heads: int, max_len: int, *, bidirectional: bool, n_buckets: int = 32, max_distance: int = 128
    ):
        super().__init__()
        check_positive(n_heads=n_heads, max_len=max_len, n_buckets=n_buckets)
        self.table = nn.Parameter(torch.randn(n_buckets, n_heads))
        relative = torch.arange(1 - max_len, max_len)
        found = buckets(relative, bidirectional=bidirectional, n_buckets=n_buckets, max_distance=max_distance)
        self.register_buffer("buckets", found, persistent=False)  # (2 · max_len − 1,)

    def forward(self, n_queries: int, n_keys: int) -> Float[Tensor, "1 heads query key"]:
        """The bias for the last `n_queries` of `n_keys` positions; those before them are in the cache."""
        key = torch.arange(n_keys, device=self.table.device)
        relative = key - key[n_keys - n_queries :, None]  # (Q, K)
        found = self.buckets[relative + len(self.buckets) // 2]
        return self.table[found].permute(2, 0, 1)[None]
