import pytest
import torch

from seqbook.generation.sampling import filter_logits, sampler

LOGITS = torch.log(torch.tensor([[0.1, 0.4, 0.05, 0.25, 0.2], [0.6, 0.1, 0.1, 0.1, 0.1]]))


def stays(logits):
    return [row.isfinite().nonzero().flatten().tolist() for row in logits]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"top_k": 2}, [1, 3]),
        ({"top_k": 9}, [0, 1, 2, 3, 4]),
        ({"top_p": 0.3}, [1]),
        ({"top_p": 0.41}, [1, 3]),
        ({"top_p": 0.84}, [1, 3, 4]),
        ({"top_p": 1.0}, [0, 1, 2, 3, 4]),
        ({"top_p": 1e-9}, [1]),
        ({"top_k": 3, "top_p": 0.76}, [1, 3]),  # 0.40 and 0.25 of the 0.85 that are left are 0.76 and a little
        ({"top_k": 1, "top_p": 0.99}, [1]),
    ],
)
def test_what_stays_by_hand(options, expected):
    found = filter_logits(LOGITS[:1], **options)
    assert stays(found) == [expected]
    assert torch.equal(found[0, expected], LOGITS[0, expected])


def test_equal_tokens_are_no_more_than_k_or_than_the_nucleus():
    assert [len(row) for row in stays(filter_logits(torch.zeros(2, 5), top_k=2))] == [2, 2]
    assert [len(row) for row in stays(filter_logits(torch.zeros(2, 4), top_p=0.5))] == [2, 2]  # two quarters are enough


@pytest.mark.parametrize("top_k", [1, 2, 7, 49, 50, 80])
def test_top_k_equals_transformers(top_k):
    transformers = pytest.importorskip("transformers")
    logits = torch.randn(6, 50) * 3
    assert torch.equal(filter_logits(logits, top_k=top_k), transformers.TopKLogitsWarper(top_k)(None, logits))


@pytest.mark.parametrize("top_p", [0.01, 0.3, 0.5, 0.9, 0.95, 0.999])
@pytest.mark.parametrize("top_k", [None, 12])
def test_top_p_equals_transformers(top_k, top_p):
    transformers = pytest.importorskip("transformers")
    logits = torch.randn(6, 50) * 3
    expected = logits if top_k is None else transformers.TopKLogitsWarper(top_k)(None, logits)
    assert torch.equal(filter_logits(logits, top_k, top_p), transformers.TopPLogitsWarper(top_p)(None, expected))


@pytest.mark.parametrize("options", [{"temperature": 1.5}, {}, {"top_p": 1.0}])
def test_tokens_are_drawn_with_their_probabilities(options):
    drawn = sampler(**options, generator=torch.Generator().manual_seed(0))(LOGITS[:1].expand(40_000, -1))
    expected = (LOGITS[0] / options.get("temperature", 1.0)).softmax(-1)
    torch.testing.assert_close(torch.bincount(drawn, minlength=5) / 40_000, expected, rtol=0, atol=0.01)


@pytest.mark.parametrize(
    ("options", "expected"),
    [({"top_k": 1}, {1}), ({"top_k": 3}, {1, 3, 4}), ({"top_p": 0.3}, {1}), ({"top_k": 2, "top_p": 0.9}, {1, 3})],
)
def test_only_tokens_that_stay_are_drawn(options, expected):
    assert set(sampler(**options)(LOGITS[:1].expand(2_000, -1)).tolist()) == expected


def test_the_temperature_comes_before_the_nucleus():
    """At a high temperature more tokens are needed to make up the same share."""
    drawn = {t: set(sampler(t, top_p=0.6)(LOGITS[1:].expand(2_000, -1)).tolist()) for t in (1.0, 4.0)}
    assert drawn[1.0] == {0}
    assert len(drawn[4.0]) > 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        *(({"temperature": t}, f"temperature={t} must be above 0") for t in (0.0, -1.0, float("nan"), float("inf"))),
        *(({"top_k": k}, f"top_k={k} must be at least 1") for k in (0, -3)),
        *(({"top_p": p}, f"top_p={p} must be above 0 and at most 1") for p in (0.0, -0.1, 1.1, float("nan"))),
    ],
)
def test_refuses_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        sampler(**options)


def test_all_tokens_stay_at_a_top_p_of_1():
    logits = torch.tensor([[0.0, -40.0, -90.0]])
    assert torch.equal(filter_logits(logits, top_p=1.0), logits)


def test_each_row_has_a_stream_of_its_own():
    def drawn(n_rows, steps=50):
        choose = sampler(generator=torch.Generator().manual_seed(0))
        return torch.stack([choose(LOGITS[:1].expand(n_rows, -1)) for _ in range(steps)])

    alone, many = drawn(1), drawn(4)
    assert torch.equal(alone[:, 0], many[:, 0])
    assert len({tuple(row.tolist()) for row in many.T}) == 4
    assert not torch.equal(alone, torch.full_like(alone, alone[0, 0].item()))
    draws = sampler(generator=torch.Generator().manual_seed(0))(torch.zeros(1, 10_000).expand(2_000, -1))
    assert len(set(draws.tolist())) > 1_500  # of 10,000 equal tokens: few coincide


def test_rows_may_end_before_others():
    choose, same = (sampler(generator=torch.Generator().manual_seed(0)) for _ in range(2))
    first = choose(LOGITS[:1].expand(4, -1))
    assert torch.equal(same(LOGITS[:1].expand(4, -1)), first)
    assert torch.equal(choose(LOGITS[:1].expand(4, -1))[:2], same(LOGITS[:1].expand(2, -1)))


def test_the_lowest_temperature_is_the_most_probable_token():
    assert torch.equal(sampler(1e-38)(LOGITS + 10), LOGITS.argmax(-1))  # 10 / 1e-38 is more than a number can be
