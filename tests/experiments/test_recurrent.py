"""Measures on systems whose answers are known, and the sweeps' own models."""

import pytest
import torch
from benchmarks.sweeps import recurrent as sweeps
from benchmarks.sweeps.input_feeding import InputFeeding
from torch import nn

from seqbook.experiments import recurrent
from seqbook.metrics import mean_nll
from seqbook.models.rnn import RNNConfig, RNNSeq2Seq
from seqbook.runs import Run

EDGES = (2, 4, 7)
SIZES = {"source_vocab_size": 12, "target_vocab_size": 12, "d_model": 16, "max_len": 12}


class RightIfShort(Run):
    """Translates sentences of fewer than four words."""

    def generate(self, texts, **how):
        known = dict(zip(self.splits["test"]["de"][:], self.splits["test"]["en"][:], strict=True))
        return [known[text] if len(text.split()) < 4 else "" for text in texts]


class Reverser(nn.Module):
    """Predicts target word i from source word n − 1 − i, and from nothing else. Its vocabularies have the same order."""

    def __init__(self, certain=20.0):
        super().__init__()
        self.certain = nn.Parameter(torch.tensor(certain))

    def forward(self, source_ids, target_ids):
        logits = torch.zeros(*target_ids.shape, 12)
        for row, n in enumerate((source_ids > 0).sum(1).tolist()):
            for i in range(n):
                logits[row, i, source_ids[row, n - 1 - i]] = self.certain
        return logits


# ---- By length


def test_scores_by_length_are_those_of_the_sentences_in_each_bin(make_run):
    run = make_run(kind=RightIfShort)
    table = recurrent.by_length(run, EDGES)
    examples = run.examples("test")
    bins = [[e for e in examples if low <= len(e[0]) < high] for low, high in ((2, 4), (4, 7))]
    assert table["sentences"].tolist() == [len(inside) for inside in bins]
    assert table["exact_match"].tolist() == [1.0, 0.0]
    for row, inside in zip(table.to_dict("records"), bins, strict=True):
        assert row["source_tokens"] == pytest.approx(sum(len(x) for x, _ in inside) / len(inside))
        assert row["nll"] == pytest.approx(mean_nll(run.model, run.objective, inside))


def test_the_first_tokens_are_counted_at_the_same_positions_in_all_sentences(make_run):
    run = make_run()
    losses = recurrent.token_nll(run)
    (long,) = recurrent.by_length(run, (4, 7), first=2).to_dict("records")
    first = torch.cat([loss[:2] for loss in losses if len(loss) > 4])
    assert long["first_nll"] == pytest.approx(first.mean().item())
    (every,) = recurrent.by_length(run, (2, 7), first=99).to_dict("records")
    assert every["first_nll"] == pytest.approx(every["nll"])


def test_what_can_be_guessed_without_the_source_comes_from_positions_in_training(make_run):
    run = make_run()
    eos, counts = run.objective.target_tokenizer.eos_id, torch.ones(2, 12)
    for _, y in run.examples("train"):
        counts[0, y[0]] += 1
        counts[1, [*y, eos][1]] += 1
    log_p = (counts / counts.sum(-1, keepdim=True)).log()
    expected = [-(log_p[0, y[0]] + log_p[1, [*y, eos][1]]) / 2 for _, y in run.examples("test")]
    (row,) = recurrent.by_length(run, (2, 7), first=2).to_dict("records")
    assert row["first_nll_without_source"] == pytest.approx(torch.stack(expected).mean().item())


def test_token_losses_stand_in_the_order_of_the_sentences(make_run):
    run = make_run(dropout=0.5)  # which is off
    for (x, y), loss in list(zip(run.examples("test"), recurrent.token_nll(run), strict=True))[:5]:
        assert loss.shape == (len(y) + 1,)
        assert loss.mean().item() == pytest.approx(mean_nll(run.model, run.objective, [(x, y)]), rel=1e-4)


def test_an_empty_bin_is_named(make_run):
    with pytest.raises(ValueError, match="no source has 7 to 9 tokens: choose other edges"):
        recurrent.by_length(make_run(), (2, 7, 10))


def test_sentences_are_chosen_by_their_length(make_run):
    run = make_run()
    chosen = recurrent.sentences_between(run, 3, 4, 5)
    assert [3 <= len(text.split()) <= 4 for text in chosen["de"]] == [True] * 5
    assert chosen["de"][0] == next(text for text in run.splits["test"]["de"] if 3 <= len(text.split()) <= 4)


