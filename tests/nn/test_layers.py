import math
from typing import get_args

import jaxtyping
import pytest
import torch

from seqbook.nn.layers import Activation, FeedForward, embedding
from seqbook.tokenizer import PAD

FORMULAS = {
    "relu": lambda z: max(0.0, z),
    "gelu": lambda z: z * (1 + math.erf(z / math.sqrt(2))) / 2,
    "gelu_tanh": lambda z: z * (1 + math.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))) / 2,
    "silu": lambda z: z / (1 + math.exp(-z)),
    "tanh": math.tanh,
}


@pytest.mark.parametrize("activation", get_args(Activation))
def test_feed_forward_equals_the_formula_at_each_position(activation):
    layer, x = FeedForward(4, 10, activation), torch.randn(2, 3, 4)
    for b in range(2):
        for t in range(3):
            inner = layer.inner.weight @ x[b, t] + layer.inner.bias
            hidden = torch.tensor([FORMULAS[activation](z) for z in inner.tolist()])
            torch.testing.assert_close(layer(x)[b, t], layer.out.weight @ hidden + layer.out.bias)


def test_feed_forward_is_as_in_2017_unless_told_otherwise():
    plain, relu, x = FeedForward(4, 10), FeedForward(4, 10, "relu"), torch.randn(3, 4)
    relu.load_state_dict(plain.state_dict())
    assert torch.equal(plain(x), relu(x))


def test_feed_forward_refuses_an_activation_that_does_not_exist(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as readers have it
    with pytest.raises(ValueError, match="activation='step': choose one of relu, gelu, gelu_tanh, silu, tanh"):
        FeedForward(4, 10, "step")


def test_feed_forward_refuses_no_width():
    with pytest.raises(ValueError, match="d_ff=0 must"):
        FeedForward(4, 0)


@pytest.mark.parametrize("std", [0.1, 0.5])
def test_embeddings_start_as_asked_and_padding_stays_zero(std):
    vectors = embedding(400, 50, std=std)
    assert vectors.weight[1:].std().item() == pytest.approx(std, rel=0.05)
    vectors(torch.tensor([[5, PAD]])).sub(1).square().sum().backward()
    torch.optim.SGD(vectors.parameters(), lr=0.1).step()
    assert (vectors.weight[PAD] == 0).all()
