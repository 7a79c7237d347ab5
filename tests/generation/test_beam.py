import itertools
import math

import pytest
import torch

from seqbook.generation.beam import beam, cost
from seqbook.generation.decoding import greedy
from seqbook.generation.likelihood import log_likelihood

BOS, EOS = 1, 2
VARIANTS = {
    "RNNSeq2Seq": [{}, {"bidirectional": True, "n_layers": 2}],
    "Transformer": [{}, {"norm": "post", "n_layers": 2, "positions": "learned"}],
}

every_architecture = pytest.mark.parametrize("architecture", VARIANTS)


@every_architecture
@pytest.mark.parametrize("seed", range(8))
def test_one_beam_is_greedy(architecture, seed, random_model, given):
    model, options = (
        random_model(architecture, seed, **VARIANTS[architecture][seed % 2]),
        {"max_new": 15, "stop": [EOS]},
    )
    found = beam(model, given, **options, beams=1)
    assert [hypotheses[0].ids for hypotheses in found] == greedy(model, given, **options)


def every_ending(model, source, max_new, stop, length_penalty):
    """All hypotheses of at most max_new tokens and their scores, by forward passes over each of them, best first."""
    vocab = [i for i in range(model.config.target_vocab_size) if i not in stop]
    found = []
    for n in range(max_new + 1):
        every = list(itertools.product(vocab, repeat=n))
        for end in [[i] for i in stop] if n < max_new else [[]]:
            written = torch.tensor([[*ids, *end] for ids in every])
            begun = torch.tensor([[BOS, *ids][: written.shape[1]] for ids in every])
            log_probs = model(source.expand(len(every), -1), begun).log_softmax(-1)
            total = log_probs.gather(2, written[:, :, None]).sum((1, 2)) / written.shape[1] ** length_penalty
            found += zip(every, total.tolist(), strict=True)
    return sorted(found, key=lambda hypothesis: -hypothesis[1])


@every_architecture
@pytest.mark.parametrize(
    ("stop", "length_penalty"), [([EOS], 0.0), ([EOS], 0.6), ([EOS], 1.0), ([EOS, 4], 0.6), ([], 0.6)]
)
def test_a_wide_beam_finds_what_brute_force_finds(architecture, stop, length_penalty, random_model, given):
    model = random_model(architecture, 5, target_vocab_size=5)
    with torch.no_grad():
        found = beam(model, given, max_new=3, stop=stop, beams=130, length_penalty=length_penalty)
        for source, hypotheses in zip(given[0], found, strict=True):
            expected = every_ending(model, source, 3, stop, length_penalty)
            assert len(hypotheses) == len(expected) == [5**3, 1 + 4 + 16 + 64, 2 * (1 + 3 + 9) + 27][len(stop)]
            assert [tuple(h.ids) for h in hypotheses[:10]] == [ids for ids, _ in expected[:10]]
            scores = torch.tensor([h.score for h in hypotheses])
            torch.testing.assert_close(scores, torch.tensor([score for _, score in expected]))


@every_architecture
@pytest.mark.parametrize("beams", [2, 3, 5])
def test_a_narrow_beam_reports_true_scores_best_first(architecture, beams, random_model, given):
    model = random_model(architecture, 6, target_vocab_size=7)
    found = beam(model, given, max_new=6, stop=[EOS], beams=beams, length_penalty=0.6)
    for source, hypotheses in zip(given[0], found, strict=True):
        assert len(hypotheses) == beams
        assert len({tuple(h.ids) for h in hypotheses}) == beams
        assert [h.score for h in hypotheses] == sorted((h.score for h in hypotheses), reverse=True)
        for ids, score in hypotheses:
            log_probs = model(source[None], torch.tensor([[BOS, *ids]])).log_softmax(-1)[0]
            written = ids if len(ids) == 6 else [*ids, EOS]
            true = sum(log_probs[t, i].item() for t, i in enumerate(written)) / len(written) ** 0.6
            assert score == pytest.approx(true, abs=1e-4)


@pytest.mark.parametrize("padding", [[0, 0], [0, 2]], ids=str)
def test_a_beam_continues_the_prompts_of_a_decoder(padding, random_model):
    model, ids = random_model("GPT", 1).eval(), torch.tensor([[5, 6, 7], [9, 4, 3]])
    found = beam(model, (ids, torch.tensor(padding)), max_new=6, stop=[EOS], beams=3)
    for row, n, hypotheses in zip(ids.tolist(), padding, found, strict=True):
        for new, score in hypotheses:
            ending = new if len(new) == 6 else [*new, EOS]
            (expected,) = log_likelihood(model, [row[n:]], [ending])
            assert score == pytest.approx(expected / len(ending), abs=1e-4)


def test_no_beams(random_model, given):
    with pytest.raises(ValueError, match="beams=0 must"):
        beam(random_model("RNNSeq2Seq", 0), given, max_new=5, stop=[EOS], beams=0)


@pytest.fixture
def network(table):
    """A network from a list of rows: P(next token | the last one)."""
    return lambda rows: table(len(rows[0]), {last: dict(enumerate(row)) for last, row in enumerate(rows)})


class Nothing:
    def select(self, rows):
        return self


def test_four_beams_unless_told_otherwise(network):
    rows = [[1.0, 0.0, 0.0], [0.2, 0.5, 0.3], [0.2, 0.2, 0.6]]
    (found,) = beam(network(rows), (torch.tensor([[1]]),), max_new=4, stop=[0])
    assert len(found) == 4


