from torch import nn

from seqbook.objectives.batch import IGNORED


def test_a_label_without_a_loss_is_the_one_that_torch_ignores():
    assert nn.CrossEntropyLoss().ignore_index == IGNORED
