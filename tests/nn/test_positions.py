import math

import jaxtyping
import pytest
import torch

from seqbook.nn.attention import Attention
from seqbook.nn.layers import Embedding
from seqbook.nn.positions import Learned, Rotary, Sinusoidal, build

KINDS = {"sinusoidal": Sinusoidal, "learned": Learned}


def test_sinusoidal_equals_the_formula_written_with_loops():
    expected = torch.zeros(30, 6)
    for position in range(30):
        for i in range(3):
            angle = position / 10_000 ** (2 * i / 6)
            expected[position, 2 * i] = math.sin(angle)
            expected[position, 2 * i + 1] = math.cos(angle)
    torch.testing.assert_close(Sinusoidal(6, 30)(30), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_an_offset_continues_where_the_cache_ends(kind):
    positions = KINDS[kind](8, 12)
    assert positions(12).shape == (12, 8)
    for offset in (0, 3, 11):
        assert torch.equal(positions(12 - offset, offset=offset), positions(12)[offset:])
    assert torch.equal(positions(1, offset=5), positions(12)[5:6])


@pytest.mark.parametrize("kind", KINDS)
def test_rows_may_begin_at_different_positions(kind):
    positions = KINDS[kind](8, 12)
    found = positions(3, offset=torch.tensor([0, 9, -2]))
    assert found.shape == (3, 3, 8)
    assert torch.equal(found[0], positions(3))
    assert torch.equal(found[1], positions(3, offset=9))
    assert torch.equal(found[2], positions(1).expand(3, 8))  # two positions of padding, and the first one
    assert positions.to("meta")(3, offset=torch.zeros(2, dtype=torch.long, device="meta")).is_meta


def test_the_product_of_two_sinusoidal_positions_depends_on_their_distance_alone():
    vectors = Sinusoidal(32, 40)(40)
    products = vectors @ vectors.T
    for distance in range(20):
        diagonal = products.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), rtol=0, atol=1e-4)
    assert (products.diagonal() > products.diagonal(1).max() + 0.1).all()


@pytest.mark.parametrize("kind", [Sinusoidal, Rotary])
def test_angles_are_neither_trained_nor_saved(kind):
    assert not list(kind(8, 12).parameters())
    assert not kind(8, 12).state_dict()


def test_learned_positions_start_small():
    assert Learned(64, 500).table.std().item() == pytest.approx(0.02, rel=0.05)


def test_learned_trains_the_positions_that_were_used():
    positions = Learned(8, 12)
    before = positions.table.detach().clone()
    positions(3, offset=4).square().sum().backward()
    torch.optim.SGD(positions.parameters(), lr=0.1).step()
    moved = (positions.table != before).all(-1)
    assert moved.tolist() == [4 <= position < 7 for position in range(12)]


@pytest.mark.parametrize("d_model", [1, 7])
def test_an_odd_width_is_refused(d_model):
    with pytest.raises(ValueError, match=f"d_model={d_model} must be even"):
        Sinusoidal(d_model, 12)


def test_rotary_rotates_each_pair_of_features_by_its_own_angle():
    t, rotated = torch.randn(1, 1, 7, 6), Rotary(6, 20)(torch.zeros(1, 1, 7, 6))
    assert (rotated == 0).all()
    rotated = Rotary(6, 20)(t, offset=4)
    for p in range(7):
        for i in range(3):
            pair = complex(t[0, 0, p, i], t[0, 0, p, i + 3])
            angle = (4 + p) / 10_000 ** (2 * i / 6)
            expected = pair * complex(math.cos(angle), math.sin(angle))
            assert rotated[0, 0, p, i].item() == pytest.approx(expected.real, abs=1e-5)
            assert rotated[0, 0, p, i + 3].item() == pytest.approx(expected.imag, abs=1e-5)


def test_rotary_scores_depend_on_the_distance_alone():
    rotary, q, k = Rotary(8, 60), torch.randn(1, 2, 5, 8), torch.randn(1, 2, 5, 8)
    scores = [rotary(q, offset) @ rotary(k, offset + 3).transpose(2, 3) for offset in (0, 40)]
    torch.testing.assert_close(*scores, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(scores[0], rotary(q) @ rotary(k).transpose(2, 3))


def test_rotary_takes_the_position_of_each_token():
    rotary, t = Rotary(8, 60), torch.randn(2, 3, 4, 8)
    found = rotary(t, position_ids=torch.tensor([[0, 1, 7, 1], [5, 6, 7, 8]]))
    in_order = rotary(t)
    torch.testing.assert_close(found[0, :, :2], in_order[0, :, :2])
    torch.testing.assert_close(found[1], rotary(t, offset=5)[1])
    torch.testing.assert_close(found[0, :, 2:3], rotary(t[:1, :, 2:3], offset=7)[0])
    torch.testing.assert_close(found[0, :, 3:], rotary(t[:1, :, 3:], offset=1)[0])


def test_attention_rotates_by_the_position_of_each_token():
    """In another order, with the positions that the tokens had."""
    attention, x, order = Attention(16, 2, rotary=Rotary(8, 12)), torch.randn(2, 5, 16), torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(attention(x[:, order], position_ids=order.expand(2, 5)), attention(x)[:, order])


@pytest.mark.parametrize("kind", KINDS)
def test_an_embedding_takes_the_position_of_each_token(kind):
    embedding, ids = Embedding(9, 8, positions=KINDS[kind](8, 12)), torch.tensor([[3, 4, 5], [3, 4, 5]])
    found = embedding(ids, position_ids=torch.tensor([[0, 1, 2], [9, 9, 4]]))
    torch.testing.assert_close(found[0], embedding(ids)[0])
    torch.testing.assert_close(found[1, 1:2], embedding(ids[:1, 1:2], 9)[0])
    torch.testing.assert_close(found[1, 2:], embedding(ids[:1, 2:], 4)[0])


def test_rotary_gives_self_attention_an_order_and_leaves_cross_attention_alone():
    attention, backwards = Attention(16, 2, rotary=Rotary(8, 12)), torch.arange(5).flip(0)
    x, memory = torch.randn(2, 1, 5, 16)
    assert not torch.allclose(attention(x[:, backwards]), attention(x)[:, backwards], atol=1e-4)
    torch.testing.assert_close(attention(x, memory[:, backwards]), attention(x, memory))


def test_rotary_refuses_an_odd_width():
    with pytest.raises(ValueError, match="d_head=5 must be even"):
        Rotary(5, 8)


@pytest.mark.parametrize(
    ("kind", "table", "rotary"),
    [("sinusoidal", Sinusoidal, None), ("learned", Learned, None), ("rotary", None, Rotary)],
)
def test_positions_enter_through_the_embedding_or_through_attention(kind, table, rotary):
    for part, expected in zip(build(kind, d_model=16, d_head=4, max_len=12), (table, rotary), strict=True):
        assert part is None if expected is None else type(part) is expected
    if rotary is not None:
        assert build(kind, 16, 4, 12)[1].cos.shape == (12, 4)
    else:
        assert build(kind, 16, 4, 12)[0].table.shape == (12, 16)


def test_a_kind_of_positions_that_does_not_exist_is_refused(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as readers have it: beartype would be the first
    with pytest.raises(ValueError, match="positions='none': choose one of sinusoidal, learned, rotary"):
        build("none", 16, 4, 12)
