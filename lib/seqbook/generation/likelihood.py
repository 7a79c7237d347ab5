"""The probability of a given text under a model."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from seqbook.data.loader import in_length_order
from seqbook.generation.decoding import check_prompts
from seqbook.nn.checks import check_ids, check_positive
from seqbook.nn.mode import evaluating


@torch.inference_mode()
def log_likelihood(
    model, prompts: Sequence[Sequence[int]], continuations: Sequence[Sequence[int]], *, batch_size: int = 32
) -> list[float]:
    """log P(continuation | prompt) in nats under a decoder-only model, for each pair. Built in chapter 3.3.

    Raises:
        ValueError: not as many continuations as prompts, none at all, an empty one, or a pair over the model's max_len.
    """
    if len(prompts) != len(continuations):
        raise ValueError(f"{len(prompts)} prompts and {len(continuations)} continuations: give one for each")
    check_prompts(prompts)
    check_positive(batch_size=batch_size)
    config, device = model.config, next(model.parameters()).device
    texts = [[*prompt, *continuation] for prompt, continuation in zip(prompts, continuations, strict=True)]
    for i, (text, continuation) in enumerate(zip(texts, continuations, strict=True)):
        if not len(continuation):
            raise ValueError(f"continuation {i} is empty: give at least one token to score")
        if len(text) > config.max_len + 1:  # the last token is scored but never read
            raise ValueError(
                f"prompt {i} and its continuation have {len(text)} tokens: "
                f"at most {config.max_len + 1} fit under the model's max_len={config.max_len}"
            )

    scores = [0.0] * len(texts)
    with evaluating(model):
        for rows in in_length_order(list(map(len, texts)), batch_size):
            width = max(len(texts[i]) for i in rows)
            ids = torch.tensor([texts[i] + [0] * (width - len(texts[i])) for i in rows], device=device)
            check_ids(ids, config.vocab_size, config.max_len + 1, "prompts and continuations")
            logits = model(ids[:, :-1]).float().transpose(1, 2)  # (B, V, T)
            nll = F.cross_entropy(logits, ids[:, 1:], reduction="none")  # (B, T)
            for i, row in zip(rows, nll.tolist(), strict=True):
                scores[i] = -sum(row[len(prompts[i]) - 1 : len(texts[i]) - 1])
    return scores
