import itertools

import pytest
import torch

from seqbook.generation.likelihood import log_likelihood


@pytest.mark.parametrize(
    "changes", [{}, {"positions": "rotary"}, {"positions": "rotary", "norm": "post"}, {"norm": "post"}], ids=str
)
@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_log_likelihoods_are_sums_of_log_probabilities(changes, batch_size, random_model, prompts):
    model, continuations = random_model("GPT", 0, **changes).eval(), [[1], [2, 0, 4, 4, 9], [5, 5], [7, 1, 0]]
    found = log_likelihood(model, prompts, continuations, batch_size=batch_size)
    for score, prompt, continuation in zip(found, prompts, continuations, strict=True):
        expected = 0.0
        for i, token in enumerate(continuation):
            expected += model(torch.tensor([prompt + continuation[:i]]))[0, -1].log_softmax(-1)[token].item()
        assert score == pytest.approx(expected, abs=1e-3)


def test_the_likelihoods_of_all_continuations_sum_to_one(random_model):
    model = random_model("GPT", 2, vocab_size=5)
    every = [list(ids) for ids in itertools.product(range(5), repeat=3)]
    total = torch.tensor(log_likelihood(model, [[3, 1]] * len(every), every)).exp().sum()
    assert total.item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("prompts", "continuations", "message"),
    [
        ([[5]], [[5], [6]], "1 prompts and 2 continuations: give one for each"),
        ([[5], [6]], [[5]], "2 prompts and 1 continuations: give one for each"),
        ([], [], "there are no prompts"),
        ([[5], []], [[5], [5]], "prompt 1 is empty"),
        ([[5], [6]], [[5], []], "continuation 1 is empty"),
        ([[5], [6] * 20], [[5], [5] * 6], "prompt 1 and its continuation have 26 tokens: at most 25 fit"),
        ([[5]], [[12]], "prompts and continuations has the id 12, outside the vocabulary of 12"),
        ([[5]], [[6, -100]], "prompts and continuations has the id -100, outside"),
    ],
)
def test_scoring_refuses_by_name(prompts, continuations, message, random_model):
    model = random_model("GPT", 0)
    with pytest.raises(ValueError, match=message):
        log_likelihood(model, prompts, continuations)
    assert log_likelihood(model, [[6] * 20], [[5] * 5])[0] < 0


def test_scoring_refuses_no_batch(random_model):
    with pytest.raises(ValueError, match="batch_size=0 must"):
        log_likelihood(random_model("GPT", 0), [[5]], [[6]], batch_size=0)


def test_they_are_computed_where_the_model_is(random_model, prompts):
    model = random_model("GPT", 0)
    expected = log_likelihood(model, prompts, [[3, 4]] * len(prompts))
    with torch.device("meta"):  # it stands for a GPU
        assert log_likelihood(model, prompts, [[3, 4]] * len(prompts)) == expected
