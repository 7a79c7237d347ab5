"""What an objective draws at random: new in each training step, the same in each validation."""

import pytest
import torch

from seqbook.metrics import mean_nll
from seqbook.objectives.batch import Batch
from seqbook.objectives.seq2seq import Seq2Seq
from seqbook.training import TrainingConfig, fit

UNK = 3


class Masked(Seq2Seq):
    """Half of the source tokens, drawn at random, are hidden from the model."""

    def __init__(self, *arguments, **settings):
        super().__init__(*arguments, **settings)
        self.in_training, self.in_validation = [], []

    def collate(self, examples, generator):
        batch = super().collate(examples)
        source_ids, target_ids = batch.inputs
        hidden = torch.rand(source_ids.shape, generator=generator) < 0.5
        (self.in_training if torch.is_grad_enabled() else self.in_validation).append(hidden)
        return Batch((source_ids.masked_fill(hidden & (source_ids != 0), UNK), target_ids), batch.labels)


@pytest.fixture
def masked(toy):
    return Masked(toy.objective.source_tokenizer, toy.objective.target_tokenizer, max_len=12)


def train(toy, objective, model, seed=0):
    """8 steps over the same 16 examples, with 4 evaluations; returns the history."""
    config = TrainingConfig(steps=8, batch_size=16, learning_rate=1e-3, warmup=2, evaluations=4)
    return fit(model, objective, toy.train[:16], toy.validation, config, seed=seed)


def different(drawn):
    return len({str(hidden.tolist()) for hidden in drawn})


def test_validation_is_the_same_at_each_call(toy, masked):
    model = toy.model()
    first = mean_nll(model, masked, toy.validation, batch_size=7)
    torch.rand(100)  # whatever was drawn in between
    assert mean_nll(model, masked, toy.validation, batch_size=7) == first
    assert first != mean_nll(model, toy.objective, toy.validation, batch_size=7)
    n = len(masked.in_validation) // 2
    assert n == 6
    pairs = zip(masked.in_validation[:n], masked.in_validation[n:], strict=True)
    assert all(torch.equal(before, after) for before, after in pairs)
    assert different(masked.in_validation[:n]) == n  # but each batch has its own


def test_training_draws_anew_in_each_step_and_repeats_with_its_seed(toy, masked):
    found = []
    for seed in (0, 0, 1):
        masked.in_training = []
        history = train(toy, masked, toy.model(), seed)
        assert different(masked.in_training) == len(masked.in_training) == 8
        found.append((masked.in_training, [row["loss"] for row in history]))
    (drawn, losses), again, other = found
    assert all(torch.equal(a, b) for a, b in zip(drawn, again[0], strict=True))
    assert losses == again[1] != other[1]
    assert different(drawn + other[0]) == 16


def test_each_validation_of_a_training_has_the_same_draws(toy, masked):
    history = train(toy, masked, toy.model())
    n = len(masked.in_validation) // 4
    assert n > 0
    for evaluation in range(1, 4):
        drawn = masked.in_validation[evaluation * n : (evaluation + 1) * n]
        assert all(torch.equal(a, b) for a, b in zip(masked.in_validation[:n], drawn, strict=True))
    assert len({row["val_loss"] for row in history if "val_loss" in row}) == 4
