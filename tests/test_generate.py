import itertools
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from seqbook.generate import beam, greedy, sample, translate
from seqbook.models import ARCHITECTURES
from seqbook.tokenizer import BOS, EOS

SOURCE = torch.tensor([[3, 4, 5, 2], [5, 3, 0, 0], [4, 0, 0, 0]])


SIZES = {
    "RNNSeq2Seq": {"d_model": 8, "context": "dot"},
    "Transformer": {"d_model": 8, "n_layers": 1, "n_heads": 2, "d_ff": 16},
}
VARIANTS = {
    "RNNSeq2Seq": [{}, {"bidirectional": True, "n_layers": 2}],
    "Transformer": [{}, {"norm": "after", "n_layers": 2, "positions": "learned"}],
}
every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)


def random_model(architecture, seed, source_vocab_size=6, target_vocab_size=12, **changes):
    """Untrained, but with strong opinions, so that ties and near-ties are rare."""
    torch.manual_seed(seed)
    model, config = ARCHITECTURES[architecture]
    vocabularies = {"source_vocab_size": source_vocab_size, "target_vocab_size": target_vocab_size}
    model = model(config(**vocabularies | SIZES[architecture] | changes))
    if architecture == "RNNSeq2Seq":
        nn.init.normal_(model.out.weight, std=3.0)
        nn.init.normal_(model.embedding.weight, std=2.0)
        nn.init.normal_(model.encoder.embedding.weight, std=2.0)
    else:
        for name, parameter in model.named_parameters():
            if name.endswith("norm.weight"):  # of both signs: a token, scored by its own vector, would follow itself
                nn.init.normal_(parameter, std=3.0)
            elif parameter.dim() > 1 and "embedding" not in name:
                nn.init.normal_(parameter)
    return model


@every_architecture
@pytest.mark.parametrize("seed", range(8))
def test_one_beam_is_greedy(architecture, seed):
    model = random_model(architecture, seed, **VARIANTS[architecture][seed % 2])
    found = beam(model, SOURCE, 15, beams=1)
    assert [hypotheses[0].ids for hypotheses in found] == greedy(model, SOURCE, 15)


@every_architecture
def test_greedy_takes_the_likeliest_until_eos(architecture):
    model = random_model(architecture, 3)
    for source, ids in zip(SOURCE, greedy(model, SOURCE, 15), strict=True):
        logits = model(source[None], torch.tensor([[BOS, *ids]]))[0]
        written = [*ids, EOS] if len(ids) < 15 else ids
        assert logits.argmax(-1)[: len(written)].tolist() == written
        assert EOS not in ids


def every_ending(model, source, max_len, length_penalty):
    """All hypotheses of at most max_len tokens and their scores, by forward passes over each of them."""
    vocab = [i for i in range(model.config.target_vocab_size) if i != EOS]
    scores = {}
    for n in range(max_len + 1):
        every = list(itertools.product(vocab, repeat=n))
        written = torch.tensor([[*ids, EOS][:max_len] for ids in every])
        begun = torch.tensor([[BOS, *ids][: written.shape[1]] for ids in every])
        log_probs = model(source.expand(len(every), -1), begun).log_softmax(-1)
        total = log_probs.gather(2, written[:, :, None]).sum((1, 2)) / written.shape[1] ** length_penalty
        scores |= dict(zip(every, total.tolist(), strict=True))
    return sorted(scores.items(), key=lambda item: -item[1])


@every_architecture
@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 1.0])
def test_a_wide_beam_finds_what_brute_force_finds(architecture, length_penalty):
    model = random_model(architecture, 5, target_vocab_size=5)
    with torch.no_grad():
        found = beam(model, SOURCE, 3, beams=100, length_penalty=length_penalty)
        for source, hypotheses in zip(SOURCE, found, strict=True):
            expected = every_ending(model, source, 3, length_penalty)
            assert len(hypotheses) == len(expected) == 1 + 4 + 16 + 64
            assert [tuple(h.ids) for h in hypotheses[:10]] == [ids for ids, _ in expected[:10]]
            scores = torch.tensor([h.score for h in hypotheses])
            torch.testing.assert_close(scores, torch.tensor([score for _, score in expected]))


@every_architecture
@pytest.mark.parametrize("beams", [2, 3, 5])
def test_a_narrow_beam_reports_true_scores_best_first(architecture, beams):
    model = random_model(architecture, 6, target_vocab_size=7)
    found = beam(model, SOURCE, 6, beams=beams, length_penalty=0.6)
    for source, hypotheses in zip(SOURCE, found, strict=True):
        assert len(hypotheses) == beams
        assert len({tuple(h.ids) for h in hypotheses}) == beams
        assert [h.score for h in hypotheses] == sorted((h.score for h in hypotheses), reverse=True)
        for ids, score in hypotheses:
            log_probs = model(source[None], torch.tensor([[BOS, *ids]])).log_softmax(-1)[0]
            endings = [ids] if len(ids) == 6 else [[*ids, EOS]]
            true = [sum(log_probs[t, i].item() for t, i in enumerate(y)) / len(y) ** 0.6 for y in endings]
            assert score == pytest.approx(true[0], abs=1e-4)


