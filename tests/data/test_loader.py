import json
import random

import pytest

from seqbook.data.loader import LengthBuckets


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
