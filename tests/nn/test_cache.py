import pytest
import torch

from seqbook.nn.cache import Cache


def positions(n, batch=3):
    """Keys and values of n positions: (batch, 2 heads, n, 4)."""
    return torch.randn(batch, 2, n, 4), torch.randn(batch, 2, n, 4)


def same(found, expected):
    return all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("lengths", [[1] * 40, [7, 1, 1, 30, 2], [16, 1, 15, 1], [50, 50, 50, 1]])
def test_returns_all_that_was_appended(lengths):
    """The lengths lead past the first buffers, and past those that follow."""
    cache, keys, values = Cache(), [], []
    for n in lengths:
        k, v = positions(n)
        keys.append(k)
        values.append(v)
        expected = torch.cat(keys, dim=2), torch.cat(values, dim=2)
        assert same(cache.append(k, v), expected)
        assert same(cache.read(), expected)
        assert cache.length == expected[0].shape[2]


@pytest.mark.parametrize(("first", "room"), [(20, 42), (1, 16)])
def test_a_step_copies_nothing_while_there_is_room(first, room):
    cache = Cache()
    cache.append(*positions(first))
    begun = cache.append(*positions(1))  # the first step makes room for as many again, and for 16 at least
    for _ in range(first + 2, room + 1):
        now = cache.append(*positions(1))
        assert [t.data_ptr() for t in now] == [t.data_ptr() for t in begun]
    assert cache.append(*positions(1))[0].data_ptr() != begun[0].data_ptr()


def test_what_was_read_stays_as_it_was():
    cache = Cache()
    before = cache.append(*positions(5))
    kept = [t.clone() for t in before]
    for _ in range(60):
        cache.append(*positions(1))
    assert same(before, kept)


def test_select_takes_each_row_as_often_as_it_is_named():
    cache, rows = Cache(), torch.tensor([2, 0, 0, 1])
    expected = [t[rows] for t in cache.append(*positions(5))]
    other = cache.select(rows)
    assert other.length == 5
    assert same(other.read(), expected)


def test_selected_caches_continue_on_their_own():
    cache = Cache()
    cache.append(*positions(5))
    cache.append(*positions(1))  # now there is room to spare, which no copy may share
    kept = [t.clone() for t in cache.read()]
    one, two = cache.select(torch.arange(3)), cache.select(torch.arange(3))
    new = [positions(n) for n in (1, 2, 40)]
    for other, (k, v) in zip((one, two, cache), new, strict=True):
        other.append(k, v)
    for other, more in zip((one, two, cache), new, strict=True):
        assert same(other.read(), [torch.cat([a, b], dim=2) for a, b in zip(kept, more, strict=True)])


def test_select_before_anything_was_read():
    other = Cache().select(torch.tensor([0, 0]))
    assert other.length == 0
    new = positions(1, batch=2)
    assert same(other.append(*new), new)
