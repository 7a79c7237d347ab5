"""Writing with a model that was trained to predict the next token: greedily, with a beam, or by sampling.

All drive the same two methods of a model, `start(source_ids) -> state` and `step(token_ids, state) -> logits, state`; a
beam also asks the state for some of its rows, `state.reorder(rows)`. The first token that `step` reads is `<bos>`, or
`first`, one for each row.
"""

from collections.abc import Collection, Sequence
from itertools import takewhile
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor

from seqbook.nn.checks import check_ids, check_positive
from seqbook.nn.mode import evaluating
from seqbook.objectives.batch import IGNORED, pad
from seqbook.objectives.seq2seq import Seq2Seq
from seqbook.sampling import Choose, sampler
from seqbook.tokenizer import BOS, EOS


class Hypothesis(NamedTuple):
    """What a beam found: ids without `<bos>` and `<eos>`, and their log-probability (nats) over the length penalty."""

    ids: list[int]
    score: float


def greedy(
    model, source_ids: Int[Tensor, "batch source"], max_len: int, *, first: Int[Tensor, " batch"] | None = None
) -> list[list[int]]:
    """The likeliest token at each step, until `<eos>` or `max_len` tokens. Built in chapter 1.1."""
    return _one_each(model, (source_ids,), first, max_len, lambda logits: logits.argmax(-1))


def sample(
    model,
    source_ids: Int[Tensor, "batch source"],
    max_len: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
    first: Int[Tensor, " batch"] | None = None,
) -> list[list[int]]:
    """Tokens drawn as `sampling.sampler` says, until `<eos>` or `max_len` tokens.

    Raises:
        ValueError: a temperature, top_k or top_p that `sampler` refuses.
    """
    return _one_each(model, (source_ids,), first, max_len, sampler(temperature, top_k, top_p, generator))


def complete(
    model,
    prompts: Sequence[Sequence[int]],
    max_new: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
    stop: Collection[int] = (EOS,),
) -> list[list[int]]:
    """How a decoder-only model goes on after each prompt, all in one batch: the new ids alone. Built in chapter 3.1.

    Tokens are drawn as `sampling.sampler` says, top_k=1 being greedy, until one of `stop`, which is left out, or `max_new`.

    Raises:
        ValueError: no prompts, an empty one, or one that leaves no room for `max_new` tokens; what `sampler` refuses.
    """
    choose, config = sampler(temperature, top_k, top_p, generator), model.config
    check_positive(max_new=max_new)
    _check_prompts(prompts)
    room = config.max_len + 1 - max_new  # the last new token is written and not read
    for i, prompt in enumerate(prompts):
        if len(prompt) > room:
            raise ValueError(
                f"prompt {i} has {len(prompt)} tokens, which leaves no room for max_new={max_new}: "
                f"at most {max(room, 0)} fit under the model's max_len={config.max_len}"
            )
    width, device = max(map(len, prompts)), next(model.parameters()).device
    padding = [width - len(prompt) for prompt in prompts]  # at the left, so that all prompts end together
    ids = torch.tensor([[0] * n + list(prompt) for n, prompt in zip(padding, prompts, strict=True)], device=device)
    check_ids(ids, config.vocab_size, config.max_len, "prompts", pad_id=None)
    # All but the last token of each prompt is read at once; the last one is what the first step reads.
    return _one_each(model, (ids[:, :-1], torch.tensor(padding, device=device)), ids[:, -1], max_new, choose, stop)


