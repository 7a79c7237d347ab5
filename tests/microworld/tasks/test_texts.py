"""Plain text to pretrain on: whose texts, and in which split."""

import pytest

import microworld
from microworld.tasks.texts import COLUMNS

SIZE = 2_000


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MICROWORLD_HOME", str(tmp_path_factory.mktemp("world")))
        splits = {split: rows["text"][:] for split, rows in microworld.load("texts", size=SIZE).items()}
        tasks = {task: microworld.load(task, size=3 * SIZE) for task in ("stories", *COLUMNS)}
    own = {}
    for task, there in tasks.items():
        _, columns = COLUMNS.get(task, (None, ("text",)))
        for split, rows in there.items():
            own[task, split] = {text for column in columns for text in rows[column][:]}
    return splits, own


def test_half_are_stories_and_the_rest_is_shared_out(texts):
    splits, own = texts
    for split, rows in splits.items():
        assert len(rows) == (SIZE if split == "train" else 1_000)
        assert sum(text in own["stories", split] for text in rows) == len(rows) / 2


def test_each_text_stands_in_the_same_split_of_its_task(texts):
    splits, own = texts
    for split, rows in splits.items():
        there = set().union(*(texts for (_, name), texts in own.items() if name == split))
        assert set(rows) <= there


def test_no_text_is_in_two_splits(texts):
    splits, _ = texts
    everything = [text for rows in splits.values() for text in rows]
    assert len(set(everything)) == len(everything)


def test_the_same_seed_gives_the_same_texts(texts):
    splits, _ = texts
    assert microworld.load("texts", size=SIZE)["train"]["text"][:] == splits["train"]
    assert microworld.load("texts", size=SIZE, seed=1)["train"]["text"][:5] != splits["train"][:5]
