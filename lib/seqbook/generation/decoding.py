"""Decoding one sequence per row, greedily or by sampling."""

from collections.abc import Collection, Sequence
from itertools import takewhile
from typing import Any

import torch
from torch import Tensor

from seqbook.generation.sampling import Choose, sampler
from seqbook.nn.checks import check_ids, check_numbers, check_positive
from seqbook.nn.mode import evaluating


def greedy(model, given: tuple[Tensor, ...], *, max_new: int, stop: Collection[int]) -> list[list[int]]:
    """The most probable token at each step, up to one of `stop` (not returned) or `max_new`. Built in chapter 1.1."""
    return _decode(model, given, max_new, stop, lambda logits: logits.argmax(-1))


def complete(
    model, prompts: Sequence[Sequence[int]], max_new: int, *, stop: Collection[int], **how: Any
) -> list[list[int]]:
    """Continue each prompt with a decoder-only model, all in one batch; only the new ids. Built in chapter 3.1.

    The prompts are padded on the left, so that all of them end at the same position. Tokens are drawn by
    `sampling.sampler(**how)`; top_k=1 is greedy.

    Raises:
        ValueError: no prompts, an empty one, or one that leaves no room for `max_new` tokens; what `sampler` refuses.
    """
    choose, config = sampler(**how), model.config
    check_positive(max_new=max_new)
    check_prompts(prompts)
    room = config.max_len + 1 - max_new  # the last new token is generated but never read
    for i, prompt in enumerate(prompts):
        if len(prompt) > room:
            raise ValueError(
                f"prompt {i} has {len(prompt)} tokens, which leaves no room for max_new={max_new}: "
                f"at most {max(room, 0)} fit under the model's max_len={config.max_len}"
            )
    width, device = max(map(len, prompts)), next(model.parameters()).device
    padding = [width - len(prompt) for prompt in prompts]
    ids = torch.tensor([[0] * n + list(prompt) for n, prompt in zip(padding, prompts, strict=True)], device=device)
    check_ids(ids, config.vocab_size, config.max_len, "prompts")
    return _decode(model, (ids, torch.tensor(padding, device=device)), max_new, stop, choose)


def check_prompts(prompts: Sequence[Sequence[int]]) -> None:
    """Check that there are prompts and that none is empty.

    Raises:
        ValueError: no prompts, or an empty one; names it.
    """
    if not prompts:
        raise ValueError("there are no prompts: give at least one")
    for i, prompt in enumerate(prompts):
        if not len(prompt):
            raise ValueError(f"prompt {i} is empty: give at least one token to continue, such as <bos>")


@torch.inference_mode()
def _decode(model, given: tuple[Tensor, ...], max_new: int, stop: Collection[int], choose: Choose) -> list[list[int]]:
    """The loop: prefill, then one token per row and step, until every row has generated a token of `stop`."""
    check_positive(max_new=max_new)
    with evaluating(model):
        logits, state = model.prefill(*given)
        check_numbers(logits)
        ends = torch.tensor(list(stop), dtype=torch.long, device=logits.device)
        written, done = [], torch.zeros(len(logits), dtype=torch.bool, device=logits.device)
        while True:
            tokens = choose(logits.float())  # (B,)
            written.append(tokens)
            done |= torch.isin(tokens, ends)
            if len(written) == max_new or done.all():
                break
            logits, state = model.decode(tokens, state)
    rows = torch.stack(written, dim=1).tolist()
    return [list(takewhile(lambda token: token not in stop, row)) for row in rows]
