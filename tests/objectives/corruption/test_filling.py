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
    """T5's own models write it, and then anything. What they write after another one belongs to the answer."""
    zero, one, two, a, the = (
        tokenizer.backend.token_to_id(i) for i in ("<extra_id_0>", "<extra_id_1>", "<extra_id_2>", "a", "the")
    )
    config, end = T5Config(vocab_size=len(tokenizer), max_len=30), tokenizer.eos_id
    for answers, p in (
        ({(zero, a, one, the, the, the): 1.0}, 1.0),
        ({(zero, a, two, the, end): 0.6, (zero, a, two, a, end): 0.4}, 0.6),
    ):
        (found,) = fill_gaps(Fixed(config, answers), tokenizer, ["saw <extra_id_0> dog"], top=1)
        assert found == ("saw a dog", [[("a", pytest.approx(p, abs=1e-4))]])


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


def test_the_names_of_our_own_tokens_come_first(tokenizer):
    both = tokenizer.with_special("<s>", "</s>")
    model = Fixed(BARTConfig(vocab_size=len(both), max_len=30), {(*both.encode("a dog"), both.eos_id): 1.0})
    assert rewrite(model, both, ["a"], top=1)[0].text == "a dog"
    assert model.sources == [([[both.bos_id, *both.encode("a"), both.eos_id]], [[both.eos_id, both.bos_id]])]


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


def test_a_text_may_have_as_many_gaps_as_there_are_sentinels(tokenizer):
    sentinels, (a, the, dog) = map(tokenizer.special_id, SENTINELS[::-1]), tokenizer.encode("a the dog")
    written = [i for pair in zip(sentinels, (a, dog, the), strict=True) for i in pair]
    model = Fixed(T5Config(vocab_size=len(tokenizer), max_len=30), {(*written, tokenizer.eos_id): 1.0})
    (found,) = fill_gaps(model, tokenizer, ["<extra_id_0> saw <extra_id_1> put <extra_id_2>"], top=1)
    assert found.text == "a saw dog put the"
    assert [words[0][0] for words in found.words] == ["a", "dog", "the"]


@pytest.mark.parametrize(
    ("max_len", "n_gap", "n_text"),
    [
        (14, 14, 13),  # the decoder reads all but the last, after the one or two with which it starts
        (100, 18, 20),  # 10 more than twice the source, which has 4 or 5 tokens
    ],
)
def test_an_answer_without_an_end_is_cut(tokenizer, max_len, n_gap, n_text):
    zero, a = tokenizer.special_id("<extra_id_0>"), tokenizer.encode("a")[0]
    model = Fixed(T5Config(vocab_size=len(tokenizer), max_len=max_len), {(zero, *[a] * 99): 1.0})
    (found,) = fill_gaps(model, tokenizer, ["saw <extra_id_0> dog"], top=1)
    assert found.words[0][0][0].split() == ["a"] * (n_gap - 1)
    model = Fixed(BARTConfig(vocab_size=len(tokenizer), max_len=max_len), {(a,) * 99: 1.0})
    (found,) = rewrite(model, tokenizer, ["saw <mask> dog"], top=1)
    assert found.text.split() == ["a"] * n_text


def test_everything_is_made_where_the_model_is(t5, bart, tokenizer):
    for fill, model, text in ((fill_gaps, t5, "a <extra_id_0>"), (rewrite, bart, "a <mask>")):
        expected = fill(model, tokenizer, [text], top=2)
        with torch.device("meta"):  # it stands for a GPU
            assert fill(model, tokenizer, [text], top=2) == expected


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
    model = Fixed(T5Config(vocab_size=n + 5, max_len=30), {(zero, n, n + 2, a, tokenizer.eos_id): 1.0})
    assert fill_gaps(model, tokenizer, ["saw <extra_id_0> dog"], top=1)[0].text == "saw a dog"
