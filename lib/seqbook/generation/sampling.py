"""Sampling the next token, with a temperature and with two filters that exclude improbable tokens."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

Choose = Callable[[Float[Tensor, "batch vocab"]], Int[Tensor, " batch"]]


def sampler(
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
) -> Choose:
    """A function that draws one token per row from softmax(filtered(logits / temperature)). Built in chapter 3.1.

    top_k, top_p: as in `filter_logits`; generator: the source of the random numbers, for reproducible samples. Each row has
    a stream of its own, so what is drawn for the first row does not depend on how many others there are.

    Raises:
        ValueError: a temperature that is not above 0 or not finite, top_k below one, top_p outside 0 to 1.
    """
    if not 0 < temperature < math.inf:
        raise ValueError(
            f"temperature={temperature} must be above 0 and finite: top_k=1 always takes the most probable token"
        )
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k={top_k} must be at least 1")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p={top_p} must be above 0 and at most 1")

    streams: list[torch.Generator] = []

    def choose(logits: Tensor) -> Tensor:
        if top_k == 1:
            return logits.argmax(-1)
        while len(streams) < len(logits):
            seed = torch.randint(2**62, (), generator=generator, device=generator.device if generator else None)
            streams.append(torch.Generator().manual_seed(seed.item()))
        scores = logits - logits.max(-1, keepdim=True).values  # so that a low temperature does not overflow
        cumulated = filter_logits(scores / temperature, top_k, top_p).softmax(-1).double().cumsum(-1)
        drawn = torch.stack([torch.rand(1, generator=stream, dtype=torch.double) for stream in streams[: len(logits)]])
        return torch.searchsorted(cumulated, drawn.to(logits.device) * cumulated[:, -1:], right=True).squeeze(1)

    return choose


def filter_logits(
    logits: Float[Tensor, "batch vocab"], top_k: int | None = None, top_p: float | None = None
) -> Float[Tensor, "batch vocab"]:
    """The logits, with −∞ for tokens that are filtered out.

    top_k: keep the k most probable tokens {cite}`fan2018hierarchical`. top_p: of those, keep the smallest set of most
    probable tokens whose probabilities sum to p or more, the nucleus {cite}`holtzman2020curious`.
    """
    if top_k is not None:
        best = logits.topk(min(top_k, logits.shape[-1]), dim=-1)
        logits = torch.full_like(logits, -torch.inf).scatter(-1, best.indices, best.values)
    if top_p is not None and top_p < 1:  # with 1 all are kept, even those too improbable to change a sum
        ordered, order = logits.sort(dim=-1, descending=True)
        probs = ordered.softmax(-1)
        outside = probs.cumsum(-1) - probs >= top_p  # without it, the more probable tokens sum to top_p already
        outside[:, 0] = False
        logits = logits.masked_fill(outside.scatter(-1, order, outside), -torch.inf)
    return logits