def test_seeds_are_summed_up_in_each_bin():
    rows = [
        {"by_length": [{"source_tokens": 5.5, "nll": a}, {"source_tokens": 12.0, "nll": b}]}
        for a, b in ((0.1, 1.0), (0.3, 4.0), (0.2, 1.0))
    ]
    table = recurrent.over_seeds(rows, "nll")
    assert table.index.tolist() == [5.5, 12.0]
    assert table.loc[5.5].tolist() == pytest.approx([0.2, 0.1, 0.3])
    assert table.loc[12.0].tolist() == [2.0, 1.0, 4.0]


# ---- Influence


@pytest.mark.parametrize("reverse_source", [False, True])
def test_a_word_influences_the_one_output_that_is_made_of_it(make_run, reverse_source):
    run = make_run(Reverser(), reverse_source=reverse_source)
    rows = run.splits["test"].select(range(8))
    for changes, text in zip(recurrent.influence(run, rows), rows["de"], strict=True):
        n = len(text.split())
        assert changes.shape == (n + 1, n)
        expected = torch.cat([torch.eye(n) if reverse_source else torch.eye(n).flip(1), torch.zeros(1, n)])
        torch.testing.assert_close(changes, expected, atol=1e-4, rtol=0)


def test_the_ratio_of_influence_is_that_of_the_two_means(make_run):
    run = make_run()
    rows = run.splits["test"].select(range(8))
    found = recurrent.influence_on_translations(run, rows)
    own, others = [], []
    for changes, links in zip(recurrent.influence(run, rows), rows["alignment"], strict=True):
        for j, row in enumerate(changes.tolist()):
            for i, change in enumerate(row):
                (own if [i, j] in links else others).append(change)
    assert found["on_own"] == pytest.approx(sum(own) / len(own))
    assert found["on_others"] == pytest.approx(sum(others) / len(others))
    assert found["ratio"] == pytest.approx(found["on_own"] / found["on_others"])
    assert recurrent.influence_on_translations(make_run(Reverser(3.0)), rows)["ratio"] == torch.inf


def test_a_word_is_never_replaced_by_itself_or_by_a_special_token(make_run):
    seen = []

    class Watcher(Reverser):
        def forward(self, source_ids, target_ids):
            seen.append(source_ids)
            return super().forward(source_ids, target_ids)

    run = make_run(Watcher())
    recurrent.influence(run, run.splits["test"])
    original, *changed = seen
    for j, ids in enumerate(changed):
        real = original[:, j] > 0
        assert (ids[real, j] != original[real, j]).all()
        assert ids[real, j].min() == 4
        assert ids[real, j].max() == 11
        assert torch.equal(ids[~real], original[~real])
        others = torch.arange(ids.shape[1]) != j
        assert torch.equal(ids[:, others], original[:, others])


# ---- Gradients


def test_the_gradient_of_a_plain_rnn_shrinks_by_its_matrix_at_each_step():
    network = nn.RNN(3, 3, batch_first=True)
    for name, parameter in network.named_parameters():
        scale = {"weight_hh_l0": 0.5, "weight_ih_l0": 2.0}.get(name)
        parameter.data.copy_(torch.zeros_like(parameter) if scale is None else scale * torch.eye(3))
    found = recurrent.gradient_by_distance(network, 1e-4 * torch.randn(5, 6, 3))
    assert found == pytest.approx([2 * 0.5**k for k in range(6)], rel=1e-3)


def test_an_open_forget_gate_lets_the_gradient_through():
    closed, opened = nn.LSTM(8, 8, batch_first=True), nn.LSTM(8, 8, batch_first=True)
    opened.load_state_dict(closed.state_dict())
    opened.bias_ih_l0.data[8:16] = 10.0
    x = torch.randn(4, 20, 8)
    (first, *_, last), (first_open, *_, last_open) = (recurrent.gradient_by_distance(n, x) for n in (closed, opened))
    assert last / first < 1e-3 < 0.05 < last_open / first_open


def test_the_encoders_gradient_is_measured_over_long_sources(make_run):
    run = make_run()
    found = recurrent.encoder_gradient(run, length=5)
    sources = torch.tensor([x[:5] for x, _ in run.examples("test") if len(x) >= 5])
    x = run.model.encoder.embedding(sources)
    assert found == recurrent.gradient_by_distance(run.model.encoder.layers[0][0], x)
    with pytest.raises(ValueError, match="no source of the test split has 99 tokens"):
        recurrent.encoder_gradient(run, length=99)