@every_architecture
@pytest.mark.parametrize("how", [greedy, lambda *a: beam(*a, beams=3)], ids=["greedy", "beam"])
def test_a_row_does_not_depend_on_its_batch(architecture, how):
    model = random_model(architecture, 7)
    together = how(model, SOURCE, 12)
    for row in range(3):
        (alone,) = how(model, SOURCE[row : row + 1, : int((SOURCE[row] != 0).sum())], 12)
        if how is greedy:
            assert alone == together[row]
        else:
            assert [h.ids for h in alone] == [h.ids for h in together[row]]


class Memory(NamedTuple):
    rows: Tensor


class Fixed(nn.Module):
    """The same logits at every step."""

    def __init__(self, logits):
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))

    def start(self, source_ids):
        return Memory(source_ids)

    def step(self, token_ids, state):
        return self.logits.expand(len(token_ids), -1), state


def test_sampling_follows_the_softmax():
    model, temperature = Fixed([0.0, -1.0, 0.5, 1.0, 2.0]), 1.5
    generator = torch.Generator().manual_seed(0)
    written = sample(model, torch.ones(40_000, 1).long(), 1, temperature=temperature, generator=generator)
    counts = torch.bincount(torch.tensor([row[0] if row else EOS for row in written]), minlength=5)
    expected = (model.logits.detach() / temperature).softmax(-1)
    torch.testing.assert_close(counts / 40_000, expected, rtol=0, atol=0.01)


@every_architecture
def test_sampling_is_reproducible(architecture):
    model = random_model(architecture, 2)
    draw = [sample(model, SOURCE, 12, generator=torch.Generator().manual_seed(seed)) for seed in (4, 4, 5)]
    assert draw[0] == draw[1]
    assert draw[0] != draw[2]


@every_architecture
def test_sampling_approaches_greedy(architecture):
    model = random_model(architecture, 2)
    assert sample(model, SOURCE, 12, temperature=1e-3) == greedy(model, SOURCE, 12)
    assert sample(model, SOURCE, 12, temperature=5.0) != greedy(model, SOURCE, 12)


@every_architecture
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("how", [greedy, beam, sample])
def test_dropout_is_off_and_the_mode_is_as_before(architecture, how, training):
    model = random_model(architecture, 1, dropout=0.5).train(training)
    torch.manual_seed(0)
    first = how(model, SOURCE, 10)
    assert model.training is training
    assert all(module.training is training for module in model.modules())
    torch.manual_seed(0)
    assert how(model.eval(), SOURCE, 10) == first


@every_architecture
def test_the_mode_is_as_before_after_an_error(architecture):
    model = random_model(architecture, 1).train()
    with pytest.raises(ValueError, match="id 99"):
        greedy(model, torch.tensor([[99]]), 5)
    assert model.training


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_bad_temperature(temperature):
    with pytest.raises(ValueError, match=f"temperature={temperature} must"):
        sample(random_model("RNNSeq2Seq", 0), SOURCE, 5, temperature=temperature)


@pytest.mark.parametrize("how", [greedy, beam, sample])
def test_a_bad_max_len(how):
    with pytest.raises(ValueError, match="max_len=0 must"):
        how(random_model("RNNSeq2Seq", 0), SOURCE, 0)


def test_no_beams():
    with pytest.raises(ValueError, match="beams=0 must"):
        beam(random_model("RNNSeq2Seq", 0), SOURCE, 5, beams=0)


@every_architecture
@pytest.mark.parametrize("beams", [1, 3])
def test_translations_come_in_the_order_of_the_texts(architecture, toy, pairs, beams):
    model = random_model(architecture, 1, source_vocab_size=12, max_len=12)
    texts = [row["de"] for row in pairs[:30]]
    one_by_one = [translate(model, toy.objective, [text], beams=beams)[0] for text in texts]
    assert translate(model, toy.objective, texts, beams=beams, batch_size=7) == one_by_one
    assert len(set(one_by_one)) > 1


def test_a_text_that_can_not_be_translated_is_named(toy):
    with pytest.raises(ValueError, match=r"'ein ein .* is 13 tokens long: it must have 1 to 12"):
        translate(toy.model(), toy.objective, ["hund", "ein " * 13])
    with pytest.raises(ValueError, match="'' is 0 tokens long"):
        translate(toy.model(), toy.objective, ["hund", ""])
