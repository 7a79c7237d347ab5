import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seqbook.models.rnn import Encoder, RNNConfig, RNNSeq2Seq
from seqbook.tokenizer import PAD

CONTEXTS = ("last", "mean", "additive", "dot")
ENCODERS = [(False, 1), (False, 2), (True, 1), (True, 2)]
SOURCE = torch.tensor([[5, 6, 7, 8], [9, 4, PAD, PAD], [11, PAD, PAD, PAD]])
TARGET = torch.tensor([[1, 5, 6, 7, 8], [1, 9, 4, 5, PAD], [1, 11, PAD, PAD, PAD]])


def build(context="dot", **changes):
    sizes = {"source_vocab_size": 12, "target_vocab_size": 10, "d_model": 16, "max_len": 9}
    return RNNSeq2Seq(RNNConfig(context=context, **sizes | changes))


def targets(vocab_size=10):
    return TARGET.clamp(max=vocab_size - 1)


@pytest.mark.parametrize("context", CONTEXTS)
def test_contract(context):
    logits = build(context)(SOURCE, targets())
    assert logits.shape == (3, 5, 10)
    assert logits.isfinite().all()


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("context", CONTEXTS)
def test_no_position_sees_the_future(context, training):
    model = build(context, n_layers=2).train(training)
    changed = targets()
    changed[:, 3] = 3
    before, after = model(SOURCE, targets()), model(SOURCE, changed)
    torch.testing.assert_close(before[:, :3], after[:, :3], rtol=0, atol=0)
    assert (before[:, 3:] != after[:, 3:]).flatten(1).any(1).all()


@pytest.mark.parametrize("context", CONTEXTS)
def test_every_position_sees_the_whole_source(context):
    model = build(context, bidirectional=True)
    for row, n in enumerate((4, 2, 1)):
        for j in range(n):
            changed = SOURCE.clone()
            changed[row, j] = 3
            differs = (model(SOURCE, targets()) != model(changed, targets())).any(-1)
            assert differs[row].all()
            assert not differs[[r for r in range(3) if r != row]].any()


@pytest.mark.parametrize(("bidirectional", "n_layers"), ENCODERS)
@pytest.mark.parametrize("context", CONTEXTS)
def test_padding_changes_nothing(context, bidirectional, n_layers):
    model = build(context, bidirectional=bidirectional, n_layers=n_layers)
    wider = torch.cat([SOURCE, torch.full((3, 4), PAD)], dim=1)
    expected = model(SOURCE, targets())
    torch.testing.assert_close(model(wider, targets()), expected)
    alone = model(SOURCE[1:2, :2], targets()[1:2])
    torch.testing.assert_close(alone, expected[1:2])


@pytest.mark.parametrize(("bidirectional", "n_layers"), ENCODERS)
def test_encoder_equals_torch_on_packed_sequences(bidirectional, n_layers):
    directions = 2 if bidirectional else 1
    config = RNNConfig(
        source_vocab_size=12, target_vocab_size=12, d_model=16, n_layers=n_layers, bidirectional=bidirectional
    )
    ours, lengths = Encoder(config), (SOURCE != PAD).sum(1)
    x = ours.embedding(SOURCE)
    for layer in ours.layers:
        theirs = nn.LSTM(16, 16 // directions, batch_first=True, bidirectional=bidirectional)
        for direction, suffix in zip(layer, ("", "_reverse"), strict=False):
            for name, weight in direction.named_parameters():
                getattr(theirs, name + suffix).data.copy_(weight)
        states, (last, _) = theirs(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
        x = x + pad_packed_sequence(states, batch_first=True)[0]
    memory, summary = ours(SOURCE)
    torch.testing.assert_close(memory[SOURCE != PAD], x[SOURCE != PAD])
    torch.testing.assert_close(summary, torch.cat(list(last), dim=-1))


@pytest.mark.parametrize(("bidirectional", "n_layers"), ENCODERS)
@pytest.mark.parametrize("context", CONTEXTS)
def test_step_by_step_equals_forward(context, bidirectional, n_layers):
    model = build(context, bidirectional=bidirectional, n_layers=n_layers)
    state, steps = model.start(SOURCE), []
    for t in range(5):
        logits, state = model.step(targets()[:, t], state)
        steps.append(logits)
    torch.testing.assert_close(torch.stack(steps, dim=1), model(SOURCE, targets()))


def test_contexts_differ_in_nothing_but_the_context():
    sizes = {context: sum(p.numel() for p in build(context).parameters()) for context in CONTEXTS}
    assert sizes["last"] == sizes["mean"] == sizes["dot"]
    assert sizes["additive"] - sizes["dot"] == 2 * 16**2 + 16
    last = build("last")
    for context in ("mean", "dot"):
        other = build(context)
        other.load_state_dict(last.state_dict())
        assert not torch.allclose(other(SOURCE, targets()), last(SOURCE, targets()))


def test_dropout_in_train_mode_only():
    model = build(dropout=0.5, n_layers=2)
    assert not torch.equal(model(SOURCE, targets()), model(SOURCE, targets()))
    model.eval()
    torch.testing.assert_close(model(SOURCE, targets()), model(SOURCE, targets()), rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("context", CONTEXTS)
def test_one_batch_can_be_overfitted(context, toy):
    from seqbook.generate import greedy

    model = toy.model(context=context, d_model=32)
    batch = toy.objective.collate(toy.train[:6])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(250):
        optimizer.zero_grad()
        loss = toy.objective.loss(model(*batch.inputs), batch.labels) / batch.n_tokens
        loss.backward()
        optimizer.step()
    assert loss < 0.05
    assert greedy(model, batch.inputs[0], 12) == [target for _, target in toy.train[:6]]


def test_refuses_ids_by_name(refused_ids):
    source_ids, target_ids, message = refused_ids
    with pytest.raises(ValueError, match=message):
        build(max_len=9)(source_ids, target_ids)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"d_model": 0}, "d_model=0 must"),
        ({"n_layers": 0}, "n_layers=0 must"),
        ({"max_len": -1}, "max_len=-1 must"),
        ({"source_vocab_size": 0}, "source_vocab_size=0 must"),
        ({"target_vocab_size": 0}, "target_vocab_size=0 must"),
        ({"d_model": 15, "bidirectional": True}, "d_model=15 can't be halved"),
        ({"dropout": 1.5}, "1.5"),
    ],
)
def test_refuses_sizes_by_name(changes, message):
    with pytest.raises(ValueError, match=message):
        build(**changes)


@pytest.mark.slow
@pytest.mark.parametrize(("context", "bidirectional"), [("last", False), ("dot", False), ("dot", True)])
def test_exports_to_onnx(context, bidirectional, equals_its_export):
    equals_its_export("RNNSeq2Seq", context=context, bidirectional=bidirectional, d_model=16, n_layers=2)
