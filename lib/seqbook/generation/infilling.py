"""Filling in the masked tokens of a text, with a model that predicts chosen positions. Built in chapter 4.1.

The model predicts each masked token from the visible ones, independently of the other masked tokens. So a text with
several masks can be filled in one pass, which ignores how the words go together; mask by mask, where each word depends on
those before it; or again and again, until all words depend on each other. Everything is done for a batch of texts.

ids contain `mask_id` where a token is missing; excluded: the ids of special tokens, which are never filled in; choose: takes
logits, one row for each mask that is filled in this pass, and returns tokens, as `sampling.sampler` makes it. Its streams of
random numbers belong to these rows, not to the texts: what is drawn for a text depends on the texts before it in the batch.
For a sample that depends on the text and the seed alone, give one text and a new `choose`. The most probable tokens
depend on neither.
"""

from collections.abc import Collection
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqbook.generation.sampling import Choose, sampler
from seqbook.nn.checks import check_positive
from seqbook.nn.mode import evaluating

Order = Literal["left to right", "surest first"]
MOST_PROBABLE = sampler(top_k=1)


@torch.inference_mode()
def probabilities(
    model, ids: Int[Tensor, "batch time"], mask_id: int, excluded: Collection[int] = ()
) -> Float[Tensor, "masks vocab"]:
    """P(token | the visible tokens) at each mask, in reading order.

    Raises:
        ValueError: no mask.
    """
    return _log_probabilities(model, ids, mask_id, excluded).exp()


@torch.inference_mode()
def fill_at_once(
    model,
    ids: Int[Tensor, "batch time"],
    mask_id: int,
    choose: Choose = MOST_PROBABLE,
    excluded: Collection[int] = (),
) -> Int[Tensor, "batch time"]:
    """Fill all masks from one pass, each one independently of the others.

    Raises:
        ValueError: no mask.
    """
    filled = ids.clone()
    filled[ids == mask_id] = choose(_log_probabilities(model, ids, mask_id, excluded))
    return filled


@torch.inference_mode()
def fill_one_by_one(
    model,
    ids: Int[Tensor, "batch time"],
    mask_id: int,
    choose: Choose = MOST_PROBABLE,
    excluded: Collection[int] = (),
    *,
    order: Order = "left to right",
) -> Int[Tensor, "batch time"]:
    """Fill one mask of each text per pass. The passes after it see the new token.

    order: the leftmost mask first, or the one whose most probable token has the highest probability.

    Raises:
        ValueError: no mask; an unknown order.
    """
    if order not in get_args(Order):
        raise ValueError(f"order={order!r}: choose one of {', '.join(get_args(Order))}")
    filled = ids.clone()
    while True:
        log_probs = _log_probabilities(model, filled, mask_id, excluded)  # (N, V)
        masks = filled == mask_id
        # Each mask gets a rank, and every other position a rank below all of them.
        ranks = torch.full(ids.shape, -torch.inf, device=ids.device)
        surest = log_probs.amax(-1)
        leftmost = -masks.nonzero()[:, 1].to(surest.dtype)
        ranks[masks] = leftmost if order == "left to right" else surest
        rows = masks.any(1).nonzero().flatten()
        positions = ranks.argmax(1)[rows]

        found = torch.zeros_like(masks)
        found[rows, positions] = True
        filled[rows, positions] = choose(log_probs[found[masks]])
        if not (filled == mask_id).any():
            return filled


@torch.inference_mode()
def fill_repeatedly(
    model,
    ids: Int[Tensor, "batch time"],
    mask_id: int,
    choose: Choose,
    excluded: Collection[int] = (),
    *,
    sweeps: int,
) -> Int[Tensor, "batch time"]:
    """Gibbs sampling {cite}`wang2019bert`: fill all masks at once; then, in each sweep, mask each of these positions
    again, one at a time from left to right, and choose its token anew given all the others.

    Raises:
        ValueError: no mask; `sweeps` below one.
    """
    check_positive(sweeps=sweeps)
    filled, masks = fill_at_once(model, ids, mask_id, choose, excluded), ids == mask_id
    number = masks.cumsum(1).masked_fill(~masks, 0)  # 1, 2, … for the masks of each text
    for _ in range(sweeps):
        for i in range(1, int(number.max()) + 1):
            rows = (number == i).any(1)
            again = filled[rows].masked_fill(number[rows] == i, mask_id)
            filled[rows] = fill_at_once(model, again, mask_id, choose, excluded)
    return filled


def _log_probabilities(model, ids: Tensor, mask_id: int, excluded: Collection[int]) -> Tensor:
    masks = ids == mask_id
    if not masks.any():
        raise ValueError(f"there is no mask (id {mask_id}) to fill in: put one where a token is missing")
    with evaluating(model):
        outputs = model(ids, masks)
    logits = outputs if isinstance(outputs, Tensor) else outputs.tokens  # without the answer about the next sentence
    logits = logits.float()
    logits[:, [mask_id, *excluded]] = -torch.inf
    return logits.log_softmax(-1)
