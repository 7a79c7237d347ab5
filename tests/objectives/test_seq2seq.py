import pytest
import torch

from seqbook.objectives.batch import IGNORED
from seqbook.objectives.seq2seq import Seq2Seq
from seqbook.tokenizer import BOS, EOS, PAD

EXAMPLES = [([4, 5, 6], [7, 8]), ([9], [10, 11, 4])]


def objective(toy, **changes):
    return Seq2Seq(toy.objective.source_tokenizer, toy.objective.target_tokenizer, **{"max_len": 5} | changes)


def test_the_decoder_reads_what_it_said_a_step_before(toy):
    batch = objective(toy).collate(EXAMPLES)
    source, decoder_input = batch.inputs
    assert source.tolist() == [[4, 5, 6], [9, PAD, PAD]]
    assert decoder_input.tolist() == [[BOS, 7, 8, PAD], [BOS, 10, 11, 4]]
    assert batch.labels.tolist() == [[7, 8, EOS, IGNORED], [10, 11, 4, EOS]]
    assert batch.n_tokens == 7


def test_a_source_may_be_reversed_and_keeps_its_padding_at_the_end(toy):
    batch = objective(toy, reverse_source=True).collate(EXAMPLES)
    assert batch.inputs[0].tolist() == [[6, 5, 4], [9, PAD, PAD]]
    plain = objective(toy).collate(EXAMPLES)
    assert torch.equal(batch.labels, plain.labels)
    assert torch.equal(batch.inputs[1], plain.inputs[1])


def test_loss_by_hand(toy):
    batch, logits = objective(toy).collate(EXAMPLES), torch.randn(2, 4, 12)
    log_probs = logits.log_softmax(-1)
    said = [(0, 0, 7), (0, 1, 8), (0, 2, EOS), (1, 0, 10), (1, 1, 11), (1, 2, 4), (1, 3, EOS)]
    torch.testing.assert_close(objective(toy).loss(logits, batch.labels), -sum(log_probs[at] for at in said))
    logits[0, 3] += torch.randn(12)  # at padding
    torch.testing.assert_close(objective(toy).loss(logits, batch.labels), -sum(log_probs[at] for at in said))


def test_label_smoothing_mixes_in_the_whole_vocabulary(toy):
    batch, logits = objective(toy).collate(EXAMPLES), torch.randn(2, 4, 12)
    plain = objective(toy).loss(logits, batch.labels)
    everything = -logits.log_softmax(-1).mean(-1)[batch.labels != IGNORED].sum()
    smoothed = objective(toy, label_smoothing=0.1).loss(logits, batch.labels)
    torch.testing.assert_close(smoothed, 0.9 * plain + 0.1 * everything)


def test_texts_become_ids(toy):
    source, target = toy.objective.source_tokenizer, toy.objective.target_tokenizer
    expected = [(source.encode("ein hund"), target.encode("a dog runs"))]
    assert objective(toy).encode(["ein hund"], ["a dog runs"]) == expected
    assert objective(toy).encode_sources(["ein hund"]) == [expected[0][0]]


def test_lengths_count_eos(toy):
    batch = objective(toy).collate(EXAMPLES[:1])
    assert objective(toy).lengths(EXAMPLES[0]) == (batch.labels.shape[1], batch.inputs[0].shape[1])


def test_the_longest_that_fits_and_what_does_not(toy):
    fits = objective(toy).encode(["hund " * 5], ["dog " * 4])
    assert objective(toy).collate(fits).inputs[1].shape[1] == 5
    with pytest.raises(ValueError, match=r"'hund hund .* is 6 tokens long: it must have 1 to 5"):
        objective(toy).encode(["hund " * 6], ["dog"])
    with pytest.raises(ValueError, match=r"'dog dog .* is 5 tokens long: it must have 1 to 4"):
        objective(toy).encode(["hund"], ["dog " * 5])
    for source, target in (("", "dog"), ("hund", " ")):
        with pytest.raises(ValueError, match="is 0 tokens long"):
            objective(toy).encode(["hund", source], ["dog", target])


def test_as_many_targets_as_sources(toy):
    with pytest.raises(ValueError, match="argument"):
        objective(toy).encode(["hund", "ein"], ["dog"])
