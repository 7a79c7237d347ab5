"""The settings of training, the learning rate at each step, and the optimiser."""

import math
from dataclasses import FrozenInstanceError

import pytest
import torch
from torch import nn

from seqbook.training import TrainingConfig, adamw, learning_rate


def test_the_learning_rate_goes_up_and_then_down_in_straight_lines():
    config = TrainingConfig(steps=110, learning_rate=2.0, warmup=10)
    rates = [learning_rate(step, config) for step in range(110)]
    assert rates[:10] == pytest.approx([0.2 * (i + 1) for i in range(10)])
    assert rates[10] == 2.0
    assert rates[60] == pytest.approx(1.0)
    assert rates[10:] == pytest.approx([0.02 * (100 - i) for i in range(100)])
    assert learning_rate(0, TrainingConfig(steps=5, warmup=0, learning_rate=1.0)) == 1.0
    for warmup in (1, 5):  # as short as one step, and as long as the training
        config = TrainingConfig(steps=5, warmup=warmup, learning_rate=1.0)
        assert max(learning_rate(step, config) for step in range(5)) == 1.0


def test_with_early_stopping_the_learning_rate_stays_at_its_peak():
    """Whatever the largest number of steps is: nobody knows how many will be needed."""
    for steps in (50, 1_000):
        config = TrainingConfig(steps=steps, learning_rate=2.0, warmup=10, patience=1)
        rates = [learning_rate(step, config) for step in range(50)]
        assert rates[:10] == pytest.approx([0.2 * (i + 1) for i in range(10)])
        assert rates[10:] == [2.0] * 40


def test_settings_are_named_and_stay_as_they_are():
    with pytest.raises(TypeError):
        TrainingConfig(7)
    with pytest.raises(FrozenInstanceError):
        TrainingConfig(steps=7).steps = 8


def test_settings_that_train_nothing_are_refused():
    for wrong, says in [
        ({"patience": -1}, r"patience=-1 must be 0 \(no early stopping\) or more"),
        ({"warmup": -1}, r"warmup=-1 must be 0 \(no warm-up\) or more"),
        ({"weight_decay": -0.1}, r"weight_decay=-0.1 must be 0 \(no decay\) or more"),
        ({"weight_decay": math.nan}, r"weight_decay=nan must be 0 \(no decay\) or more"),
        ({"clip": 0.0}, "clip=0.0 must be above 0"),
        ({"clip": math.nan}, "clip=nan must be above 0"),
        ({"learning_rate": 0.0}, "learning_rate=0.0 must be above 0"),
    ]:
        with pytest.raises(ValueError, match=says):
            TrainingConfig(steps=5, **wrong)
    TrainingConfig(steps=5, warmup=0, weight_decay=0, clip=math.inf)


def test_weight_decay_is_for_matrices(toy):
    model = toy.model()
    config = TrainingConfig(steps=1, weight_decay=0.5)
    matrices, vectors = adamw(model, config).param_groups
    assert (matrices["weight_decay"], vectors["weight_decay"]) == (0.5, 0.0)
    assert {p.dim() for p in matrices["params"]} == {2}
    assert {p.dim() for p in vectors["params"]} == {1}
    assert len(matrices["params"]) + len(vectors["params"]) == len(list(model.parameters()))
    model.out.weight.requires_grad_(False)
    assert sum(len(group["params"]) for group in adamw(model, config).param_groups) == len(list(model.parameters())) - 1


@pytest.mark.parametrize("name", ["steps", "batch_size", "evaluations"])
def test_a_training_of_nothing(name):
    with pytest.raises(ValueError, match=f"{name}=0 must be at least 1"):
        TrainingConfig(**{"steps": 5, name: 0})


def test_weight_decay_is_for_all_that_is_more_than_a_vector():
    model = nn.Sequential(nn.Conv1d(2, 3, 4), nn.LayerNorm(3))
    model.temperature = nn.Parameter(torch.tensor(1.0))
    decayed, plain = adamw(model, TrainingConfig(steps=1)).param_groups
    assert [tuple(p.shape) for p in decayed["params"]] == [(3, 2, 4)]
    assert sorted(tuple(p.shape) for p in plain["params"]) == [(), (3,), (3,), (3,)]


def test_a_step_of_weight_decay():
    """Without a gradient, AdamW multiplies matrices by 1 − learning rate · weight decay, and leaves the rest alone."""
    model = nn.Linear(3, 3)
    before = model.weight.detach().clone(), model.bias.detach().clone()
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    adamw(model, TrainingConfig(steps=1, learning_rate=0.5, weight_decay=0.2)).step()
    torch.testing.assert_close(model.weight, before[0] * (1 - 0.5 * 0.2))
    assert torch.equal(model.bias, before[1])


def test_what_the_chapters_train_with_unless_they_say_otherwise():
    config = TrainingConfig(steps=7)
    assert (config.batch_size, config.learning_rate, config.warmup, config.evaluations) == (64, 1e-3, 100, 5)
    assert (config.weight_decay, config.clip, config.patience) == (0.01, 1.0, 0)
    assert adamw(nn.Linear(2, 2), config).param_groups[0]["betas"] == (0.9, 0.95)
    assert [TrainingConfig(steps=n).evaluate_every for n in (5, 6, 10)] == [1, 2, 2]
