"""Prefix decoders: what the two masks cost, and the small trainings behind chapter 6.1."""

import pytest
import torch

from seqbook.experiments import prefix
from seqbook.models.prefix_lm import PrefixLMConfig
from seqbook.objectives.batch import Batch
from seqbook.objectives.chain import Chain, ChainConfig, Rows


@pytest.fixture
def model():
    torch.manual_seed(0)
    return PrefixLMConfig(vocab_size=17, d_model=16, n_layers=2, n_heads=2, max_len=64, positions="rotary").build()


def test_operations_are_those_of_the_matrix_products():
    left, right = torch.randn(3, 4), torch.randn(4, 5)
    assert prefix.operations(lambda: left @ right + 1) == 2 * 3 * 4 * 5


def test_a_step_computes_the_backward_pass_too_and_leaves_no_gradient(model):
    objective = Chain(ChainConfig(), bidirectional=True)
    batch = objective.collate([Rows(4)[i] for i in range(4)])
    found = prefix.step_operations(model, objective, Batch(batch.inputs, batch.labels))
    forward = prefix.operations(lambda: model(*batch.inputs))
    assert 2.5 * forward < found["step"] <= 3 * forward
    assert found["positions"] == found["with logits"] == batch.inputs[0].numel()
    assert all(p.grad is None for p in model.parameters())


def test_a_causal_cache_stays_and_a_prefix_is_read_again(model):
    costs = {mask: prefix.turns(model, mask, n_turns=3, message=4, answer=3) for mask in ("causal", "bidirectional")}
    assert costs["causal"]["positions"].tolist() == [7, 7, 7]
    assert costs["bidirectional"]["positions"].tolist() == [7, 14, 21]
    last = {mask: table["operations"].iloc[-1] for mask, table in costs.items()}
    assert last["bidirectional"] > 1.5 * last["causal"]
    assert all((table["seconds"] > 0).all() for table in costs.values())


def test_several_tokens_are_appended_as_one_by_one(model):
    ids, none = torch.tensor([[1, 2, 3, 4, 5]]), torch.zeros(1, dtype=torch.long)
    state = model.prefill(ids[:, :2], prefix_lengths=none)[1]
    logits, state = prefix.append(model, ids[:, 2:4], state)
    torch.testing.assert_close(logits, model(ids)[:, 3])
    torch.testing.assert_close(model.decode(ids[:, 4], state)[0], model(ids)[:, 4])


def test_without_positions_the_order_of_a_bidirectional_prefix_is_lost(model):
    ids, whole = torch.tensor([[1, 2, 3, 4]]), torch.tensor([4])
    swapped = ids[:, [1, 0, 2, 3]]
    assert not torch.allclose(model(ids, whole)[:, -1], model(swapped, whole)[:, -1], atol=1e-5)
    without = prefix.without_positions(model)
    torch.testing.assert_close(without(ids, whole)[:, -1], without(swapped, whole)[:, -1])
    assert not torch.allclose(without(ids)[:, -1], without(swapped)[:, -1], atol=1e-5)  # the causal mask tells it


def test_values_are_collected_by_column():
    rows = [{"a": 1, "b": 2.0}, {"a": 1, "b": 3.0}, {"a": 2, "b": 4.0}]
    assert prefix.by_value(rows, "a", "b") == {1: [2.0, 3.0], 2: [4.0]}


def test_a_row_of_the_sweep_has_the_accuracy_over_the_steps_and_is_continued(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQBOOK_HOME", str(tmp_path))
    row = prefix.chain(0, "bidirectional", 1, 10, n_train=100)
    assert row["evaluated_at"] == list(range(1, 11))
    assert len(row["accuracies"]) == 10
    assert all(0 <= accuracy <= 1 for accuracy in row["accuracies"])
    assert row["chance"] == 0.25
    monkeypatch.setattr(prefix.Chain, "loss", None)  # nothing is trained a second time
    assert prefix.chain(0, "bidirectional", 1, 10, n_train=100) == row