def test_a_better_sequence_that_has_not_ended_is_waited_for(network):
    """Two hypotheses end at once, at −1.2 and −1.3 nats a token. A third needs six tokens, at −0.36 nats each."""
    #        end   a     b     c
    rows = [[1.0, 0.0, 0.0, 0.0], [0.3, 0.0, 0.27, 0.43], [0.99, 0.01, 0.0, 0.0], [0.1, 0.0, 0.0, 0.9]]
    (found,) = beam(network(rows), (torch.tensor([[1]]),), max_new=30, stop=[0], beams=2)
    every = {(): 0.3, (2,): 0.27 * 0.99} | {(3,) * n: 0.43 * 0.9 ** (n - 1) * 0.1 for n in range(1, 30)}
    every |= {(3,) * 30: 0.43 * 0.9**29}
    scores = {ids: torch.tensor(p).log().item() / min(30, len(ids) + 1) for ids, p in every.items()}
    best = sorted(scores, key=scores.get, reverse=True)[:2]
    assert [tuple(h.ids) for h in found] == best
    assert [h.score for h in found] == pytest.approx([scores[ids] for ids in best])


def test_with_a_negative_penalty_an_open_sequence_counts_as_it_is_at_the_end(network):
    """Two sequences of two tokens: one ends with them, at log 0.2, and the other is cut off, at log 0.3."""
    rows = [[1.0, 0.0, 0.0], [0.5, 0.0, 0.5], [0.4, 0.0, 0.6]]
    (found,) = beam(network(rows), (torch.tensor([[1]]),), max_new=2, stop=[0], beams=2, length_penalty=-1.0)
    assert [h.ids for h in found] == [[], [2, 2]]
    assert [h.score for h in found] == pytest.approx([math.log(0.5), 2 * math.log(0.3)])


def test_more_beams_than_the_vocabulary_has_tokens(network):
    model = network([[0.6, 0.2, 0.2]] * 3)  # each of the eight sequences of three tokens would rather end
    (found,) = beam(model, (torch.tensor([[1]]),), max_new=4, stop=[0], beams=8, length_penalty=5.0)
    assert {tuple(h.ids) for h in found} == set(itertools.product([1, 2], repeat=3))


@pytest.mark.parametrize("length_penalty", [math.nan, math.inf, -math.inf])
def test_a_length_penalty_that_is_no_number(network, length_penalty):
    with pytest.raises(ValueError, match=r"length_penalty=\S+ must be finite"):
        beam(network([[1.0]]), (torch.tensor([[0]]),), max_new=2, stop=[0], length_penalty=length_penalty)


@pytest.mark.parametrize("length_penalty", [1_000.0, -1_000.0, 0.0])
def test_no_length_penalty_overflows(network, length_penalty):
    rows = [[1.0, 0.0, 0.0], [0.2, 0.5, 0.3], [0.2, 0.2, 0.6]]
    (found,) = beam(network(rows), (torch.tensor([[1]]),), max_new=8, stop=[0], beams=3, length_penalty=length_penalty)
    lengths, scores = [len(h.ids) for h in found], [h.score for h in found]
    assert lengths == sorted(lengths, reverse=length_penalty > 0)
    assert scores == sorted(scores, reverse=True)
    assert (scores[-1] == -math.inf) == (length_penalty < -900)
    assert all(h.score <= 0 for h in found)


class Tables(torch.nn.Module):
    """P(next token | the last one) from another table at each step: no two sequences are equally probable."""

    def __init__(self, tables):
        super().__init__()
        self.log_probs = torch.nn.Parameter(tables.log())

    def prefill(self, ids):
        return self.log_probs[0, ids[:, -1]], Step()

    def decode(self, tokens, state):
        state.step += 1
        return self.log_probs[state.step, tokens], state


class Step(Nothing):
    step = 0


def never_stopping(tables, beams, length_penalty):
    """Beam search by hand that goes on to the last step: (cost, ids) of the best hypotheses."""
    open_ones, ended = [(0.0, [1])], []
    for length, table in enumerate(tables.log().tolist(), 1):
        nexts = [(score + p, [*ids, token]) for score, ids in open_ones for token, p in enumerate(table[ids[-1]])]
        nexts = sorted(nexts, reverse=True)
        ended += [(cost(score, length, length_penalty), ids[1:-1]) for score, ids in nexts[:beams] if ids[-1] == 0]
        open_ones = [(score, ids) for score, ids in nexts if ids[-1] != 0][:beams]
    ended += [(cost(score, len(tables), length_penalty), ids[1:]) for score, ids in open_ones]
    return sorted(ended)[:beams]


@pytest.mark.parametrize("beams", [2, 3, 4])
@pytest.mark.parametrize("length_penalty", [-1.5, -0.5, 0.0, 0.7, 2.0])
def test_a_search_that_stops_early_finds_what_one_finds_that_never_does(beams, length_penalty):
    for seed in range(60):
        generator = torch.Generator().manual_seed(seed)
        tables = (3 * torch.randn(7, 5, 5, generator=generator)).softmax(-1)
        given = (torch.tensor([[1]]),)
        (found,) = beam(Tables(tables), given, max_new=7, stop=[0], beams=beams, length_penalty=length_penalty)
        expected = never_stopping(tables, beams, length_penalty)
        assert [h.ids for h in found] == [ids for _, ids in expected]
        assert [h.score for h in found] == pytest.approx([-math.exp(c) for c, _ in expected], rel=1e-3)


def test_what_is_certain_costs_least(network):
    assert cost(0.0, 3, 1.0) == -math.inf < cost(-1e-9, 1, 1.0)
    (found,) = beam(network([[1.0, 0.0], [0.0, 1.0]]), (torch.tensor([[1]]),), max_new=3, stop=[0], beams=1)
    assert found == [([1, 1, 1], 0.0)]
