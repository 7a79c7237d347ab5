import itertools

import pytest
import torch

from seqbook.data.tokenizer import Tokenizer
from seqbook.objectives.drawing import check_shares, draw, draw_one, scatter, sentence_ends, sentences


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_numbers_are_drawn_from_the_generator():
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)  # changes nothing
        numbers = generator()
        found.append([draw(2, 4, numbers) for _ in range(50)])
    assert found[0] == found[1]
    assert set(found[0]) == {2, 3, 4}


def test_weights_are_drawn_from_the_generator():
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)  # changes nothing
        numbers = generator()
        found.append([draw_one((1.0, 0.0, 3.0), numbers) for _ in range(400)])
    assert found[0] == found[1]
    assert found[0].count(2) == pytest.approx(300, abs=35)
    assert set(found[0]) == {0, 2}


@pytest.mark.parametrize("shares", [(1.0,), (0.5, 0.3, 0.2), (1.5, -0.5), (0.0, 0.0)])
def test_shares_that_are_none(shares):
    with pytest.raises(ValueError, match=r"shares=\(.* must be 2 numbers for a, b: 0 or more, not all 0"):
        check_shares(shares, ("a", "b"))
    check_shares((0.0, 3.0), ("a", "b"))


@pytest.mark.parametrize("n", [3, 7, 9])
def test_spans_are_scattered_with_a_token_between_them(n):
    draw, lengths, found = generator(), [2, 1, 1][: 1 + n // 4], set()
    for _ in range(400):
        spans = scatter(lengths, n, draw)
        assert [b - a for a, b in spans] == lengths
        assert spans[0][0] >= 0
        assert spans[-1][1] <= n
        assert all(a < b for (_, a), (b, _) in itertools.pairwise(spans))
        found.add(tuple(spans))
    free = n - sum(lengths) - len(lengths) + 1  # all places occur, the first and the last token's too
    assert len(found) == len(list(itertools.combinations_with_replacement(range(free + 1), len(lengths))))


def test_sentences_end_where_glm_ends_them():
    tokenizer = Tokenizer.train(["Is it? Yes; no. 是。"], "word")
    ids = tokenizer.encode("Is it? Yes; no. 是。 Is it")
    found = sentences(ids, sentence_ends(tokenizer))
    assert [tokenizer.tokens(ids[a:b]) for a, b in found] == [
        ["Is", "it", "?"], ["Yes", ";"], ["no", "."], ["是", "。"], ["Is", "it"]
    ]  # fmt: skip
    assert sentences([5, 6], frozenset()) == [(0, 2)]
