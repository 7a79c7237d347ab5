"""Against brute force: a network so small that every way to fill its masks can be tried."""

import itertools

import pytest
import torch

from seqbook.generation.infilling import MOST_PROBABLE, fill_at_once, fill_one_by_one, fill_repeatedly, probabilities
from seqbook.generation.sampling import sampler
from seqbook.models.bert import BERTConfig

PAD, SPECIAL, MASK, VOCAB = 0, 1, 4, 7
WORDS = [2, 3, 5, 6]  # whatever is neither padding nor special


@pytest.fixture(params=["masked", "pretraining"])
def model(request):
    """Untrained, with probabilities that are far from equal and depend strongly on the other tokens."""
    torch.manual_seed(2)
    built = BERTConfig(vocab_size=VOCAB, d_model=16, n_layers=2, n_heads=2, max_len=8, outputs=request.param).build()
    for parameter in built.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.6)
    return built.train()  # filling is done in eval mode, whatever the mode is


@pytest.fixture
def ids():
    return torch.tensor([[1, 2, MASK, 3, MASK, 1], [1, MASK, 5, 1, PAD, PAD], [1, MASK, MASK, MASK, 6, 1]])


def at(model, row, position):
    """P(word | the other tokens of this row) by the head at all positions, for one row alone."""
    row = torch.tensor([[i for i in row if i != PAD]])
    with torch.no_grad():
        outputs = model(row, torch.ones_like(row, dtype=torch.bool))
    logits = (outputs if isinstance(outputs, torch.Tensor) else outputs.tokens)[position]
    return dict(zip(WORDS, logits[WORDS].softmax(-1).tolist(), strict=True))


def masks(row):
    return [position for position, i in enumerate(row) if i == MASK]


def likeliest(found):
    return max(found, key=found.get)


def test_probabilities_at_the_masks_alone_and_of_words_alone(model, ids):
    found = probabilities(model, ids, MASK, [PAD, SPECIAL])
    expected = [at(model, row, position) for row in ids.tolist() for position in masks(row)]
    assert found.shape == (6, VOCAB)
    torch.testing.assert_close(found[:, WORDS], torch.tensor([list(row.values()) for row in expected]))
    assert found[:, [PAD, SPECIAL, MASK]].sum() == 0


def test_a_special_token_is_never_filled_in(model, ids):
    open_to_all = sampler(temperature=50.0, generator=torch.Generator().manual_seed(0))  # so that all are drawn
    many = ids.repeat(50, 1)
    for fill, how in ((fill_at_once, {}), (fill_one_by_one, {}), (fill_repeatedly, {"sweeps": 1})):
        filled = fill(model, many, MASK, open_to_all, [PAD, SPECIAL], **how)
        assert set(filled[many == MASK].tolist()) == set(WORDS)
        assert torch.equal(filled[many != MASK], many[many != MASK])
        assert (many == MASK).any()  # what was given is not changed


def test_at_once_is_the_likeliest_word_of_each_mask(model, ids):
    filled = fill_at_once(model, ids, MASK, excluded=[PAD, SPECIAL])
    for row, result in zip(ids.tolist(), filled.tolist(), strict=True):
        assert [result[p] for p in masks(row)] == [likeliest(at(model, row, p)) for p in masks(row)]


@pytest.mark.parametrize("order", ["left to right", "surest first"])
def test_one_by_one_reads_what_was_filled_in_before(model, ids, order):
    every = torch.tensor([[1, *words, 1] for words in itertools.product([2, 4, MASK], repeat=4)])
    every = every[(every == MASK).sum(1) > 2]
    filled = fill_one_by_one(model, every, MASK, excluded=[PAD, SPECIAL], order=order)
    for row, result in zip(every.tolist(), filled.tolist(), strict=True):
        expected = list(row)
        while masks(expected):
            found = {p: at(model, expected, p) for p in masks(expected)}
            p = min(found) if order == "left to right" else max(found, key=lambda p: max(found[p].values()))
            expected[p] = likeliest(found[p])
        assert result == expected
    assert not torch.equal(filled, fill_at_once(model, every, MASK, excluded=[PAD, SPECIAL]))


