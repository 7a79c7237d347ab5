"""Texts with gaps, filled in by T5 and BART, and by models whose answers are known."""

import pytest
import torch

from seqbook.data.tokenizer import Tokenizer
from seqbook.models import BARTConfig, T5Config
from seqbook.objectives.corruption.filling import fill_gaps, rewrite

TEXTS = ["Anna put the book on the table.", "Tom saw a dog in the garden.", "the dog put a hat on Anna."]
SENTINELS = ["<extra_id_2>", "<extra_id_1>", "<extra_id_0>"]


@pytest.fixture
def tokenizer():
    return Tokenizer.train(TEXTS, "word").with_special("<mask>", *SENTINELS)


def build(config, tokenizer, **changes):
    torch.manual_seed(0)
    sizes = {"d_model": 16, "n_layers": 1, "n_heads": 2, "d_ff": 24, "max_len": 14}
    model = config(vocab_size=len(tokenizer), **sizes | changes).build().eval()
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.8)
    return model


@pytest.fixture
def t5(tokenizer):
    return build(T5Config, tokenizer)


@pytest.fixture
def bart(tokenizer):
    return build(BARTConfig, tokenizer)


class Fixed(torch.nn.Module):
    """A model whose answers are given: each with its probability, all of the same length."""

    def __init__(self, config, answers):
        super().__init__()
        self.config, self.answers, self.anchor = config, answers, torch.nn.Parameter(torch.zeros(1))
        self.sources = []

    def prefill(self, source_ids, target_ids):
        self.sources.append((source_ids.tolist(), target_ids.tolist()))
        return self._next([()]), FixedState([()])

    def decode(self, token_ids, state):
        state = FixedState([(*beginning, i) for beginning, i in zip(state.rows, token_ids.tolist(), strict=True)])
        return self._next(state.rows), state

    def _next(self, beginnings):
        probabilities = torch.full((len(beginnings), self.config.vocab_size), 1e-9)
        for row, beginning in enumerate(beginnings):
            for ids, p in self.answers.items():
                if ids[: len(beginning)] == beginning and len(ids) > len(beginning):
                    probabilities[row, ids[len(beginning)]] += p
        return probabilities.log()


class FixedState:
    def __init__(self, rows):
        self.rows = rows

    def select(self, rows):
        return FixedState([self.rows[i] for i in rows.tolist()])


def test_each_gap_lists_its_contents_with_the_sum_of_their_answers(tokenizer):
    def ids(text):
        return [tokenizer.special_id(i) if i[0] == "<" else tokenizer.encode(i)[0] for i in text.split()]

    answers = {
        tuple(ids("<extra_id_0> the dog <extra_id_1> Anna <eos>")): 0.4,
        tuple(ids("<extra_id_0> the dog <extra_id_1> Tom <eos>")): 0.3,
        tuple(ids("<extra_id_0> a <extra_id_1> Tom <eos>")): 0.3,
    }
    model = Fixed(T5Config(vocab_size=len(tokenizer), max_len=30), answers)
    (found,) = fill_gaps(model, tokenizer, ["saw <extra_id_0> put <extra_id_1>."], top=3)
    assert found.text == "saw the dog put Anna."
    (first, second) = found.words
    assert first == [("the dog", pytest.approx(0.7, abs=1e-3)), ("a", pytest.approx(0.3, abs=1e-3))]
    assert second == [("Tom", pytest.approx(0.6, abs=1e-3)), ("Anna", pytest.approx(0.4, abs=1e-3))]
    source = [*ids("saw <extra_id_0> put <extra_id_1> ."), tokenizer.eos_id]
    assert model.sources == [([source], [[tokenizer.pad_id]])]


def test_the_sentinel_after_the_last_gap_ends_an_answer(tokenizer):
    """T5's own models write it, and then anything."""
    zero, one, a, the = (tokenizer.backend.token_to_id(i) for i in ("<extra_id_0>", "<extra_id_1>", "a", "the"))
    model = Fixed(T5Config(vocab_size=len(tokenizer), max_len=30), {(zero, a, one, the, the, the): 1.0})
    (found,) = fill_gaps(model, tokenizer, ["saw <extra_id_0> dog"], top=1)
    assert found == ("saw a dog", [[("a", pytest.approx(1.0, abs=1e-4))]])


