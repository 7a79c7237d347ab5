"""Times: which are measured, and in what order."""

import torch
from torch import nn

from seqbook.experiments import speed


def test_the_longest_chain_counts_products_that_wait_for_each_other():
    first, second, third = (nn.Linear(4, 4) for _ in range(3))
    x = torch.randn(5, 4)
    assert speed.longest_chain(second(first(x)) + third(x)) == 2
    assert speed.longest_chain(first(x) + second(x) + third(x)) == 1
    shared = first(x)
    assert speed.longest_chain(third(second(shared).relu() * shared)) == 3


def test_training_steps_are_timed_for_each_network_and_length():
    seen = []
    layer = nn.Linear(4, 4)
    times = speed.training_milliseconds(
        {"a": lambda x: seen.append(tuple(x.shape)) or layer(x), "b": layer}, 4, (2, 8), tokens=16, repeats=2
    )
    assert seen == [(8, 2, 4)] * 3 + [(2, 8, 4)] * 3  # one turn more, which is not counted
    assert list(times.index) == [2, 8]
    assert list(times.columns) == ["a", "b"]
    assert (times > 0).all(axis=None)


def test_each_way_of_writing_is_timed_for_each_length(model):
    table = speed.scoring_and_generating(model, [2, 30], source_length=4, repeats=3)
    assert list(table.index) == [2, 30]
    assert list(table.columns) == ["one pass", "step by step, with cache", "step by step, without cache"]
    assert (table > 0).all(axis=None)
    assert table.loc[30, "step by step, with cache"] > 3 * table.loc[30, "one pass"]


def test_calls_take_turns_and_the_first_round_is_not_counted():
    made = []
    seconds = speed.in_turn({name: lambda name=name: made.append(name) for name in "ab"}, rounds=2)
    assert made == list("ababab")
    assert {name: len(values) for name, values in seconds.items()} == {"a": 2, "b": 2}
