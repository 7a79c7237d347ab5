"""The time-lapse: the weights of each step are those that the training had there, also in the page."""

from dataclasses import replace

import pytest
import torch

from seqbook.live import timelapse
from seqbook.recipes import configure
from seqbook.runs.run import run

TINY = {"d_model": 16, "steps": 4, "evaluations": 2, "warmup": 1}


@pytest.mark.slow
def test_the_kept_weights_are_those_of_the_training(microworld_home):
    lapse = timelapse.train("attention", (0, 2, 4), **TINY)
    assert list(lapse.states) == list(lapse.losses) == [0, 2, 4]
    trained = run("attention", **TINY)
    for name, weights in trained.model.cpu().state_dict().items():
        torch.testing.assert_close(lapse.states[4][name], weights, rtol=0, atol=0)
    losses = {row["step"]: row["val_loss"] for row in trained.history if "val_loss" in row}
    assert {step: lapse.losses[step] for step in losses} == pytest.approx(losses)
    torch.manual_seed(0)
    weight = lapse.at(0).model.out.weight
    assert torch.equal(weight, lapse.states[0]["out.weight"])
    assert not torch.equal(lapse.states[0]["out.weight"], lapse.states[2]["out.weight"])


def test_a_step_that_the_training_does_not_have_is_refused():
    with pytest.raises(ValueError, match="choose some from 0 to 4"):
        timelapse.train("attention", (0, 5), **TINY)


def test_the_whole_time_lapse_is_small():
    recipe = configure("attention", **timelapse.SMALL)
    assert recipe.training.steps == max(timelapse.STEPS)
    model = replace(recipe.model, source_vocab_size=1_185, target_vocab_size=742).build()
    assert 4 * len(timelapse.STEPS) * sum(p.numel() for p in model.parameters()) < 9e6  # and the graph