def test_the_orders_differ(model):
    every = torch.tensor([[1, *words, 1] for words in itertools.product([2, 3, 4, MASK], repeat=4) if MASK in words])
    left = fill_one_by_one(model, every, MASK, excluded=[PAD, SPECIAL])
    assert not torch.equal(left, fill_one_by_one(model, every, MASK, excluded=[PAD, SPECIAL], order="surest first"))


def exact(model, row, sweeps):
    """The probability of each pair of words: every way is followed, from the first fill to the last sweep."""
    first, second = masks(row)

    def given(position, other, word):
        changed = list(row)
        changed[other] = word
        return at(model, changed, position)

    one, two = at(model, row, first), at(model, row, second)
    joint = {(a, b): one[a] * two[b] for a in WORDS for b in WORDS}
    by_second = {b: given(first, second, b) for b in WORDS}
    by_first = {a: given(second, first, a) for a in WORDS}
    for _ in range(sweeps):
        column = {b: sum(joint[a, b] for a in WORDS) for b in WORDS}
        joint = {(a, b): column[b] * by_second[b][a] for a in WORDS for b in WORDS}
        line = {a: sum(joint[a, b] for b in WORDS) for a in WORDS}
        joint = {(a, b): line[a] * by_first[a][b] for a in WORDS for b in WORDS}
    return joint


@pytest.mark.parametrize("sweeps", [1, 3])
def test_gibbs_sampling_has_the_exact_probabilities(model, sweeps):
    n, row = 10_000, [1, 2, MASK, MASK, 5, 1]
    choose = sampler(generator=torch.Generator().manual_seed(0))
    filled = fill_repeatedly(model, torch.tensor([row] * n), MASK, choose, [PAD, SPECIAL], sweeps=sweeps)
    expected, distance = exact(model, row, sweeps), 0.0
    for pair, p in expected.items():
        found = (filled[:, 2:4] == torch.tensor(pair)).all(1).float().mean().item()
        assert found == pytest.approx(p, abs=4.5 * (p * (1 - p) / n) ** 0.5 + 1e-4)
        distance += abs(p - exact(model, row, 0)[pair])
    assert distance > 0.1  # not what one pass gives


def test_sampling_at_once_is_reproducible(model, ids):
    many = ids.repeat(20, 1)
    first, again, other = (
        fill_at_once(model, many, MASK, sampler(generator=torch.Generator().manual_seed(seed))) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_nothing_to_fill(model):
    for fill in (probabilities, fill_at_once, fill_one_by_one):
        with pytest.raises(ValueError, match=r"there is no mask \(id 4\) to fill in"):
            fill(model, torch.tensor([[1, 2, 1]]), MASK)


def test_sweeps_below_one(model, ids):
    with pytest.raises(ValueError, match="sweeps=0 must be at least 1"):
        fill_repeatedly(model, ids, MASK, sampler(), sweeps=0)


def test_no_gradients_are_recorded(model, ids):
    seen, forward = [], model.forward
    model.forward = lambda *inputs: seen.append(torch.is_inference_mode_enabled()) or forward(*inputs)
    probabilities(model, ids, MASK)
    fill_at_once(model, ids, MASK)
    fill_one_by_one(model, ids, MASK)
    fill_repeatedly(model, ids, MASK, MOST_PROBABLE, sweeps=1)
    assert len(seen) > 4
    assert all(seen)


def test_everything_is_made_where_the_model_is(model, ids):
    expected = fill_one_by_one(model, ids, MASK, excluded=[PAD, SPECIAL])
    with torch.device("meta"):  # it stands for a GPU
        assert torch.equal(fill_one_by_one(model, ids, MASK, excluded=[PAD, SPECIAL]), expected)
