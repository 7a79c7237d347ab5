import math

import pytest
import torch

from seqbook.metrics import mean_nll
from seqbook.models.gpt import GPTConfig
from seqbook.objectives.batch import IGNORED
from seqbook.objectives.recall import Recall, RecallConfig, Rows, is_held_out
from seqbook.training import TrainingConfig, fit

CONFIG = RecallConfig(n_words=10, n_pairs=3, n_entries=8)


def pairs_of(ids, n_words=10):
    """The (x, y) numbers of a row's entries."""
    return list(zip(ids[::2], [i - n_words for i in ids[1::2]], strict=True))


def copier(ids):
    """A model that recalls: after an x, the y that followed its first occurrence; elsewhere, and after a new x, token 0."""
    logits = torch.zeros(*ids.shape, 20)
    for b, row in enumerate(ids.tolist()):
        for t in range(0, len(row), 2):
            first = row.index(row[t])
            logits[b, t, row[first + 1] if first < t else 0] = 50.0
    return logits


@pytest.mark.parametrize("token", [0, 19], ids=["smallest", "largest"])
def test_one_token_everywhere_recalls_only_its_own_pairs(token):
    class Says(torch.nn.Linear):
        def forward(self, ids):
            return torch.nn.functional.one_hot(torch.full_like(ids, token), 20).float()

    rows = [([1, 12, 1, 12, 1, 12],), ([1, 12, 2, 19, 2, 19],)]
    assert Recall(CONFIG).recall(Says(1, 1), rows) == pytest.approx({0: 0, 19: 1 / 3}[token])


class Copier(torch.nn.Linear):
    def forward(self, ids):
        return copier(ids)


def test_a_row_repeats_a_few_pairs_in_which_x_decides_y():
    for (ids,) in Rows(200, CONFIG):
        entries = pairs_of(ids)
        assert len(entries) == 8
        assert all(0 <= x < 10 and 0 <= y < 10 for x, y in entries)
        assert len(set(entries)) == len({x for x, _ in entries}) <= 3


def test_every_fifth_pair_stands_in_no_training_row():
    found = {
        held: {pair for (ids,) in Rows(500, CONFIG, held_out=held) for pair in pairs_of(ids)} for held in (False, True)
    }
    assert all(is_held_out(*pair) for pair in found[True])
    assert not any(is_held_out(*pair) for pair in found[False])
    assert (len(found[True]), len(found[False])) == (20, 80)


def test_a_row_depends_on_its_seed_and_its_number_alone():
    rows = Rows(100, CONFIG)
    assert rows[7] == rows[7] == Rows(50, CONFIG)[7]
    assert len({str(row) for row in [*rows, *Rows(100, CONFIG, seed=1)]}) == 200
    for i in (-1, 100, 101):
        with pytest.raises(IndexError, match=f"row {i} of 100"):
            rows[i]


def test_there_is_a_label_where_x_has_stood_before_and_nowhere_else():
    batch = Recall(CONFIG).collate([([1, 12, 3, 14, 1, 12, 3, 14],), ([1, 12, 1, 12, 2, 12, 2, 12],)])
    no = IGNORED
    assert batch.inputs[0].tolist() == [[1, 12, 3, 14, 1, 12, 3], [1, 12, 1, 12, 2, 12, 2]]
    assert batch.labels.tolist() == [[no, no, no, no, 12, no, 14], [no, no, 12, no, no, no, 12]]
    assert batch.n_labels == 4
    assert Recall(CONFIG).lengths(([1, 12, 3, 14],)) == (3,)  # what is read: nothing follows the last token
    assert Recall(CONFIG).sizes() == {"vocab_size": 20}


def test_a_fifth_of_the_pairs_is_held_out():
    assert [[is_held_out(x, y) for y in range(5)] for x in (0, 1)] == [[True, *[False] * 4], [*[False] * 4, True]]


def test_a_model_that_copies_recalls_everything_and_has_no_loss():
    objective, rows = Recall(CONFIG), Rows(20, CONFIG, held_out=True)
    assert objective.recall(Copier(1, 1), rows) == 1
    assert mean_nll(Copier(1, 1), objective, rows) == pytest.approx(0, abs=1e-6)
    batch = objective.collate(list(rows))
    equal = objective.loss(torch.zeros(*batch.labels.shape, 20), batch.labels) / batch.n_labels
    assert equal.item() == pytest.approx(math.log(20))


def test_it_is_trained_by_the_loop_of_the_course():
    objective = Recall(CONFIG)
    model = GPTConfig(**objective.sizes(), d_model=16, n_layers=2, n_heads=1, positions="rotary", max_len=16).build()
    training = TrainingConfig(steps=20, batch_size=16, learning_rate=3e-3, warmup=5, evaluations=2)
    history = fit(model, objective, Rows(320, CONFIG), Rows(32, CONFIG, held_out=True), training)
    assert history[-1]["loss"] < history[0]["loss"] - 0.2
    assert len([row for row in history if "val_loss" in row]) == 2


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"n_words": 4, "n_pairs": 2}, "n_words=4 must be at least 5"),
        ({"n_words": 6, "n_pairs": 7}, "at least n_pairs=7"),
        ({"n_entries": 0}, "n_entries=0 must be at least 1"),
    ],
)
def test_sizes_that_do_not_fit_are_named(sizes, message):
    with pytest.raises(ValueError, match=message):
        RecallConfig(**sizes)
