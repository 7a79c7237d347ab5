"""Chains of assignments: rows, answers, and both masks."""

import pytest
import torch

from seqbook.models.prefix_lm import PrefixLMConfig
from seqbook.objectives.batch import IGNORED
from seqbook.objectives.chain import Chain, ChainConfig, Rows


def follow(ids, hops):
    """The letter that is reached from the last one of the row in so many pairs."""
    pairs, letter = dict(zip(ids[:-2:2], ids[1:-2:2], strict=True)), ids[-1]
    for _ in range(hops):
        letter = pairs[letter]
    assert letter not in pairs  # the chain ends here
    return letter


@pytest.mark.parametrize("hops", [1, 2, 3])
def test_the_answer_is_the_end_of_the_chain(hops):
    config = ChainConfig(hops=hops)
    for ids, answer in Rows(100, config):
        assert len(ids) == 2 * config.n_chains * hops + 2
        assert ids[-2] == config.n_letters
        assert follow(ids, hops) == answer
        assert len({*ids}) == config.n_chains * (hops + 1) + 1  # no letter stands in two chains


def test_pairs_of_a_chain_stand_in_both_orders():
    in_order = []
    for ids, _ in Rows(200):
        second = ids[ids.index(ids[-1]) + 1]
        in_order.append(ids.index(second, 0, -2) % 2 == 1)
    assert 60 < sum(in_order) < 140


def test_rows_depend_on_seed_and_number_alone():
    assert Rows(5)[3] == Rows(9)[3] != Rows(5, seed=1)[3]
    for i in (-1, 5, 6):
        with pytest.raises(IndexError, match=f"row {i} of 5"):
            Rows(5)[i]


def test_sizes_and_lengths():
    objective = Chain(ChainConfig(n_letters=6, n_chains=2, hops=1), bidirectional=True)
    assert objective.sizes() == {"vocab_size": 7}  # the question mark is the last id
    assert objective.lengths(([0, 1, 2, 3, 6, 0], 1)) == (6,)


@pytest.mark.parametrize("bidirectional", [True, False])
def test_only_the_answer_is_predicted_and_the_mask_is_the_chosen_one(bidirectional):
    objective = Chain(bidirectional=bidirectional)
    batch = objective.collate([Rows(3)[i] for i in range(3)])
    ids, prefixes = batch.inputs
    assert prefixes.tolist() == [ids.shape[1] if bidirectional else 0] * 3
    assert batch.n_tokens == 3
    assert (batch.labels[:, :-1] == IGNORED).all()
    torch.manual_seed(0)
    model = PrefixLMConfig(**objective.sizes(), d_model=16, n_layers=1, n_heads=2, max_len=32).build()
    other = ids.clone()
    other[:, 5] = (ids[:, 5] + 1) % 16
    moved = (model(ids, prefixes) - model(other, prefixes)).abs().amax(-1) > 1e-6
    assert moved[:, 0].all() == bidirectional
    assert moved[:, -1].all()


def test_right_answers_are_counted_at_the_last_position():
    answers, written = [5, 5, 5, 5, 5], [5, 5, 5, 4, 6]
    labels = torch.tensor([[IGNORED, answer] for answer in answers])
    logits = torch.stack([torch.zeros(5, 17), torch.eye(17)[written]], dim=1)  # (B, T, V)
    assert Chain(bidirectional=True).n_right(logits, labels) == 3


def test_more_letters_than_there_are_is_an_error():
    with pytest.raises(ValueError, match="6 chains of 2 hops need 18 letters: n_letters=16"):
        ChainConfig(n_chains=6)
