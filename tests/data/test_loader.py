import json
import random

import pytest

from seqbook.data.loader import LengthBuckets, RandomWindows, Windows, batches, in_length_order


def lengths(n=1000, seed=0):
    """As sentences' are: most of 8 to 18 tokens, a few far longer; the source about as long as the target."""
    rng = random.Random(seed)
    targets = [max(2, round(rng.lognormvariate(2.55, 0.35))) for _ in range(n)]
    return [(t, max(1, t + rng.randint(-2, 2))) for t in targets]


def padding(rows, buckets):
    """The share of target positions that are padding, over one epoch."""
    real = padded = 0
    for step in range(buckets.steps_per_epoch):
        batch = [rows[i][0] for i in buckets.batch(step)]
        real, padded = real + sum(batch), padded + max(batch) * len(batch)
    return 1 - real / padded


@pytest.mark.parametrize(("n", "batch_size"), [(1000, 64), (64, 64), (65, 64), (5, 64), (7, 1)])
def test_each_example_once_an_epoch(n, batch_size):
    buckets = LengthBuckets(lengths(n), batch_size)
    for epoch in range(3):
        steps = range(epoch * buckets.steps_per_epoch, (epoch + 1) * buckets.steps_per_epoch)
        batches = [buckets.batch(step) for step in steps]
        assert sorted(i for batch in batches for i in batch) == list(range(n))
        sizes = [len(batch) for batch in batches]
        assert max(sizes) <= batch_size
        assert max(sizes) - min(sizes) <= 1


def test_a_batch_is_a_function_of_seed_and_step_alone():
    in_order = LengthBuckets(lengths(), 64, seed=3)
    expected = {step: in_order.batch(step) for step in range(50)}
    shuffled = LengthBuckets(lengths(), 64, seed=3)
    for step in random.Random(0).sample(range(50), 50):
        assert shuffled.batch(step) == expected[step]
    assert LengthBuckets(lengths(), 64, seed=3).batch(37) == expected[37]


def test_epochs_and_seeds_differ():
    buckets = LengthBuckets(lengths(), 64)
    n = buckets.steps_per_epoch
    epochs = [[buckets.batch(epoch * n + step) for step in range(n)] for epoch in range(2)]
    assert epochs[0] != epochs[1]
    assert {frozenset(b) for b in epochs[0]} != {frozenset(b) for b in epochs[1]}  # not only another order of batches
    assert LengthBuckets(lengths(), 64, seed=1).batch(0) != buckets.batch(0)


def test_lengths_do_not_come_in_order():
    rows = lengths()
    buckets = LengthBuckets(rows, 64)
    longest = [max(rows[i] for i in buckets.batch(step)) for step in range(buckets.steps_per_epoch)]
    assert longest != sorted(longest)


def test_little_is_padding():
    rows = lengths(20_000)
    assert padding(rows, LengthBuckets(rows, 128)) < 0.05
    unsorted = LengthBuckets([(0, 0)] * len(rows), 128)
    assert padding(rows, unsorted) > 0.3


def test_little_is_padding_in_multi30k(real_corpora):
    lines = (real_corpora / "multi30k" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    pairs = [json.loads(line) for line in lines]
    rows = [(len(pair["en"].split()) + 1, len(pair["de"].split())) for pair in pairs]
    assert padding(rows, LengthBuckets(rows, 128)) < 0.05
    sources = [(source, target) for target, source in rows]
    assert padding(sources, LengthBuckets(rows, 128)) < 0.3


def test_nothing_to_batch():
    with pytest.raises(ValueError, match="the split is empty"):
        LengthBuckets([], 4)
    with pytest.raises(ValueError, match="batch_size=0 must"):
        LengthBuckets(lengths(3), 0)


def test_windows_are_at_every_position_of_a_text():
    windows = Windows(list(range(10)), 4)
    assert len(windows) == 6
    assert [ids for (ids,) in (windows[0], windows[5])] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    with pytest.raises(ValueError, match="the text has 4 tokens: a window of 4"):
        Windows([1, 2, 3, 4], 4)


@pytest.mark.parametrize("n", [5, 8, 9, 10])
def test_windows_side_by_side_predict_each_token_once(n):
    predicted = [token for (ids,) in Windows(list(range(n)), 4).side_by_side() for token in ids[1:]]
    assert predicted == list(range(1, n))


def test_random_windows_are_a_function_of_seed_and_step():
    windows = Windows(list(range(1000)), 9)
    plan = batches(windows, len, 16, seed=3)
    assert isinstance(plan, RandomWindows)
    expected = [plan.batch(step) for step in range(400)]
    assert [batches(windows, len, 16, seed=3).batch(step) for step in (399, 7)] == [expected[399], expected[7]]
    assert batches(windows, len, 16, seed=4).batch(0) != expected[0]
    drawn = {start for batch in expected for start in batch}
    assert min(drawn) == 0
    assert max(drawn) == len(windows) - 1  # the last window is drawn too
    assert len(drawn) > 0.95 * len(windows)


def test_texts_of_many_lengths_are_batched_by_length():
    plan = batches([([1] * n,) for n in (5, 2, 5, 2)], lambda example: (len(example[0]),), 2)
    assert sorted(sorted(plan.batch(step)) for step in range(2)) == [[0, 2], [1, 3]]


@pytest.mark.parametrize("batch_size", [1, 3, 7, 50])
def test_in_length_order_has_every_index_from_short_to_long(batch_size):
    rows = [length for length, _ in lengths(50)]
    found = in_length_order(rows, batch_size)
    assert [len(batch) for batch in found[:-1]] == [batch_size] * (len(found) - 1)
    flat = [i for batch in found for i in batch]
    assert sorted(flat) == list(range(50))
    assert [rows[i] for i in flat] == sorted(rows)
    assert in_length_order([], batch_size) == []
