"""Writing with a model that was trained to predict the next token: greedily, with a beam, or by sampling.

All three drive the same two methods of a model, `start(source_ids) -> state` and `step(token_ids, state) -> logits,
state`; a beam also asks the state for some of its rows, `state.reorder(rows)`.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from seqbook.nn.mode import evaluating
from seqbook.objectives.seq2seq import Seq2Seq
from seqbook.tokenizer import BOS, EOS


class Hypothesis(NamedTuple):
    """What a beam found: ids without `<bos>` and `<eos>`, and their log-probability (nats) over the length penalty."""

    ids: list[int]
    score: float


def greedy(model, source_ids: Int[Tensor, "batch source"], max_len: int) -> list[list[int]]:
    """The likeliest token at each step, until `<eos>` or `max_len` tokens. Built in chapter 1.1."""
    return _one_each(model, source_ids, max_len, lambda logits: logits.argmax(-1))


def sample(
    model,
    source_ids: Int[Tensor, "batch source"],
    max_len: int,
    *,
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
) -> list[list[int]]:
    """Tokens drawn from softmax(logits / temperature), until `<eos>` or `max_len` tokens.

    Raises:
        ValueError: a temperature that is not above 0 (greedy is the limit).
    """
    if not temperature > 0:
        raise ValueError(f"temperature={temperature} must be above 0: use greedy for the likeliest token")

    def choose(logits: Tensor) -> Tensor:
        return torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator).squeeze(1)

    return _one_each(model, source_ids, max_len, choose)


@torch.inference_mode()
def beam(
    model, source_ids: Int[Tensor, "batch source"], max_len: int, *, beams: int = 4, length_penalty: float = 1.0
) -> list[list[Hypothesis]]:
    """The best hypotheses of each source, best first: log P(y | x) / |y|^length_penalty, `<eos>` counted in |y|.

    At each step the `beams` likeliest beginnings live on. A search ends when `beams` hypotheses have ended, or at
    `max_len` tokens; with one beam it is greedy. Built in chapter 1.1.

    Raises:
        ValueError: `beams` below one.
    """
    if beams < 1:
        raise ValueError(f"beams={beams} must be at least 1")
    _check_max_len(max_len)
    batch, device = source_ids.shape[0], source_ids.device
    with evaluating(model):
        state = model.start(source_ids).reorder(torch.arange(batch, device=device).repeat_interleave(beams))
        tokens = torch.full((batch * beams,), BOS, device=device)
        beginnings = torch.empty(batch, beams, 0, dtype=torch.long, device=device)
        # All beams begin alike: only the first may be continued, or they would stay copies of each other.
        scores = torch.full((batch, beams), -torch.inf, device=device)
        scores[:, 0] = 0.0
        ended: list[list[Hypothesis]] = [[] for _ in range(batch)]
        for length in range(1, max_len + 1):
            logits, state = model.step(tokens, state)
            log_probs = logits.float().log_softmax(-1).unflatten(0, (batch, beams))  # (B, K, V)
            vocab = log_probs.shape[-1]
            # At most `beams` candidates can end here, so twice as many always leave enough to go on with.
            candidates = (scores[:, :, None] + log_probs).flatten(1).topk(min(2 * beams, beams * vocab), dim=-1)
            parent, token = candidates.indices // vocab, candidates.indices % vocab  # (B, 2K)
            ends = token == EOS
            for row, rank in (ends[:, :beams] & candidates.values[:, :beams].isfinite()).nonzero().tolist():
                if len(ended[row]) < beams:
                    ids = beginnings[row, parent[row, rank]].tolist()
                    ended[row].append(Hypothesis(ids, float(candidates.values[row, rank]) / length**length_penalty))
            scores, kept = candidates.values.masked_fill(ends, -torch.inf).topk(beams, dim=-1)  # (B, K)
            parent, token = parent.gather(1, kept), token.gather(1, kept)
            beginnings = torch.cat(
                [beginnings.gather(1, parent[:, :, None].expand_as(beginnings)), token[:, :, None]], 2
            )
            if all(len(hypotheses) == beams for hypotheses in ended):
                break
            state = state.reorder((parent + beams * torch.arange(batch, device=device)[:, None]).flatten())
            tokens = token.flatten()
    for row, hypotheses in enumerate(ended):  # what max_len cut off competes with what ended
        if len(hypotheses) < beams:
            hypotheses += [
                Hypothesis(ids, score / length**length_penalty)
                for ids, score in zip(beginnings[row].tolist(), scores[row].tolist(), strict=True)
                if score > -torch.inf
            ]
        hypotheses.sort(key=lambda hypothesis: -hypothesis.score)
    return [hypotheses[:beams] for hypotheses in ended]


def translate(
    model,
    objective: Seq2Seq,
    texts: Sequence[str],
    *,
    beams: int = 1,
    length_penalty: float = 1.0,
    batch_size: int = 250,
) -> list[str]:
    """Each text as the model would have it in the target language: greedily, or the best of a beam.

    Raises:
        ValueError: a text without tokens, or one over the objective's max_len.
    """
    device = next(model.parameters()).device
    sources = objective.encode_sources(texts)
    by_length = sorted(range(len(texts)), key=lambda i: len(sources[i]))
    translations = [""] * len(texts)
    for start in range(0, len(texts), batch_size):
        rows = by_length[start : start + batch_size]
        source_ids = objective.collate_sources([sources[i] for i in rows]).to(device)
        max_len = longest(objective, source_ids.shape[1])
        if beams == 1:
            written = greedy(model, source_ids, max_len)
        else:
            found = beam(model, source_ids, max_len, beams=beams, length_penalty=length_penalty)
            written = [hypotheses[0].ids for hypotheses in found]
        for i, ids in zip(rows, written, strict=True):
            translations[i] = objective.target_tokenizer.decode(ids)
    return translations


def longest(objective: Seq2Seq, source_len: int) -> int:
    """How many tokens a translation of `source_len` tokens may have: a model that goes in circles is stopped."""
    return min(objective.max_len, 2 * source_len + 10)


@torch.inference_mode()
def _one_each(model, source_ids: Tensor, max_len: int, choose: Callable[[Tensor], Tensor]) -> list[list[int]]:
    _check_max_len(max_len)
    with evaluating(model):
        state = model.start(source_ids)
        tokens = torch.full((source_ids.shape[0],), BOS, device=source_ids.device)
        written, done = [], torch.zeros_like(tokens, dtype=torch.bool)
        for _ in range(max_len):
            logits, state = model.step(tokens, state)
            tokens = choose(logits.float())
            written.append(tokens)
            done |= tokens == EOS
            if done.all():
                break
    rows = torch.stack(written, dim=1).tolist()
    return [row[: row.index(EOS)] if EOS in row else row for row in rows]


def _check_max_len(max_len: int) -> None:
    if max_len < 1:
        raise ValueError(f"max_len={max_len} must be at least 1")