def test_a_text_is_rewritten_with_the_probabilities_of_its_versions(tokenizer):
    begin, end, mask = (tokenizer.special_id(name) for name in ("<bos>", "<eos>", "<mask>"))
    versions = {"Anna put a dog on the table.": 0.6, "Anna put the dog on the table.": 0.4}
    answers = {(*tokenizer.encode(text), end): p for text, p in versions.items()}
    model = Fixed(BARTConfig(vocab_size=len(tokenizer), max_len=30), answers)
    (found,) = rewrite(model, tokenizer, ["Anna put <mask> table."], top=2)
    assert found == (
        "Anna put a dog on the table.",
        [[(text, pytest.approx(p, abs=1e-3)) for text, p in versions.items()]],
    )
    source = [begin, *tokenizer.encode("Anna put"), mask, *tokenizer.encode("table."), end]
    assert model.sources == [([source], [[end, begin]])]


def test_a_text_without_a_mask_is_rewritten_too(bart, tokenizer):
    assert rewrite(bart, tokenizer, ["Anna put the table."], top=1)[0].text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a dog", "'a dog' has no <extra_id_0>: write <extra_id_0>, <extra_id_1>, …, in this order"),
        ("a <extra_id_1>", "'a <extra_id_1>' has <extra_id_1>: write <extra_id_0>"),
        ("<extra_id_0> a <extra_id_0>", "has <extra_id_0>, <extra_id_0>: write <extra_id_0>"),
        ("<extra_id_1> a <extra_id_0>", "has <extra_id_1>, <extra_id_0>: write <extra_id_0>"),
        ("<extra_id_0> <extra_id_1> <extra_id_2> <extra_id_3>", "has 4 gaps, but the vocabulary has 3 sentinels"),
        ("a " * 13 + "<extra_id_0>", "is 15 tokens long with its special tokens: it must have at most max_len=14"),
    ],
)
def test_what_t5_cannot_fill_in(t5, tokenizer, text, message):
    with pytest.raises(ValueError, match=message):
        fill_gaps(t5, tokenizer, ["a <extra_id_0>", text])


def test_the_longest_text_has_room_for_its_answer(t5, bart, tokenizer):
    assert fill_gaps(t5, tokenizer, ["a " * 12 + "<extra_id_0>"])[0].words
    assert rewrite(bart, tokenizer, ["a " * 12])[0].words
    with pytest.raises(ValueError, match="is 15 tokens long with its special tokens"):
        rewrite(bart, tokenizer, ["a " * 13])


def test_vocabularies_that_lack_a_token(t5, bart):
    plain = Tokenizer.train(TEXTS, "word")
    with pytest.raises(ValueError, match="has 1 gaps, but the vocabulary has 0 sentinels"):
        fill_gaps(t5, plain, ["a <extra_id_0>"])
    with pytest.raises(ValueError, match="the vocabulary has no token '<mask>'"):
        rewrite(bart, plain, ["a <mask>"])


def test_top_below_one(t5, bart, tokenizer):
    for fill, model, text in ((fill_gaps, t5, "a <extra_id_0>"), (rewrite, bart, "a")):
        with pytest.raises(ValueError, match="top=0 must be at least 1"):
            fill(model, tokenizer, [text], top=0)


def test_ids_beyond_the_vocabulary_are_left_out(tokenizer):
    """T5's own models have 28 more ids than their vocabulary has tokens."""
    zero, a, n = tokenizer.special_id("<extra_id_0>"), tokenizer.encode("a")[0], len(tokenizer)
    model = Fixed(T5Config(vocab_size=n + 5, max_len=30), {(zero, n + 2, a, tokenizer.eos_id): 1.0})
    assert fill_gaps(model, tokenizer, ["saw <extra_id_0> dog"], top=1)[0].text == "saw a dog"
