"""Beam search: keep the most probable unfinished sequences at each step."""

import math
from collections.abc import Collection
from typing import NamedTuple

import torch
from torch import Tensor

from seqbook.nn.checks import check_numbers, check_positive
from seqbook.nn.mode import evaluating


class Hypothesis(NamedTuple):
    """The generated ids without the end token, and their log-probability (nats) divided by the length penalty."""

    ids: list[int]
    score: float


@torch.inference_mode()
def beam(
    model,
    given: tuple[Tensor, ...],
    *,
    max_new: int,
    stop: Collection[int],
    beams: int = 4,
    length_penalty: float = 1.0,
) -> list[list[Hypothesis]]:
    """The best hypotheses of each row, best first, by log P(y | given) / |y|^length_penalty.

    The length |y| includes the end token. At each step the `beams` most probable unfinished sequences are kept. A
    search ends when `beams` hypotheses have ended and no unfinished sequence can still beat the worst of them, whatever
    follows, or after `max_new` tokens; then unfinished sequences compete too. One beam is greedy decoding, which ends with
    its first hypothesis. Built in chapter 1.1.

    Raises:
        ValueError: `beams` or `max_new` below one; a length penalty that is not finite.
    """
    check_positive(beams=beams, max_new=max_new)
    if not math.isfinite(length_penalty):
        raise ValueError(f"length_penalty={length_penalty} must be finite: 0 compares the sums of log-probabilities")
    batch, device = given[0].shape[0], given[0].device
    with evaluating(model):
        logits, state = model.prefill(*given)
        check_numbers(logits)
        rows = torch.arange(batch, device=device)
        logits, state = logits.repeat_interleave(beams, 0), state.select(rows.repeat_interleave(beams))
        ends_at = torch.tensor(list(stop), dtype=torch.long, device=device)
        beginnings = torch.empty(batch, beams, 0, dtype=torch.long, device=device)
        # At first all beams of a row are equal. Only the first one may be continued, or they would all remain equal.
        scores = torch.full((batch, beams), -torch.inf, device=device)
        scores[:, 0] = 0.0
        ended: list[list[tuple[float, list[int]]]] = [[] for _ in range(batch)]  # (cost, ids) in each row, best first
        open_rows = set(range(batch))
        for length in range(1, max_new + 1):
            log_probs = logits.float().log_softmax(-1).unflatten(0, (batch, beams))  # (B, K, V)
            vocab = log_probs.shape[-1]

            # With each stop token at most `beams` candidates end, so at least `beams` are left to continue.
            n = min((1 + len(stop)) * beams, beams * vocab)
            candidates = (scores[:, :, None] + log_probs).flatten(1).topk(n, dim=-1)
            parent, token = candidates.indices // vocab, candidates.indices % vocab  # (B, n)
            ends = torch.isin(token, ends_at)
            for row, rank in (ends[:, :beams] & candidates.values[:, :beams].isfinite()).nonzero().tolist():
                if row in open_rows:
                    ids = beginnings[row, parent[row, rank]].tolist()
                    ended[row].append((cost(candidates.values[row, rank].item(), length, length_penalty), ids))

            scores, kept = candidates.values.masked_fill(ends, -torch.inf).topk(beams, dim=-1)  # (B, K)
            parent, token = parent.gather(1, kept), token.gather(1, kept)
            beginnings = torch.cat(
                [beginnings.gather(1, parent[:, :, None].expand_as(beginnings)), token[:, :, None]], 2
            )
            # A sequence only becomes less probable. How long it should still become depends on the sign of the penalty.
            longest = max_new if length_penalty > 0 else min(length + 1, max_new)
            for row in list(open_rows):
                ended[row] = sorted(ended[row])[:beams]
                least = cost(scores[row, 0].item(), longest, length_penalty)
                if len(ended[row]) == beams and (beams == 1 or ended[row][-1][0] <= least):
                    open_rows.remove(row)
            if length == max_new or not open_rows:
                break
            logits, state = model.decode(token.flatten(), state.select((parent + beams * rows[:, None]).flatten()))

    for row in open_rows:
        for ids, score in zip(beginnings[row].tolist(), scores[row].tolist(), strict=True):
            if score > -torch.inf:
                ended[row].append((cost(score, length, length_penalty), ids))
        ended[row] = sorted(ended[row])[:beams]
    return [[Hypothesis(ids, -math.exp(found) if found < 700 else -math.inf) for found, ids in row] for row in ended]


def cost(log_prob: float, length: int, length_penalty: float) -> float:
    """log(−log P / length^length_penalty): the lower, the better. As a logarithm, no penalty makes it overflow."""
    return (math.log(-log_prob) if log_prob < 0 else -math.inf) - length_penalty * math.log(length)
