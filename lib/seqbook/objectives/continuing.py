"""Prompts that a prefix decoder continues, in batches that do not change what it writes."""

from collections.abc import Sequence
from typing import Literal

from torch import nn

from seqbook.data.tokenizer import Tokenizer
from seqbook.generation.beam import beam
from seqbook.generation.decoding import greedy
from seqbook.objectives.rows import pad_left

Mask = Literal["bidirectional", "causal"]  # of a prefix


def continue_prefixes(
    model: nn.Module,
    tokenizer: Tokenizer,
    prompts: Sequence[list[int]],
    prefix: Mask,
    *,
    max_new: Sequence[int],
    beams: int = 1,
    length_penalty: float = 1.0,
    batch_size: int = 250,
) -> list[list[int]]:
    """The new ids after each prompt, up to `<eos>`, by greedy decoding or beam search.

    prefix: the mask of the prompts; max_new: the largest number of new tokens of each.

    Raises:
        ValueError: a prompt that leaves no room for its new tokens; names it and its length.
    """
    device, max_len = next(model.parameters()).device, model.config.max_len
    for prompt, n in zip(prompts, max_new, strict=True):
        if len(prompt) + n > max_len + 1:  # the last new token is generated but never read
            raise ValueError(
                f"{tokenizer.decode(prompt)[:80]!r} is {len(prompt)} tokens long with its special tokens, which leaves no "
                f"room for {n} new ones: at most {max(0, max_len + 1 - n)} fit under the model's max_len={max_len}"
            )
    found: list[list[int]] = [[] for _ in prompts]
    for chosen in _batches(list(map(len, prompts)), max_new, max_len + 1, batch_size):
        ids, padding = pad_left([prompts[i] for i in chosen], tokenizer.pad_id)
        lengths = ids.shape[1] - padding
        given = tuple(t.to(device) for t in (ids, padding, lengths if prefix == "bidirectional" else 0 * lengths))
        how = {"max_new": max(max_new[i] for i in chosen), "stop": [tokenizer.eos_id]}
        if beams == 1:
            written = greedy(model, given, **how)
        else:
            ranked = beam(model, given, **how, beams=beams, length_penalty=length_penalty)
            written = [hypotheses[0].ids for hypotheses in ranked]
        for i, new in zip(chosen, written, strict=True):
            found[i] = new[: max_new[i]]
    return found


def _batches(lengths: list[int], max_new: Sequence[int], room: int, batch_size: int) -> list[list[int]]:
    """The rows from short to long, in batches in which all of them have room for their new tokens."""
    batches: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batches and len(batches[-1]) < batch_size:
            longest = max(max_new[j] for j in [*batches[-1], i])
            if lengths[i] + longest <= room:
                batches[-1].append(i)
                continue
        batches.append([i])
    return batches
