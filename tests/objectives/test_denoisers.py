import itertools
import json
import math
import re
from collections import Counter

import jaxtyping
import pytest
import torch
from tokenizers import pre_tokenizers
from torch import nn

from seqbook.data.tokenizer import Tokenizer
from seqbook.generation.decoding import complete
from seqbook.models import PrefixLMConfig
from seqbook.objectives.batch import IGNORED
from seqbook.objectives.corruption.spans import SENTINEL
from seqbook.objectives.denoisers import DENOISERS, DenoisersConfig, random_blanks
from seqbook.training import TrainingConfig, fit

TEXTS = ["a b c d e f g h i j . w0 w1 w2 w3 w4 w5"]
BOS, EOS, NO = 1, 2, IGNORED


def build(max_len=48, **settings):
    config = DenoisersConfig(**settings)
    return config.build(config.tokenizers({"text": TEXTS}, {}), max_len)


def network(objective):
    sizes = {"d_model": 32, "n_layers": 2, "n_heads": 2, "max_len": objective.max_len}
    return PrefixLMConfig(**objective.sizes() | sizes).build()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# ---- By hand


def test_the_rows_of_the_three_modes():
    objective = build()
    a, b, c, d, e = ids = objective.tokenizer.encode("a b c d e")
    first, second = objective.sentinels[:2]
    for mode in ("R", "X"):
        token = objective.modes[mode]
        row = objective.corrupt(ids, mode, [(1, 3), (4, 5)])
        assert row.ids == [BOS, token, a, first, d, second, first, b, c, second, e]
        assert row.labels == [NO] * 5 + [first, b, c, second, e, EOS]
        assert row.prefix_length == 6
    row = objective.corrupt(ids, "S", [(3, 5)])
    assert row.ids == [BOS, objective.modes["S"], a, b, c, d, e]
    assert row.labels == [NO] * 4 + [d, e, EOS]
    assert row.prefix_length == 5


def test_the_mode_tokens_and_the_sentinels_have_their_names():
    objective = build(n_sentinels=8)
    assert objective.tokenizer.tokens(objective.modes.values()) == ["[R]", "[S]", "[X]"]
    assert objective.tokenizer.tokens(objective.sentinels) == [SENTINEL.format(i) for i in range(8)]
    assert objective.sentinels[0] == len(objective.tokenizer) - 1  # the highest id is the first sentinel's, as in T5
    assert objective.sentinels == sorted(objective.sentinels, reverse=True)


@pytest.mark.parametrize(
    ("n", "mean", "rate", "expected"),
    [
        # T5: 568 tokens have 85 of noise in 28 spans, 1137 have 171 in 57, 70 have 10 in 3
        (568, 3, 0.15, (85, 28)), (1137, 3, 0.15, (171, 57)), (70, 3, 0.15, (10, 3)),
        (2, 3, 0.15, (1, 1)), (3, 3, 0.5, (2, 1)), (2, 3, 0.5, (1, 1)), (6, 1, 0.9, (5, 1)), (64, 64, 0.15, (10, 1)),
    ],
)  # fmt: skip
def test_how_much_is_in_blanks(n, mean, rate, expected):
    draw = generator()
    for _ in range(50):
        spans = random_blanks(n, float(mean), rate, draw)
        assert (sum(b - a for a, b in spans), len(spans)) == expected
        assert spans[0][0] >= 0
        assert spans[-1][1] <= n
        assert all(stop < start for (_, stop), (start, _) in itertools.pairwise(spans))


def test_a_single_blank_can_be_anywhere():
    """At the end of the text it would be the sequential denoiser."""
    draw = generator()
    found = Counter(random_blanks(6, 3.0, 0.34, draw)[0] for _ in range(500))
    assert sorted(found) == [(i, i + 2) for i in range(5)]
    assert all(count == pytest.approx(100, abs=36) for count in found.values())


@pytest.mark.parametrize(
    ("mode", "spans", "message"),
    [
        ("R", [], "do not fit a text of 5 tokens: they must not touch"),
        ("R", [(0, 1), (1, 2)], "must not touch"),
        ("R", [(2, 3), (0, 1)], "must not touch"),
        ("R", [(3, 6)], "do not fit"),
        ("R", [(0, 1), (3, 6)], "do not fit"),
        ("R", [(3, 2)], "do not fit"),
        ("X", [(-1, 2)], "do not fit"),
        ("X", [(2, 2)], "do not fit"),
        ("S", [(1, 3)], "must be one at the end of the text in mode S"),
        ("S", [(0, 1), (3, 5)], "must be one at the end"),
    ],
)
def test_refuses_blanks_that_do_not_fit(mode, spans, message):
    with pytest.raises(ValueError, match=message):
        build().corrupt([5, 6, 7, 8, 9], mode, spans)


