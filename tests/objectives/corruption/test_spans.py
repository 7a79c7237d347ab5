"""T5's span corruption: the counts, the partitions and the sentinels of its own code, and the way back."""

import random
from collections import Counter
from itertools import groupby

import pytest
import torch

from seqbook.data.tokenizer import Tokenizer
from seqbook.objectives.corruption import spans
from seqbook.objectives.corruption.spans import corrupt, count_noise, draw_noise, replace_runs, restore

SENTINELS = range(999, 899, -1)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def runs(noise):
    return [(value, len(list(group))) for value, group in groupby(noise.tolist())]


@pytest.mark.parametrize(
    ("length", "n_noise", "n_spans"),
    [
        (568, 85, 28),
        (1137, 171, 57),
        (70, 10, 3),  # 10.5, rounded to the even number
        (30, 4, 1),  # 4.5
        (50, 8, 3),  # 7.5
        (2, 1, 1),
        (1, 1, 1),  # as for two tokens
        (3, 1, 1),
        (10, 2, 1),
    ],
)
def test_the_numbers_of_noise_tokens_and_spans(length, n_noise, n_spans):
    assert count_noise(length) == (n_noise, n_spans)


@pytest.mark.parametrize(("max_len", "length", "target"), [(512, 568, 114), (1024, 1137, 229), (64, 70, 14)])
def test_how_long_a_text_may_be(max_len, length, target):
    assert spans.longest_text(max_len) == length
    n_noise, n_spans = count_noise(length)
    assert (length - n_noise + n_spans + 1, n_noise + n_spans + 1) == (max_len, target)


def test_with_much_noise_the_target_is_what_must_fit():
    length = spans.longest_text(64, rate=0.8)
    assert [sum(count_noise(n, rate=0.8)) + 1 <= 64 for n in (length, length + 1)] == [True, False]
    n_noise, n_spans = count_noise(length, rate=0.8)
    assert n_spans == length - n_noise  # no more spans than tokens between them


def test_the_example_of_t5s_own_tests():
    noise = torch.tensor([True, True, False, False, True, False])
    assert replace_runs(range(10, 16), noise, SENTINELS) == [999, 12, 13, 998, 15]


def test_the_example_of_the_paper():
    """There the text ends with tokens that stay, so its target ends with a sentinel."""
    words = "Thank you for inviting me to your party last week .".split()
    noise = torch.tensor([word in ("for", "inviting", "last") for word in words])
    ids, names = list(range(len(words))), ["<X>", "<Y>", "<Z>"]
    source, target = (
        " ".join(names[999 - i] if i > 900 else words[i] for i in side) for side in corrupt(ids, noise, SENTINELS)
    )
    assert source == "Thank you <X> me to your party <Y> week ."
    assert target == "<X> for inviting <Y> last <Z>"
    assert restore(*corrupt(ids, noise, SENTINELS), SENTINELS) == ids


@pytest.mark.parametrize(("rate", "mean_length"), [(0.15, 3.0), (0.5, 3.0), (0.5, 1.0), (0.15, 8.0), (0.9, 2.0)])
def test_noise_never_begins_a_text_and_always_ends_it(rate, mean_length):
    draw = generator()
    for length in [*range(2, 60), 400]:
        noise = draw_noise(length, rate, mean_length, draw)
        n_noise, n_spans = count_noise(length, rate, mean_length)
        assert noise.shape == (length,)
        assert noise.sum() == n_noise
        assert [value for value, _ in runs(noise)] == [False, True] * n_spans


def test_each_partition_is_equally_likely():
    """6 noise tokens in 2 spans, 4 that stay in 2 parts: 5 · 3 texts."""
    draw, counts = generator(), Counter()
    assert count_noise(10, 0.6) == (6, 2)
    for _ in range(6_000):
        counts[tuple(length for _, length in runs(draw_noise(10, 0.6, 3.0, draw)))] += 1
    assert len(counts) == 15
    assert all(count == pytest.approx(400, abs=80) for count in counts.values())  # four standard deviations


def test_thousands_of_texts_come_back():
    rng, draw = random.Random(0), generator()
    for case in range(4_000):
        length = [1, 2, 3, rng.randint(4, 200)][case % 4]
        ids = [rng.randrange(900) for _ in range(length)]
        noise = draw_noise(length, rng.choice((0.15, 0.3, 0.5)), rng.choice((1.0, 3.0, 8.0)), draw)
        source, target = corrupt(ids, noise, SENTINELS)
        assert restore(source, target, SENTINELS) == ids
        # Nothing is lost, nothing is said twice, and each side has each sentinel once, in descending order.
        assert Counter([*source, *target]) - Counter(ids) == Counter(
            dict.fromkeys(SENTINELS[: len(runs(noise)) // 2], 2) if length > 1 else [999]
        )
        for side in (source, target):
            marks = [i for i in side if i >= 900]
            assert marks == list(SENTINELS[: len(marks)])
        if length > 1:
            assert target[0] == 999
            assert target[-1] < 900  # no sentinel closes it


def test_a_text_of_one_token_has_nothing_to_take_out():
    assert draw_noise(1).tolist() == [False]
    assert corrupt([5], draw_noise(1), SENTINELS) == ([5], [999])
    assert spans.longest_text(2) == 1  # and then <eos> on both sides


def test_a_models_target_may_be_anything():
    source = [5, 999, 6, 998, 7]
    assert restore(source, [999, 1, 2, 998, 3], SENTINELS) == [5, 1, 2, 6, 3, 7]
    assert restore(source, [4, 998, 3, 998, 8, 997, 9], SENTINELS) == [5, 6, 3, 7]
    assert restore(source, [], SENTINELS) == [5, 6, 7]


def test_more_spans_than_sentinels():
    ids, noise = [1, 2, 3, 4], torch.tensor([False, True, False, True])
    assert corrupt(ids, noise, [9, 8]) == ([1, 9, 3, 8], [9, 2, 8, 4])
    with pytest.raises(ValueError, match="there are more than 1 spans, and 1 sentinels: give more sentinels"):
        corrupt(ids, noise, [9])


def test_a_text_that_contains_a_sentinel():
    with pytest.raises(ValueError, match="the ids contain the sentinel 998: a sentinel stands for a span"):
        corrupt([1, 998, 3], torch.tensor([False, False, True]), SENTINELS)


def test_noise_at_the_first_token():
    with pytest.raises(ValueError, match="the first token is noise: it must stay"):
        corrupt([1, 2], torch.tensor([True, False]), SENTINELS)


def test_a_text_without_tokens():
    with pytest.raises(ValueError, match="length=0 must be at least 1"):
        draw_noise(0)


def test_sentinels_of_a_vocabulary():
    tokenizer = Tokenizer.train(["a b c"], "word")
    assert spans.sentinel_ids(tokenizer) == []
    grown = tokenizer.with_special("<extra_id_2>", "<extra_id_1>", "<extra_id_0>", "<extra_id_4>")
    n = len(tokenizer)
    assert spans.sentinel_ids(grown) == [n + 2, n + 1, n]
