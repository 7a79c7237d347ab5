"""Loading: arguments, splits, and fingerprints of the data, so that no change of them goes unnoticed."""

import gc
import hashlib
import json

import pytest

import microworld
from microworld.tasks import splits

SIZES = {"train": 60, "validation": 20, "test": 20, "compositional": 20}
# When the data are meant to change, print the new fingerprints with `fingerprint` below.
FINGERPRINTS = {
    "translation": "abc0328ca3c5cb3f",
    "stories": "cc4f0c85f14e684b",
    "sentiment": "e583947112ae7efd",
    "entailment": "33af2deceeab88d4",
    "similarity": "c419cda1480b6a85",
    "multiple_choice": "bfc63dc4bd807b98",
    "ner": "bcf7c50e26db0fe6",
    "qa": "a6bd94d9bff06987",
    "texts": "0f6ed9e45e59be55",
    "prompting": "f2ff078756d548d5",
}


def fingerprint(task):
    return hashlib.sha256(json.dumps(splits(task, 0, SIZES), ensure_ascii=False).encode()).hexdigest()[:16]


def test_every_task_has_a_fingerprint():
    assert set(FINGERPRINTS) == set(microworld.TASKS)


@pytest.mark.parametrize("task", FINGERPRINTS)
def test_the_data_are_those_of_the_published_results(task):
    assert fingerprint(task) == FINGERPRINTS[task]


@pytest.mark.parametrize(("task", "size", "value"), [("poetry", 10, "poetry"), ("translation", 0, "0")])
def test_bad_arguments_are_refused_by_name(task, size, value):
    with pytest.raises(ValueError, match=value):
        microworld.load(task, size=size)


def test_splits_and_their_sizes():
    data = microworld.load("sentiment", size=30, seed=2)
    assert {name: len(rows) for name, rows in data.items()} == {
        "train": 30, "validation": 1_000, "test": 1_000, "compositional": 1_000,
    }  # fmt: skip
    assert data["train"].column_names == ["text", "label"]


def test_the_held_out_splits_do_not_depend_on_the_size():
    small, large = (splits("sentiment", 0, SIZES | {"train": size}) for size in (10, 60))
    assert small.pop("train") == large.pop("train")[:10]
    assert small == large


@pytest.mark.parametrize("enabled", [True, False])
def test_loading_leaves_the_garbage_collector_as_it_was(monkeypatch, enabled):
    """It pauses while rows are generated, and if that fails too."""
    found = []

    def generate(*arguments):
        found.append(gc.isenabled())
        raise RuntimeError

    monkeypatch.setattr(microworld, "splits", generate)
    (gc.enable if enabled else gc.disable)()
    try:
        with pytest.raises(RuntimeError):
            microworld.load("sentiment", size=3)
        assert gc.isenabled() is enabled
    finally:
        gc.enable()
    assert found == [False]
