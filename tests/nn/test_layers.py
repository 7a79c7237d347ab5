import pytest
import torch

from seqbook.nn.layers import FeedForward, embedding
from seqbook.tokenizer import PAD


def test_feed_forward_equals_the_formula_at_each_position():
    layer, x = FeedForward(4, 10), torch.randn(2, 3, 4)
    for b in range(2):
        for t in range(3):
            hidden = (layer.inner.weight @ x[b, t] + layer.inner.bias).clamp(min=0)
            torch.testing.assert_close(layer(x)[b, t], layer.out.weight @ hidden + layer.out.bias)


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
