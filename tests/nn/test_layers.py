import math
from typing import get_args

import jaxtyping
import pytest
import torch
import torch.nn.functional as F

from seqbook.nn.layers import Activation, Embedding, FeedForward, token_embedding
from seqbook.nn.positions import Learned

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


@pytest.mark.parametrize("pad_id", [0, 1])
@pytest.mark.parametrize("std", [0.1, 0.5])
def test_embeddings_start_as_asked_and_padding_stays_zero(std, pad_id):
    vectors = token_embedding(400, 50, std, pad_id)
    assert vectors.weight[torch.arange(400) != pad_id].std().item() == pytest.approx(std, rel=0.05)
    vectors(torch.tensor([[5, pad_id]])).sub(1).square().sum().backward()
    torch.optim.SGD(vectors.parameters(), lr=0.1).step()
    assert (vectors.weight[pad_id] == 0).all()


def test_without_padding_every_embedding_is_drawn_and_trained():
    vectors = token_embedding(400, 50, None)
    assert vectors.weight.std().item() == pytest.approx(1, rel=0.05)
    assert (vectors.weight != 0).any(1).all()
    vectors(torch.arange(400)[None]).square().sum().backward()
    assert (vectors.weight.grad != 0).any(1).all()


def test_the_vector_of_a_token_is_scaled_and_its_position_is_added():
    table, ids = Learned(8, 12), torch.tensor([[5, 6, 0], [9, 5, 5]])
    plain, placed = Embedding(10, 8), Embedding(10, 8, positions=table, scale=3.0, std=0.2, pad_id=0)
    assert torch.equal(plain(ids), plain.tokens.weight[ids])
    assert torch.equal(placed(ids), 3.0 * placed.tokens.weight[ids] + table.table[:3])
    assert torch.equal(placed(ids, 4), 3.0 * placed.tokens.weight[ids] + table.table[4:7])
    each = placed(ids, torch.tensor([4, -1]))
    assert torch.equal(each[0], placed(ids[:1], 4)[0])
    assert torch.equal(each[1, 1:], placed(ids[1:, 1:])[0])  # after one position of padding
    assert (placed.tokens.weight[0] == 0).all()


def test_dropout_falls_on_tokens_and_positions_in_train_mode_only():
    embedding, ids = Embedding(10, 8, positions=Learned(8, 12), dropout=1.0), torch.tensor([[5, 6, 7]])
    assert (embedding(ids) == 0).all()
    assert torch.equal(embedding.eval()(ids), embedding.tokens.weight[ids] + embedding.positions.table[:3])


def test_the_vectors_that_read_a_token_score_the_next_one():
    embedding, hidden, bias = Embedding(10, 8, scale=3.0), torch.randn(2, 3, 8), torch.randn(10)
    torch.testing.assert_close(embedding.logits(hidden), hidden @ embedding.tokens.weight.T)
    torch.testing.assert_close(
        embedding.logits(hidden[:, -1], bias), F.linear(hidden, embedding.tokens.weight)[:, -1] + bias
    )
