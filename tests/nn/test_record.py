import pytest
import torch

from seqbook.nn.attention import Attention
from seqbook.nn.record import record

SHUT = torch.ones(1, 1, 5, 5, dtype=torch.bool)
SHUT[..., 2, :] = False  # a query that may attend to nothing
SHUT[..., 4] = False  # and a key to which nothing attends


@pytest.mark.parametrize("mask", [None, "causal", SHUT], ids=["none", "causal", "shut"])
@pytest.mark.parametrize("n_kv_heads", [2, 4])
def test_the_recorded_weights_times_the_values_give_the_output(mask, n_kv_heads):
    attention, x = Attention(8, 4, n_kv_heads=n_kv_heads), torch.randn(2, 5, 8)
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
