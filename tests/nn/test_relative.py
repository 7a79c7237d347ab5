import pytest
import torch
from torch import nn

from seqbook.nn.relative import RelativeBias, buckets

transformers = pytest.importorskip("transformers")


@pytest.mark.parametrize(
    ("bidirectional", "expected"),
    [
        (
            True,
            {-128: 15, -64: 14, -16: 10, -8: 8, -1: 1, 0: 0, 1: 17, 7: 23, 8: 24, 16: 26, 64: 30, 128: 31, 5_000: 31},
        ),
        (False, {5: 0, 0: 0, -1: 1, -15: 15, -16: 16, -20: 17, -32: 21, -64: 26, -127: 31, -5_000: 31}),
    ],
)
def test_buckets_by_hand(bidirectional, expected):
    found = buckets(torch.tensor(list(expected)), bidirectional=bidirectional)
    assert found.tolist() == list(expected.values())


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize(("n_buckets", "max_distance"), [(32, 128), (4, 3), (6, 4), (6, 20), (16, 17), (33, 200)])
def test_buckets_equal_transformers(bidirectional, n_buckets, max_distance):
    from transformers.models.t5.modeling_t5 import T5Attention

    relative = torch.arange(-300, 301)
    expected = T5Attention._relative_position_bucket(relative, bidirectional, n_buckets, max_distance)
    sizes = {"n_buckets": n_buckets, "max_distance": max_distance}
    assert torch.equal(buckets(relative, bidirectional=bidirectional, **sizes), expected)
    assert expected.max() == n_buckets - 1 - (bidirectional and n_buckets % 2)


@pytest.mark.parametrize("bidirectional", [True, False])
def test_the_bias_of_the_last_queries(bidirectional):
    made = RelativeBias(3, 9, bidirectional=bidirectional, n_buckets=8, max_distance=6)
    whole = made(9, 9)
    assert whole.shape == (1, 3, 9, 9)
    for i in range(9):
        for j in range(9):
            at = buckets(torch.tensor(j - i), bidirectional=bidirectional, n_buckets=8, max_distance=6)
            assert torch.equal(whole[0, :, i, j], made.table[at])
    for n_queries, n_keys in ((1, 1), (1, 9), (4, 7)):
        assert torch.equal(made(n_queries, n_keys), whole[:, :, n_keys - n_queries : n_keys, :n_keys])
    assert [name for name, _ in made.state_dict().items()] == ["table"]
    assert isinstance(made.table, nn.Parameter)


def test_t5s_sizes_are_the_default():
    plain, told = (
        RelativeBias(2, 150, bidirectional=True, **sizes) for sizes in ({}, {"n_buckets": 32, "max_distance": 128})
    )
    assert plain.table.shape == (32, 2)
    assert torch.equal(plain.buckets, told.buckets)
    assert torch.equal(buckets(torch.arange(-149, 150), bidirectional=True), plain.buckets)
    assert plain.to("meta")(3, 5).is_meta


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"bidirectional": True, "n_buckets": 3}, "n_buckets=3 and max_distance=128: give at least 4 buckets"),
        ({"bidirectional": False, "n_buckets": 1}, "n_buckets=1 and max_distance=128: give at least 2 buckets"),
        ({"bidirectional": False, "max_distance": 16}, "max_distance=16: .* a max_distance above 16"),
        ({"bidirectional": False, "max_distance": 15}, "max_distance=15: .* a max_distance above 16"),
        ({"bidirectional": True, "n_buckets": 0}, "n_buckets=0 must be at least 1"),
        ({"bidirectional": True, "max_distance": 0}, "max_distance=0 must be at least 1"),
        ({"bidirectional": True, "n_heads": 0}, "n_heads=0 must be at least 1"),
        ({"bidirectional": True, "max_len": 0}, "max_len=0 must be at least 1"),
    ],
)
def test_sizes_that_do_not_fit(sizes, message):
    with pytest.raises(ValueError, match=message):
        RelativeBias(**{"n_heads": 2, "max_len": 5} | sizes)


def test_buckets_check_their_sizes_themselves():
    with pytest.raises(ValueError, match="n_buckets=0 must be at least 1"):
        buckets(torch.arange(3), bidirectional=True, n_buckets=0)


def test_the_bias_is_computed_where_the_table_is():
    """Whatever torch's default device is."""
    made = RelativeBias(3, 9, bidirectional=True)
    with torch.device("meta"):
        found = made(4, 7)
    assert torch.equal(found, made(4, 7))
