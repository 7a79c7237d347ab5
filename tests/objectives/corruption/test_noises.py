"""BART's noises: what each does to a text, and the way back where there is one."""

import math
import random
from collections import Counter

import pytest
import torch

from seqbook.objectives.corruption.noises import (
    delete_tokens,
    draw_positions,
    draw_spans,
    fill_in,
    infill,
    mask_tokens,
    permute,
    rotate,
    sentences,
    unpermute,
)

MASK = 55  # ids stand below and above it
A, B, C, D, E, STOP = range(1, 7)
TEXT = [A, B, C, STOP, D, E, STOP]  # A B C . D E .


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def words(ids):
    return [[i] for i in ids]


def test_the_example_of_the_paper():
    """The five parts of its figure 2, each from A B C . D E ."""
    assert mask_tokens(TEXT, [1, 5], MASK).ids == [A, MASK, C, STOP, D, MASK, STOP]
    assert delete_tokens(TEXT, [1, 5]) == [A, C, STOP, D, STOP]
    assert infill(words(TEXT), [(1, 2)], MASK, [3]).ids == [A, MASK, STOP, MASK, D, E, STOP]
    assert [i for part in permute(sentences(TEXT, {STOP}), [1, 0]) for i in part] == [D, E, STOP, A, B, C, STOP]
    assert rotate(TEXT, 2) == [C, STOP, D, E, STOP, A, B]


def test_each_mask_knows_what_it_hides():
    assert mask_tokens(TEXT, [5, 1], MASK).hidden == [[B], [E]]
    assert infill(words(TEXT), [(1, 2)], MASK, [0, 3, 8]) == (
        [MASK, A, MASK, MASK, STOP, D, E, STOP, MASK],
        [[], [B, C], [], []],
    )
    assert infill([[A, B], [C], [STOP, D]], [(0, 1), (1, 2)], MASK) == ([MASK, MASK], [[A, B], [C, STOP, D]])


def test_thousands_of_texts_come_back():
    rng, draw = random.Random(0), generator()
    for case in range(3_000):
        length = [1, 2, rng.randint(3, 80)][case % 3]
        ids, rate = [rng.randrange(1, 50) for _ in range(length)], rng.choice((0.15, 0.3, 1.0))

        masked = mask_tokens(ids, draw_positions(length, rate, draw), MASK)
        assert fill_in(masked, MASK) == ids
        assert len(masked.ids) == length
        assert len(masked.hidden) == masked.ids.count(MASK) == math.ceil(rate * length)

        grouped = [[i, 60] if i % 3 == 0 else [i] for i in ids]  # words of two pieces, and of one
        text = [i for word in grouped for i in word]
        found, n_empty = draw_spans(length, rate, rng.choice((0.5, 3.0)), draw)
        masked = infill(grouped, found, MASK)
        empty = torch.randperm(len(masked.ids) + n_empty, generator=draw)[:n_empty].tolist()
        masked = infill(grouped, found, MASK, empty)
        assert fill_in(masked, MASK) == text
        assert [place for place, i in enumerate(masked.ids) if i == MASK and place in empty] == sorted(empty)
        assert masked.ids.count(MASK) == len(masked.hidden) == len(found) + n_empty

        parts = sentences(ids, {7, 8})
        order = torch.randperm(len(parts), generator=draw).tolist()
        assert [i for part in parts for i in part] == ids
        assert unpermute(permute(parts, order), order) == parts

        first = rng.randrange(length)
        assert rotate(rotate(ids, first), length - first) == ids


def test_deletion_leaves_no_trace_of_its_places():
    assert delete_tokens([A, A, B], [0]) == delete_tokens([A, A, B], [1]) == [A, B]


def test_positions_are_drawn_without_repeats():
    counts = Counter()
    draw = generator()
    for _ in range(2_000):
        found = draw_positions(7, 0.3, draw)
        assert len(set(found)) == 3
        counts.update(found)
    assert set(counts) == set(range(7))
    assert all(count == pytest.approx(857, abs=90) for count in counts.values())


def test_spans_of_infilling_are_apart_or_meet_and_hide_at_most_their_budget():
    draw, met, hidden = generator(), 0, []
    for n_words in [1, 2, 5, 40] * 300:
        found, n_empty = draw_spans(n_words, 0.3, 3.0, draw)
        ends = [first + length for first, length in found]
        assert n_empty >= 0
        assert all(length > 0 for _, length in found)
        assert all(first >= end for (first, _), end in zip(found[1:], ends, strict=False))
        assert 1 <= sum(length for _, length in found) <= math.ceil(0.3 * n_words)
        assert ends[-1] <= n_words
        met += sum(first == end for (first, _), end in zip(found[1:], ends, strict=False))
        if n_words == 40:
            hidden.append(sum(length for _, length in found))
    assert met > 20
    assert max(hidden) == 12
    assert sum(hidden) / len(hidden) == pytest.approx(11, abs=0.7)  # some overlap or pass the end


def test_lengths_follow_poissons_distribution():
    """In texts so long that hardly any two spans meet."""
    draw, lengths = generator(), Counter()
    for _ in range(100):
        found, n_empty = draw_spans(100_000, 0.003, 3.0, draw)
        lengths.update([length for _, length in found] + [0] * n_empty)
    shares = {length: count / lengths.total() for length, count in lengths.items()}
    for length in range(7):
        assert shares[length] == pytest.approx(math.exp(-3) * 3**length / math.factorial(length), abs=0.015)


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([2.0, 0.0, 2.0, 3.0], ([(1, 3), (4, 2)], 1)),  # the last one is cut to 2 by the budget of 6
        ([2.0, 0.0, 1.0, 3.0], ([(1, 1), (2, 4)], 1)),  # they sum to the budget: no more are drawn
    ],
)
def test_spans_that_overlap_become_one_and_those_that_meet_stay_two(monkeypatch, lengths, expected):
    drawn = iter(lengths)
    monkeypatch.setattr(torch, "poisson", lambda mean, generator=None: torch.tensor(next(drawn)))
    monkeypatch.setattr(torch, "randperm", lambda n, generator=None: torch.tensor([4, 1, 2, *range(5, n)]))
    # spans of a word begin at 4, 1 and 2
    assert draw_spans(20, 0.3) == expected


def test_draws_depend_on_the_generator_alone():
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)  # changes nothing
        draw = generator()
        found.append([(draw_positions(20, 0.3, draw), draw_spans(20, 0.3, 3.0, draw)) for _ in range(5)])
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([], [[]]),
        ([A], [[A]]),
        ([A, STOP], [[A, STOP]]),
        ([STOP, STOP, A], [[STOP], [STOP], [A]]),
        (TEXT, [TEXT[:4], TEXT[4:]]),
    ],
)
def test_sentences_end_with_their_stop(ids, expected):
    assert sentences(ids, {STOP}) == expected
