import pytest
import torch
from torch import nn

from seqbook.nn.attention import AdditiveAttention, Attention
from seqbook.nn.record import record

SHUT = torch.ones(1, 1, 5, 5, dtype=torch.bool)
SHUT[..., 2, :] = False  # a query that may attend to nothing
SHUT[..., 4] = False  # and a key to which nothing attends


@pytest.mark.parametrize("mask", [None, "causal", SHUT], ids=["none", "causal", "shut"])
@pytest.mark.parametrize("n_kv_heads", [2, 4])
def test_the_recorded_weights_times_the_values_give_the_output(mask, n_kv_heads):
    attention, x = Attention(8, 4, n_kv_heads=n_kv_heads), torch.randn(3, 5, 8)
    with record(attention) as maps:
        y = attention(x, mask=mask)
    ((weights,),) = maps.values()
    values = attention.keys_values(x)[1].repeat_interleave(4 // n_kv_heads, dim=1)
    torch.testing.assert_close(y, attention.out((weights @ values).transpose(1, 2).flatten(2)))


def test_the_weights_of_a_query_sum_to_one_or_to_zero_if_it_may_attend_to_nothing():
    attention = Attention(8, 4)
    with record(attention) as maps:
        attention(torch.randn(2, 5, 8), mask=SHUT)
    ((weights,),) = maps.values()
    torch.testing.assert_close(weights.sum(-1), torch.tensor([1.0, 1, 0, 1, 1]).expand(2, 4, 5))
    assert not weights[..., 4].any()


def test_a_query_may_attend_to_nothing_in_one_row_and_one_head_alone():
    attention, mask = Attention(8, 4), torch.ones(2, 4, 5, 5, dtype=torch.bool)
    mask[0, 1, 2] = False
    with record(attention) as maps:
        attention(torch.randn(2, 5, 8), mask=mask)
    ((weights,),) = maps.values()
    torch.testing.assert_close(weights.sum(-1), mask.any(-1).float())


def test_the_weights_of_the_first_attentions_are_those_that_they_multiply_the_memory_by():
    attention, memory = nn.ModuleDict({"one": AdditiveAttention(6)}), torch.randn(2, 5, 6)
    with record(attention) as maps:
        y = attention["one"](torch.randn(2, 4, 6), memory, torch.ones(2, 1, 5, dtype=torch.bool))
    (weights,) = maps["one"]
    torch.testing.assert_close(weights @ memory, y.detach())


@pytest.mark.parametrize(
    "kind", [lambda: Attention(8, 4), lambda: AdditiveAttention(8)], ids=["several heads", "additive"]
)
def test_recording_leaves_no_hook_behind(kind):
    attention = kind()
    with record(attention):
        pass
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in attention.modules())


def test_the_mask_by_name_is_where_the_keys_are():
    """Whatever torch's default device is."""
    attention, x = Attention(8, 4), torch.randn(2, 5, 8)
    with torch.device("meta"), record(attention) as maps:
        attention(x, mask="causal")
    ((weights,),) = maps.values()
    assert not weights.triu(1).any()
