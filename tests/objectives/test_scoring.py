"""A GPT fills in a gap by scoring the text with each candidate."""

import math

import pytest
import torch
from torch import nn

from seqbook.data.tokenizer import Tokenizer
from seqbook.models import GPTConfig
from seqbook.objectives import FILLING, scoring
from seqbook.objectives.scoring import fill_by_scoring

TEXTS = ["a dog runs .", "two women read .", "a key"]


@pytest.fixture
def tokenizer():
    return Tokenizer.train(TEXTS, "word")


@pytest.fixture
def model(tokenizer):
    torch.manual_seed(0)
    model = GPTConfig(vocab_size=len(tokenizer), d_model=16, n_layers=2, n_heads=2, max_len=12).build().eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.9)
    return model


def log_p(model, ids):
    """log P of all tokens after the first one, one by one."""
    with torch.no_grad():
        steps = model(torch.tensor([ids]))[0].log_softmax(-1)
    return sum(steps[i, token].item() for i, token in enumerate(ids[1:]))


def test_the_whole_text_is_scored_with_each_word(model, tokenizer):
    ((text, (words,)),) = fill_by_scoring(model, tokenizer, ["a [MASK] runs ."], top=20)
    left, right = tokenizer.encode("a"), tokenizer.encode("runs .")
    ordinary = range(4, len(tokenizer))
    scores = {i: log_p(model, [tokenizer.bos_id, *left, i, *right, tokenizer.eos_id]) for i in ordinary}
    total = math.log(sum(math.exp(score) for score in scores.values()))
    expected = {tokenizer.decode([i]): math.exp(score - total) for i, score in scores.items()}
    assert dict(words) == pytest.approx(expected, rel=1e-3)
    best = max(expected, key=expected.get)
    assert text == f"a {best} runs."
    # what follows counts: the left side alone gives another order
    with torch.no_grad():
        first = model(torch.tensor([[tokenizer.bos_id, *left]]))[0, -1]
    by_left = sorted(ordinary, key=lambda i: -first[i])
    assert [word for word, _ in words] != [tokenizer.decode([i]) for i in by_left]


def test_gaps_are_filled_from_left_to_right(model, tokenizer):
    ((text, (first, second)),) = fill_by_scoring(model, tokenizer, ["a [MASK] runs [MASK]"], top=1)
    ids = [tokenizer.bos_id, *tokenizer.encode("a")]
    ordinary, runs = range(4, len(tokenizer)), tokenizer.encode("runs")
    one = max(ordinary, key=lambda i: log_p(model, [*ids, i, *runs]))
    two = max(ordinary, key=lambda i: log_p(model, [*ids, one, *runs, i, tokenizer.eos_id]))
    assert [first[0][0], second[0][0]] == [tokenizer.decode([one]), tokenizer.decode([two])]
    # the first gap is scored up to the second one
    scores = torch.tensor([log_p(model, [*ids, i, *runs]) for i in ordinary])
    assert first[0][1] == pytest.approx(scores.softmax(0).max().item(), rel=1e-4)
    assert text == tokenizer.decode([*ids, one, *runs, two])


def test_a_tokenizer_may_have_one_token_for_both_ends(model):
    """As GPT-2's: its <|endoftext|> begins a text and ends it."""
    ours = Tokenizer.train(TEXTS, "word").backend
    backend = ours.from_str(ours.to_str().replace("<bos>", "<|endoftext|>").replace("<eos>", "<nothing>"))
    tokenizer = Tokenizer(backend)
    end = backend.token_to_id("<|endoftext|>")
    ((_, (found,)),) = fill_by_scoring(model, tokenizer, ["a [MASK]"], top=20)
    (a,), ordinary = tokenizer.encode("a"), range(4, len(tokenizer))
    scores = {tokenizer.decode([i]): log_p(model, [end, a, i, end]) for i in ordinary}
    assert found[0][0] == max(scores, key=scores.get)
    neither = Tokenizer(backend.from_str(backend.to_str().replace("<|endoftext|>", "<other>")))
    with pytest.raises(ValueError, match="no token '<bos>'"):
        fill_by_scoring(model, neither, ["a [MASK]"])


def test_only_the_most_probable_tokens_after_the_left_side_are_candidates(model, tokenizer, monkeypatch):
    monkeypatch.setattr(scoring, "CANDIDATES", 2)
    for left in ("a", "a dog", "two women read"):
        ((_, (words,)),) = fill_by_scoring(model, tokenizer, [f"{left} [MASK] runs ."], top=9)
        with torch.no_grad():
            logits = model(torch.tensor([[tokenizer.bos_id, *tokenizer.encode(left)]]))[0, -1]
        logits[:4] = -torch.inf  # special tokens
        assert {word for word, _ in words} == {tokenizer.decode([i]) for i in logits.topk(2).indices.tolist()}
        assert sum(p for _, p in words) == pytest.approx(1, rel=1e-5)
    monkeypatch.setattr(scoring, "CANDIDATES", 9)
    for left in ("a", "a dog", "two women read"):
        ids = [tokenizer.bos_id, *tokenizer.encode(left)]
        logits = model(torch.tensor([ids]))[0, -1]
        assert scoring._most_probable(model, ids, []) == logits.topk(9).indices.tolist()
    monkeypatch.setattr(scoring, "CANDIDATES", 2)
    with torch.device("meta"):  # stands for a GPU: what the model reads is made where the model is
        assert len(scoring._most_probable(model, [tokenizer.bos_id], [])) == 2


def test_what_cannot_be_filled_is_named(model, tokenizer):
    for text, message in (
        ("a dog", r"'a dog' has no \[MASK\]: write it where a word is missing"),
        ("[MASK] " * 12, "is 13 tokens long with its first token: it must have at most max_len=12"),
    ):
        with pytest.raises(ValueError, match=message):
            fill_by_scoring(model, tokenizer, ["a [MASK]", text])
    with pytest.raises(ValueError, match="top=0 must be at least 1"):
        fill_by_scoring(model, tokenizer, ["a [MASK]"], top=0)
    assert fill_by_scoring(model, tokenizer, ["[MASK] " * 11])
    assert FILLING[type(model)] is fill_by_scoring