def test_more_blanks_than_sentinels_are_refused():
    with pytest.raises(
        ValueError, match=r"a text of \d+ tokens can have \d+ blanks, but the vocabulary has 3 sentinels"
    ):
        build(48, n_sentinels=3)
    objective = build(16, n_sentinels=3)
    with pytest.raises(ValueError, match="4 blanks, but n_sentinels=3: give fewer"):
        objective.corrupt(list(range(5, 13)), "R", [(i, i + 1) for i in range(0, 8, 2)])
    with pytest.raises(ValueError, match="has 4 blanks, but n_sentinels=3"):
        objective.prompt("[MASK] a " * 4, "R")
    assert len(objective.prompt("[MASK] a " * 3, "R")) == 8
    assert objective.corrupt(list(range(5, 13)), "R", [(i, i + 1) for i in range(0, 6, 2)])


def test_the_longest_row_has_two_sentinels_for_each_blank():
    objective = build(300, n_sentinels=64)
    assert build().shortest == 2
    assert objective.longest_row(200) == 200 + 2 + 2 * 33  # half of the text, in blanks of three tokens
    assert objective.longest_row(2) == 2 + 2 + 2
    assert objective.longest_row(1) == 1 + 2  # it has no blank
    # 34 tokens: 17 of them in 6 blanks, and 34 + 2 + 12 = 48
    assert build(48, n_sentinels=6).room == 34
    with pytest.raises(ValueError, match="a text of 34 tokens can have 6 blanks, but the vocabulary has 5 sentinels"):
        build(48, n_sentinels=5)


# ---- The mixtures


def settings_of(objective, row):
    mode = next(name for name, i in objective.modes.items() if i == row.ids[1])
    return mode, sum(i in objective.sentinels for i in row.ids[: row.prefix_length])


UL2 = {"mixture": "ul2", "shares": (4 / 15, 1 / 5, 8 / 15)}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # rate, and mean length → number of blanks: 30 / 3 = 10, 30 / 8 = 4, 100 / 3 = 33, 100 / 8 = 12, 30 / 32 = 1
        ({}, {("S", 0): 0.5, ("R", 10): 0.25, ("X", 1): 0.125, ("X", 33): 0.125}),
        (
            UL2,
            {("S", 0): 0.2, **dict.fromkeys([("R", 10), ("R", 4), ("X", 33), ("X", 12), ("X", 1), ("X", 2)], 0.8 / 6)},
        ),
    ],
    ids=["u-palm", "ul2"],
)
def test_the_denoisers_have_their_shares(settings, expected):
    objective, draw, found, n = build(300, n_sentinels=64, **settings), generator(), Counter(), 2_000
    for _ in range(n):
        row = objective.row([5] * 200, draw)
        mode = next(name for name, i in objective.modes.items() if i == row.ids[1])
        found[mode, sum(i in objective.sentinels for i in row.ids[: row.prefix_length])] += 1
    assert set(found) == set(expected)
    for key, share in expected.items():
        assert found[key] == pytest.approx(n * share, abs=4 * (n * share * (1 - share)) ** 0.5)


def test_the_settings_are_those_of_the_papers(monkeypatch):
    assert DENOISERS["ul2"]["R"] + DENOISERS["ul2"]["X"] == (
        (3, 0.15), (8, 0.15), (3, 0.5), (8, 0.5), (64, 0.15), (64, 0.5)
    )  # fmt: skip
    assert DENOISERS["u-palm"] == {"R": ((3, 0.15),), "X": ((32, 0.15), (3, 0.5))}
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as readers have it: beartype would be the first
    with pytest.raises(ValueError, match="mixture='t5': choose one of u-palm, ul2"):
        DenoisersConfig(mixture="t5")