@torch.inference_mode()
def log_likelihood(
    model, prompts: Sequence[Sequence[int]], continuations: Sequence[Sequence[int]], *, batch_size: int = 32
) -> list[float]:
    """log P(continuation | prompt) in nats by a decoder-only model, for each pair. Built in chapter 3.3.

    Raises:
        ValueError: not as many continuations as prompts, none at all, an empty one, or a pair over the model's max_len.
    """
    if len(prompts) != len(continuations):
        raise ValueError(f"{len(prompts)} prompts and {len(continuations)} continuations: give one for each")
    _check_prompts(prompts)
    check_positive(batch_size=batch_size)
    config, device = model.config, next(model.parameters()).device
    texts = [[*prompt, *continuation] for prompt, continuation in zip(prompts, continuations, strict=True)]
    for i, (text, continuation) in enumerate(zip(texts, continuations, strict=True)):
        if not len(continuation):
            raise ValueError(f"continuation {i} is empty: give at least one token to score")
        if len(text) > config.max_len + 1:  # the last token is scored and not read
            raise ValueError(
                f"prompt {i} and its continuation have {len(text)} tokens: "
                f"at most {config.max_len + 1} fit under the model's max_len={config.max_len}"
            )
    by_length, scores = sorted(range(len(texts)), key=lambda i: len(texts[i])), [0.0] * len(texts)
    with evaluating(model):
        for rows in (by_length[start : start + batch_size] for start in range(0, len(texts), batch_size)):
            ids = pad([texts[i] for i in rows], 0).to(device)
            check_ids(ids, config.vocab_size, config.max_len + 1, "prompts and continuations", pad_id=None)
            logits = model(ids[:, :-1]).float().transpose(1, 2)  # (B, V, T)
            scored = [[IGNORED] * (len(prompts[i]) - 1) + list(continuations[i]) for i in rows]
            labels = pad(scored, IGNORED).to(device)
            nats = F.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="none").sum(1)
            for i, score in zip(rows, (-nats).tolist(), strict=True):
                scores[i] = score
    return scores


@torch.inference_mode()
def beam(
    model,
    source_ids: Int[Tensor, "batch source"],
    max_len: int,
    *,
    beams: int = 4,
    length_penalty: float = 1.0,
    first: Int[Tensor, " batch"] | None = None,
) -> list[list[Hypothesis]]:
    """The best hypotheses of each source, best first: log P(y | x) / |y|^length_penalty, `<eos>` counted in |y|.

    At each step the `beams` likeliest beginnings live on. A search ends when `beams` hypotheses have ended, or at
    `max_len` tokens; with one beam it is greedy. Built in chapter 1.1.

    Raises:
        ValueError: `beams` below one.
    """
    check_positive(beams=beams, max_len=max_len)
    batch, device = source_ids.shape[0], source_ids.device
    with evaluating(model):
        state = model.start(source_ids).reorder(torch.arange(batch, device=device).repeat_interleave(beams))
        tokens = _first(first, source_ids).repeat_interleave(beams)
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
def _one_each(
    model, read: tuple[Tensor, ...], first: Tensor | None, max_len: int, choose: Choose, stop: Collection[int] = (EOS,)
) -> list[list[int]]:
    """One text a row, token by token, until one of `stop`; `read` is what the model starts from."""
    check_positive(max_len=max_len)
    with evaluating(model):
        state, tokens = model.start(*read), _first(first, read[0])
        ends = torch.tensor(list(stop), dtype=torch.long, device=tokens.device)
        written, done = [], torch.zeros_like(tokens, dtype=torch.bool)
        for _ in range(max_len):
            logits, state = model.step(tokens, state)
            tokens = choose(logits.float())
            written.append(tokens)
            done |= torch.isin(tokens, ends)
            if done.all():
                break
    rows = torch.stack(written, dim=1).tolist()
    return [list(takewhile(lambda token: token not in stop, row)) for row in rows]


def _first(first: Tensor | None, source_ids: Tensor) -> Tensor:
    return torch.full((source_ids.shape[0],), BOS, device=source_ids.device) if first is None else first


def _check_prompts(prompts: Sequence[Sequence[int]]) -> None:
    if not prompts:
        raise ValueError("there are no prompts: give at least one")
    for i, prompt in enumerate(prompts):
        if not len(prompt):
            raise ValueError(f"prompt {i} is empty: give at least one token to go on from, such as <bos>")
