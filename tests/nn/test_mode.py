import pytest
from torch import nn

from seqbook.nn.mode import evaluating


@pytest.mark.parametrize("training", [True, False])
def test_no_dropout_inside_and_the_same_mode_as_before_afterwards(training):
    model = nn.Sequential(nn.Dropout(0.5)).train(training)
    with evaluating(model):
        assert not any(module.training for module in model.modules())
    assert model.training == model[0].training == training


def test_the_mode_comes_back_after_an_error():
    model = nn.Dropout(0.5)
    with pytest.raises(KeyError), evaluating(model):
        raise KeyError
    assert model.training
