from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seqbook.models.rnn import Encoder, RNNConfig, RNNSeq2Seq

PAD = 0
CONTEXTS = ("last", "mean", "additive", "dot")
SOURCE = torch.tensor([[5, 6, 7, 8], [9, 4, PAD, PAD], [11, PAD, PAD, PAD]])
TARGET = torch.tensor([[1, 5, 6, 7, 8], [1, 9, 4, 5, PAD], [1, 9, PAD, PAD, PAD]])


def build(context="dot", **changes):
    sizes = {"source_vocab_size": 12, "target_vocab_size": 10, "d_model": 16, "max_len": 9}
    return RNNSeq2Seq(RNNConfig(context=context, **sizes | changes))


@pytest.mark.parametrize(("bidirectional", "n_layers"), [(False, 1), (False, 2), (True, 1), (True, 2)])
def test_encoder_equals_torch_on_packed_sequences(bidirectional, n_layers):
    """The memory is the states of torch's LSTM of as many layers, and nothing more."""
    directions = 2 if bidirectional else 1
    config = RNNConfig(
        source_vocab_size=12, target_vocab_size=12, d_model=16, n_layers=n_layers, bidirectional=bidirectional
    )
    ours, lengths = Encoder(config), (SOURCE != PAD).sum(1)
    theirs = nn.LSTM(16, 16 // directions, n_layers, batch_first=True, bidirectional=bidirectional)
    for i, layer in enumerate(ours.layers):
        for direction, suffix in zip(layer, ("", "_reverse"), strict=False):
            for name, weight in direction.named_parameters():
                getattr(theirs, name.replace("l0", f"l{i}") + suffix).data.copy_(weight)
    packed = pack_padded_sequence(ours.embedding(SOURCE), lengths, batch_first=True, enforce_sorted=False)
    states, (last, _) = theirs(packed)
    memory, summary = ours(SOURCE)
    torch.testing.assert_close(memory[SOURCE != PAD], pad_packed_sequence(states, batch_first=True)[0][SOURCE != PAD])
    torch.testing.assert_close(summary, torch.cat(list(last[-directions:]), dim=-1))


@pytest.mark.parametrize("n_layers", [1, 2])
def test_the_shortcut_adds_the_embeddings_to_the_memory_alone(n_layers):
    config = RNNConfig(source_vocab_size=12, target_vocab_size=12, d_model=16, n_layers=n_layers, bidirectional=True)
    plain, shortcut = Encoder(config), Encoder(replace(config, embedding_shortcut=True))
    shortcut.load_state_dict(plain.state_dict())
    (memory, summary), (with_words, same_summary) = plain(SOURCE), shortcut(SOURCE)
    torch.testing.assert_close(with_words, memory + plain.embedding(SOURCE))
    assert torch.equal(summary, same_summary)


@pytest.mark.parametrize("context", CONTEXTS)
def test_the_shortcut_matters_to_what_reads_the_memory(context):
    plain, shortcut = build(context), build(context, embedding_shortcut=True)
    shortcut.load_state_dict(plain.state_dict())
    assert torch.equal(plain(SOURCE, TARGET), shortcut(SOURCE, TARGET)) == (context == "last")


def test_contexts_differ_in_nothing_but_the_context():
    sizes = {context: sum(p.numel() for p in build(context).parameters()) for context in CONTEXTS}
    assert sizes["last"] == sizes["mean"] == sizes["dot"]
    assert sizes["additive"] - sizes["dot"] == 2 * 16**2 + 16
    last = build("last")
    for context in ("mean", "dot"):
        other = build(context)
        other.load_state_dict(last.state_dict())
        assert not torch.allclose(other(SOURCE, TARGET), last(SOURCE, TARGET))


def test_a_width_that_two_directions_cannot_share_is_refused():
    with pytest.raises(ValueError, match="d_model=15 can't be halved"):
        build(d_model=15, bidirectional=True)
    assert build(d_model=15).encode(SOURCE).memory.shape == (3, 4, 15)  # one direction shares it with none


@pytest.mark.parametrize(("n_layers", "expected"), [(1, 0.0), (2, 0.3), (3, 0.3)])
def test_the_decoder_has_dropout_between_its_layers_alone(n_layers, expected):
    """After the top layer, there is a dropout of its own; torch's LSTM warns of one that follows no layer."""
    assert build(n_layers=n_layers, dropout=0.3).decoder.dropout == expected


def test_the_encoder_has_dropout_between_its_layers():
    """Without any feature of the first layer, the second one reads zeros."""
    encoder = build(n_layers=2, dropout=1.0).encoder
    expected, _ = encoder.layers[1][0](torch.zeros(3, 4, 16))
    torch.testing.assert_close(encoder(SOURCE)[0], expected)


def test_padding_may_have_any_id():
    model = build(pad_id=9)
    state = model.encode(torch.tensor([[5, 10, 7], [4, 9, 9]]))
    assert state.memory_mask.tolist() == [[[True, True, True]], [[True, False, False]]]
    torch.testing.assert_close(state.summary[1:], model.encode(torch.tensor([[4]])).summary)


def test_the_source_is_reversed_where_its_ids_are():
    """The device "meta" stands for one that is the default, but holds neither model nor ids."""
    model = build(bidirectional=True)
    with torch.device("meta"):
        found = model.encode(SOURCE).memory
    torch.testing.assert_close(found, model.encode(SOURCE).memory)


def test_the_mean_context_is_the_mean_of_the_states_of_real_tokens():
    model = build("mean")
    _, state = model.prefill(SOURCE, TARGET[:, :1])
    found = model._context(torch.zeros(3, 1, 16), state, 1)[:, 0]
    for row, memory, real in zip(found, state.memory, SOURCE != PAD, strict=True):
        torch.testing.assert_close(row, memory[real].mean(0))


def test_embeddings_begin_small():
    model = RNNSeq2Seq(RNNConfig(source_vocab_size=300, target_vocab_size=300, d_model=64))
    for table in (model.embedding, model.encoder.embedding):
        assert table.weight[1:].std().item() == pytest.approx(0.1, rel=0.05)
