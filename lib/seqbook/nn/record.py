"""Reading attention weights while a model runs, without a flag in its forward."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from seqbook.nn import masks
from seqbook.nn.attention import Attention, Weights


@contextmanager
def record(model: nn.Module) -> Iterator[dict[str, list[Tensor]]]:
    """Inside the `with` block, every forward appends its attention weights to the list under the attention's name.

    Weights have the shape (batch, heads, query, key), or (batch, query, key) in an RNN; each row sums to 1, or to 0 if the
    query may attend to nothing. Recording does not change what the model computes.

    Raises:
        ValueError: the model has no attention to record.
    """
    attentions = {name: module for name, module in model.named_modules() if isinstance(module, Attention)}
    softmaxes = {
        name.removesuffix(".weights"): module for name, module in model.named_modules() if isinstance(module, Weights)
    }
    maps: dict[str, list[Tensor]] = {name: [] for name in attentions | softmaxes}
    if not maps:
        raise ValueError(f"{type(model).__name__} has no attention: there are no weights to record")
    with ExitStack() as stack, _Watch() as watch:
        for name, module in attentions.items():
            hook = module.register_forward_pre_hook(lambda *call, name=name: watch.keep_next_in(maps[name]))
            stack.enter_context(hook)
        for name, module in softmaxes.items():
            hook = module.register_forward_hook(lambda *call, name=name: maps[name].append(call[-1].detach()))
            stack.enter_context(hook)
        yield maps


class _Watch(TorchFunctionMode):
    """Computes the weights that F.scaled_dot_product_attention does not return."""

    def __init__(self):
        super().__init__()
        self.place: list[Tensor] | None = None

    def keep_next_in(self, place: list[Tensor]) -> None:
        self.place = place

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function is F.scaled_dot_product_attention and self.place is not None:
            self.place.append(_weights(*args, **kwargs))
            self.place = None  # a call outside the model's attentions is not recorded
        return function(*args, **kwargs)


def _weights(
    q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None, is_causal: bool, scale: float | None, enable_gqa: bool
) -> Tensor:
    k = k.repeat_interleave(q.shape[1] // k.shape[1], dim=1)  # each key head is shared by several query heads
    scores = q.detach() @ k.detach().transpose(2, 3) * (q.shape[-1] ** -0.5 if scale is None else scale)  # (B, H, T, S)
    if is_causal:
        attn_mask = masks.causal(k.shape[2], device=k.device)
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attn_mask, -torch.inf)
    elif attn_mask is not None:  # a bias
        scores = scores + attn_mask.detach()
    nothing = (scores == -torch.inf).all(-1, keepdim=True)
    return scores.softmax(-1).masked_fill(nothing, 0)