def test_a_sequential_blank_has_a_quarter_of_the_text_on_average():
    objective, draw = build(shares=(0.0, 1.0, 0.0)), generator()
    lengths = [len([i for i in objective.row([5] * 32, draw).labels if i == 5]) for _ in range(2_000)]
    assert sum(lengths) / 2_000 == pytest.approx(8, abs=0.4)
    assert (min(lengths), max(lengths)) == (1, 15)
    assert {len([i for i in objective.row([5] * 2, draw).labels if i == 5]) for _ in range(20)} == {1}


# ---- Answers


def test_answers_replace_their_sentinels():
    objective = build()
    first, second, third = objective.sentinels[:3]
    assert objective.join([5, first, 6, second], [first, 7, 8, second, EOS]) == [5, 7, 8, 6]
    assert objective.join([5, 6], [7, EOS]) == [5, 6, 7]
    with pytest.raises(ValueError, match="the text has the blanks none, the target answers <extra_id_0>"):
        objective.join([5, 6], [first, 7, EOS])
    with pytest.raises(ValueError, match="the last blank has no end: its answer must end with <eos>"):
        objective.join([5, first], [first, 7])
    with pytest.raises(ValueError, match="the last blank has no end"):
        objective.join([5, first], [first, 7, BOS])
    for target in (
        [first, 7],
        [second, 7, first],
        [first, second, third],
        [7, first, second],
        [],
        [first, first, second],
    ):
        with pytest.raises(ValueError, match="the text has the blanks <extra_id_0>, <extra_id_1>, the target answers"):
            objective.join([5, first, 6, second], [*target, EOS])


@pytest.mark.slow
def test_a_network_knows_what_each_mode_asks_for():
    torch.manual_seed(0)
    objective = build(40)
    model = network(objective)
    examples = objective.encode(["a b c d e f g h i j"] * 8)
    fit(model, objective, examples, examples, TrainingConfig(steps=300, batch_size=8, learning_rate=5e-3, warmup=20))
    begun = ["a b c d e f", "a b c d e f g h"]
    assert objective.generate(model, begun, max_new=8, top_k=1) == ["a b c d e f g h i j"] * 2
    # of 10 tokens, 2 are in a blank
    found = objective.fill(model, ["a b [MASK] e f g h i j", "a b c d e f g h [MASK]"], top=2, max_new=8)
    assert [text for text, _ in found] == ["a b c d e f g h i j"] * 2
    assert [words[0][0] for _, words in found for words in words] == ["c d", "i j"]
    prompt = objective.prompt("a b [MASK]", "X")
    (new,) = complete(model, [prompt], 12, stop=[EOS], top_k=1)
    assert new[0] == objective.sentinels[0]


def test_a_text_with_blanks_becomes_a_prefix():
    objective = build()
    a, b = objective.tokenizer.encode("a b")
    first, second = objective.sentinels[:2]
    assert objective.prompt("a [MASK] b [MASK]", "X") == [BOS, objective.modes["X"], a, first, b, second]
    assert objective.answers([second, b, a]) == {second: [b, a]}
    with pytest.raises(ValueError, match=r"'a b' has no \[MASK\]"):
        objective.fill(network(objective), ["a [MASK]", "a b"])
    with pytest.raises(ValueError, match=r"'a a .* leaves no room for max_new=30: 20 of max_len=48 tokens are used"):
        objective.fill(network(objective), ["a " * 17 + "[MASK]"], max_new=30)
    model = network(objective)
    with torch.device("meta"):  # stands for a GPU: everything is made where the model is
        assert objective.fill(model, ["a " * 17 + "[MASK]"], max_new=29)
    for wrong in ("top", "max_new"):
        with pytest.raises(ValueError, match=f"{wrong}=0 must be at least 1"):
            objective.fill(model, [], **{wrong: 0})


def test_the_first_ids_of_a_vocabulary_may_be_words(tmp_path):
    """As in GPT-2's, which begins with ! and "."""
    vocab, merges = tmp_path / "vocab.json", tmp_path / "merges.txt"
    vocab.write_text(json.dumps({byte: i for i, byte in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}))
    merges.write_text("#version: 0.2\n")
    tokenizer = Tokenizer.load_bpe(vocab, merges).with_special("<pad>", "<bos>", "<eos>")
    config = DenoisersConfig()
    objective = config.build(config.tokenizers({"text": []}, {"tokenizer": tokenizer}), 48)
    assert tokenizer.encode('!"') == [0, 1]
    prompt = objective.prompt('!" [MASK]', "R")
    assert prompt == [tokenizer.bos_id, objective.modes["R"], 0, 1, objective.sentinels[0]]