# ---- The sweeps' own models

SOURCE = torch.tensor([[5, 6, 7, 8], [9, 4, 0, 0], [11, 0, 0, 0]])
TARGET = torch.tensor([[1, 5, 6, 7, 8], [1, 9, 4, 5, 10], [1, 9, 9, 4, 4]])


def with_feeding(n_layers=1):
    model = InputFeeding(RNNConfig(**SIZES, context="dot", bidirectional=True, n_layers=n_layers))
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model


@pytest.mark.parametrize("n_layers", [1, 2])
def test_without_weights_for_what_is_fed_the_model_is_the_one_without_feeding(n_layers):
    fed = with_feeding(n_layers)
    plain = RNNSeq2Seq(fed.config)
    weights = fed.state_dict()
    read = weights["decoder.weight_ih_l0"]
    plain.load_state_dict(weights | {"decoder.weight_ih_l0": read[:, :16].clone()})
    assert not torch.allclose(fed(SOURCE, TARGET), plain(SOURCE, TARGET), atol=1e-2)
    read[:, 16:] = 0
    torch.testing.assert_close(fed(SOURCE, TARGET), plain(SOURCE, TARGET))


def test_what_is_fed_is_the_vector_of_the_step_before():
    """The logits of the second step, by hand."""
    fed = with_feeding()
    state = fed.encode(SOURCE)
    h, c = state.hidden[:, :1].transpose(0, 1), state.cell.transpose(0, 1)
    z = torch.zeros(3, 16)
    for y in fed.embedding(TARGET).unbind(1)[:2]:
        s, (h, c) = fed.decoder(torch.cat([y, z], dim=-1)[:, None], (h, c))
        context = fed.attention(s, state.memory, state.memory_mask)
        z = fed.combine(torch.cat([s, context], dim=-1)).tanh()[:, 0]
    torch.testing.assert_close(fed.out(z), fed(SOURCE, TARGET)[:, 1])


@pytest.mark.parametrize("n_layers", [1, 2])
def test_cached_equals_uncached_with_input_feeding(n_layers):
    fed = with_feeding(n_layers)
    for split in range(1, 5):
        logits, state = fed.prefill(SOURCE, TARGET[:, :split])
        rows = torch.tensor([2, 0, 1])
        state, found = state.select(rows), [logits[rows]]
        for token_ids in TARGET[rows, split:].unbind(1):
            logits, state = fed.decode(token_ids, state)
            found.append(logits)
        torch.testing.assert_close(torch.stack(found, dim=1), fed(SOURCE, TARGET)[rows][:, split - 1 :])


def test_a_plain_encoder_reads_with_the_equation_of_its_docstring():
    model = sweeps.with_plain_encoder(RNNSeq2Seq(RNNConfig(**SIZES)))
    network, h = model.encoder.layers[0][0], torch.zeros(1, 16)
    for x in model.encoder.embedding(SOURCE[:1]).unbind(1):
        h = (x @ network.weight_ih_l0.T + h @ network.weight_hh_l0.T + network.bias_ih_l0 + network.bias_hh_l0).tanh()
    torch.testing.assert_close(model.encode(SOURCE[:1]).summary, h)


# ---- The sweeps

TINY = {"size": 60, "steps": 2, "warmup": 1, "evaluations": 2, "d_model": 16}


@pytest.mark.slow
@pytest.mark.parametrize("feeding", [False, True])
def test_a_row_of_input_feeding(feeding):
    row = sweeps.input_feeding(seed=0, feeding=feeding, **TINY)
    assert len(row["by_length"]) == 5
    assert len(row["val_losses"]) == 2
    assert row.keys() >= {"params", "seconds", "exact_match", "loss", "bleu", "influence"}
    assert row["alignment"].keys() == {"attention", "diagonal", "random", "best"}


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["LSTM", "RNN"])
def test_a_row_of_gradients(cell):
    row = sweeps.gradients(seed=0, cell=cell, learning_rate=6e-3, **TINY)
    assert len(row["gradient_before"]) == len(row["gradient_after"]) == 20
    assert row["gradient_before"] != row["gradient_after"]
    assert row["gradient_before"][-1] < row["gradient_before"][0]