def test_words_may_come_after_the_sentinels():
    config = DenoisersConfig(n_sentinels=8)
    tokenizer = config.tokenizers({"text": TEXTS}, {})["tokenizer"].with_words(["zebra"])
    objective = config.build({"tokenizer": tokenizer}, 48)
    (zebra,), first = tokenizer.encode("zebra"), objective.sentinels[0]
    assert zebra > first
    with pytest.raises(ValueError, match="the text has the blanks <extra_id_0>, the target answers <extra_id_0>"):
        objective.join([5, first], [zebra, first, 6, EOS])


@pytest.mark.parametrize("top", [1, 3])
def test_what_is_listed_are_the_answers_of_the_beam(top):
    """Log-probabilities by uncached passes: the sequences of two tokens are scored by hand."""
    objective = build(n_sentinels=8)
    torch.manual_seed(3)
    model = network(objective).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    prompt, first = objective.prompt("a [MASK] b", "R"), objective.sentinels[0]

    @torch.no_grad()
    def after(new):
        return model(torch.tensor([prompt + new]), torch.tensor([len(prompt)]))[0, -1].log_softmax(-1)

    one, vocabulary = after([]), range(len(objective.tokenizer))
    kept = [i for i in one.argsort(descending=True).tolist() if i != EOS][:top]
    both = {(i, j): float(one[i] + after([i])[j]) for i in kept for j in vocabulary}
    ended = {(EOS,): float(one[EOS])} if EOS in one.topk(top).indices else {}
    best = sorted((ended | both).items(), key=lambda pair: -pair[1])[:top]
    expected = Counter()
    for ids, score in best:
        answer = objective.answers([i for i in ids if i != EOS]).get(first, [])
        expected[objective.tokenizer.decode(answer)] += math.exp(score)
    ((text, (words,)),) = objective.fill(model, ["a [MASK] b"], top=top, max_new=2)
    assert dict(words) == pytest.approx(dict(expected), rel=1e-4)
    answer = objective.tokenizer.decode(objective.answers([i for i in best[0][0] if i != EOS]).get(first, []))
    assert text == " ".join(f"a {answer} b".split())


def test_answers_are_listed_by_the_sum_of_their_probabilities(table):
    objective = build(n_sentinels=8)
    a, b, c, d = objective.tokenizer.encode("a b c d")
    first, second = objective.sentinels[:2]
    following = {
        b: {first: 1.0},
        first: {c: 0.5, d: 0.35, second: 0.15},
        c: {second: 0.6, EOS: 0.4},
        d: {second: 1.0},
        second: {EOS: 0.7, a: 0.3},
        a: {EOS: 1.0},
    }
    model = table(len(objective.tokenizer), following)
    ((text, (one, two)),) = objective.fill(model, ["a [MASK] a [MASK] b"], top=9, max_new=9)
    assert text == "a d a b"  # 0.35 · 0.7: the most probable sequence; the answer c is in three others
    assert [words for words, _ in one] == ["c", "d", ""]
    assert [p for _, p in one] == pytest.approx([0.5, 0.35, 0.15], rel=1e-4)
    assert [words for words, _ in two] == ["", "a"]
    assert [p for _, p in two] == pytest.approx([0.2 + 0.8 * 0.7, 0.8 * 0.3], rel=1e-4)


@pytest.mark.parametrize("typed", ["[R]", "[S]", "[X]", "<extra_id_0>", "<extra_id_31>"])
def test_mode_tokens_and_sentinels_cannot_be_typed_into_a_text(typed):
    objective = build()
    message = re.escape(f"'a {typed} b [MASK]' contains '{typed}', which the objective itself adds to a row: remove it")
    text, model = f"a {typed} b [MASK]", network(objective)
    for use in (
        lambda: objective.encode(["a b", text]),
        lambda: objective.prompt(text, "R"),
        lambda: objective.fill(model, [text]),
        lambda: objective.generate(model, [text]),
    ):
        with pytest.raises(ValueError, match=message):
            use()


def test_other_brackets_are_ordinary_text():
    objective = build()
    special = {*objective.modes.values(), *objective.sentinels}
    ((ids,),) = objective.encode(["[r] a [Q] <extra_id> <extra_id_32>"])
    assert not special & set(ids)
