import math
import re
from collections import Counter

import pytest
import torch
from torch import nn

from seqbook.data.tokenizer import Tokenizer
from seqbook.models import PrefixLMConfig
from seqbook.objectives.batch import IGNORED
from seqbook.objectives.blank_infilling import BEGIN, END, MASKS, MEAN_SPAN, SPAN_WEIGHTS, BlankInfillingConfig
from seqbook.objectives.blanks import blank_out, put
from seqbook.training import TrainingConfig, fit

NO = IGNORED
TEXTS = ["a b c d e f g h i j . ! w0 w1 w2 w3 w4 w5"]


def build(max_len=48, **settings):
    config = BlankInfillingConfig(**settings)
    return config.build(config.tokenizers({"text": TEXTS}, {}), max_len)


def network(objective):
    sizes = {"d_model": 32, "n_layers": 2, "n_heads": 2, "max_len": objective.max_len, "block_positions": True}
    return PrefixLMConfig(**objective.sizes() | sizes).build()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# ---- What is drawn


def test_lengths_are_poisson_without_0():
    assert (MEAN_SPAN, len(SPAN_WEIGHTS)) == (3, 39)  # of GLM's code
    assert SPAN_WEIGHTS[:4] == [3, 9 / 2, 27 / 6, 81 / 24]
    objective, draw, found = build(400), generator(), Counter()
    for _ in range(400):
        lengths = objective._span_lengths(300, draw)
        assert sum(lengths[:-1]) < 45 <= sum(lengths)  # 15 %, and not one span more
        found.update(lengths)
    expected = {k: 3**k / torch.tensor(k + 1.0).lgamma().exp().item() for k in range(1, 40)}
    for k in (1, 2, 3, 4, 5, 6):
        share = expected[k] / sum(expected.values())
        assert found[k] / found.total() == pytest.approx(share, abs=0.025)
    assert not found[0]


@pytest.mark.parametrize("n", [1, 2, 6, 7, 13, 14])
def test_a_short_text_has_a_blank_too(n):
    objective, draw = build(), generator()
    wanted = {1: 1, 2: 1, 6: 1, 7: 1, 13: 1, 14: 2}[n]
    assert objective.wanted(n) == wanted
    for level in MASKS:
        for _ in range(50):
            spans, _ = objective.spans(list(range(20, 20 + n)), level, draw)
            assert sum(min(b, n) - a for a, b in spans) >= wanted


@pytest.mark.parametrize("n", [1, 5, 20, 40])
def test_the_longest_row_has_a_blank_for_each_hidden_token(n):
    objective = build()
    text = [1, *range(20, 20 + n), 2]
    spans = [(i, i + 1) for i in range(1, 1 + 2 * objective.wanted(n), 2)][: objective.wanted(n)]
    row = blank_out(text, spans, range(len(spans)), objective.masks["token"], objective.begin, objective.end)
    assert len(row.ids) == objective.longest_row(n)


def test_whole_sentences_are_taken():
    objective, draw, found = build(shares=(0.0, 1.0, 0.0)), generator(), set()
    ids = objective.tokenizer.encode("a b . c ! d e f")
    for _ in range(60):
        row = objective.row(ids, draw)
        assert objective.restore(row) == ids
        assert row.ids.count(objective.masks["sentence"]) == row.ids.count(objective.begin) == 1
        found.add(tuple(i for i in row.labels if i not in (NO, objective.end)))
    assert found == {tuple(ids[:3]), tuple(ids[3:5]), tuple(ids[5:])}


def test_sentences_are_taken_until_they_are_enough():
    objective, draw = build(rate=0.9), generator()
    ids = objective.tokenizer.encode("a . b c . d")
    for _ in range(40):
        row = objective.row(ids, draw, "sentence")
        assert row.ids.count(objective.masks["sentence"]) >= 2  # also side by side
        assert objective.restore(row) == ids


def test_documents_have_one_long_blank_half_of_them_at_the_end():
    objective, draw, ends, lengths = build(), generator(), 0, Counter()
    for _ in range(1_000):
        spans, end = objective.spans(list(range(10)), "document", draw)
        ((start, stop),) = spans
        if end is None:
            ends += 1
            assert stop == 11  # <eos> too
        else:
            assert 0 <= start < stop <= 10
        lengths[min(stop, 10) - start] += 1
    assert ends == pytest.approx(500, abs=64)
    assert sorted(lengths) == [5, 6, 7, 8, 9, 10]
    assert all(count == pytest.approx(1_000 / 6, abs=48) for count in lengths.values())


def test_the_rows_of_a_batch_have_the_same_level():
    objective, found = build(), Counter()
    examples = objective.encode(["a b c . d e", "f g h"] * 3)
    for seed in range(300):
        ids = objective.collate(examples, generator(seed)).inputs[0]
        (level,) = {level for level, mask in objective.masks.items() if (ids == mask).any()}
        assert all((row == objective.masks[level]).any() for row in ids)
        found[level] += 1
    for level, share in (("token", 0.5), ("sentence", 0.3), ("document", 0.2)):
        assert found[level] / 300 == pytest.approx(share, abs=0.12)


def test_shuffling_can_be_left_out():
    for shuffle in (True, False):
        objective, draw = build(rate=0.7, shuffle=shuffle), generator()
        orders = set()
        for _ in range(40):
            row = objective.row(list(range(12, 22)), draw, "token")
            starts = [p for p, i in zip(row.position_ids, row.ids, strict=True) if i == objective.begin]
            orders.add(starts == sorted(starts))
            assert [i for i in row.ids[: row.prefix_length] if i == objective.masks["token"]] == [
                objective.masks["token"]
            ] * len(starts)
        assert orders == ({True, False} if shuffle else {True})


# ---- Filling in


def test_a_blank_without_an_end_or_an_answer_is_refused():
    objective, draw = build(), generator()
    ids = objective.tokenizer.encode("a b c d e f")
    row = objective.row(ids, draw, "token")
    endless = row._replace(labels=[5 if i == objective.end else i for i in row.labels])
    with pytest.raises(ValueError, match=r"the blank at position \d has no end: its answer must end with \[eop\]"):
        objective.restore(endless)
    with pytest.raises(ValueError, match=r"position \d of part A has no answer"):
        objective.restore(row._replace(ids=row.ids[: row.prefix_length], labels=row.labels[: row.prefix_length]))
    # an answer without an end is right only for a document's blank at the end of part A
    suffix = blank_out([4, *ids, 5], [(3, 8)], [0], objective.masks["document"], objective.begin, None)
    assert objective.restore(suffix) == ids
    token = blank_out([4, *ids, 5], [(3, 8)], [0], objective.masks["token"], objective.begin, None)
    with pytest.raises(ValueError, match="the blank at position 3 has no end"):
        objective.restore(token)
    two = blank_out([4, *ids, 5], [(1, 2), (3, 8)], [0, 1], objective.masks["document"], objective.begin, objective.end)
    assert objective.restore(two) == ids
    first = two.labels.index(objective.end)
    with pytest.raises(ValueError, match="the blank at position 1 has no end"):
        objective.restore(two._replace(labels=[6 if i == first else label for i, label in enumerate(two.labels)]))


@pytest.fixture
def special_before_words():
    """With a vocabulary in which [gMASK], [eop] and [sop] come before the other masks and some words."""
    config, before = BlankInfillingConfig(), Tokenizer.train(["a b"], "word").with_special("[gMASK]", END, BEGIN)
    tokenizer = config.tokenizers({"text": []}, {"tokenizer": before})["tokenizer"].with_words(TEXTS)
    return config.build({"tokenizer": tokenizer}, 20)


def test_the_order_of_the_ids_does_not_matter_to_a_row(special_before_words):
    objective, draw = special_before_words, generator()
    ids = objective.tokenizer.encode("a b c d e f")
    assert max(ids) > objective.begin > objective.end > objective.masks["document"]
    for level in MASKS:
        for _ in range(20):
            assert objective.restore(objective.row(ids, draw, level)) == ids
    token = blank_out([1, *ids, 2], [(5, 7)], [0], objective.masks["token"], objective.begin, objective.end)
    endless = token._replace(labels=[*token.labels[:-1], ids[-1]])
    with pytest.raises(ValueError, match="the blank at position 5 has no end"):
        objective.restore(endless)
    at_the_end = blank_out([1, *ids, 2], [(5, 8)], [0], objective.masks["token"], objective.begin, None)
    with pytest.raises(ValueError, match="the blank at position 5 has no end"):
        objective.restore(at_the_end)


def test_only_a_document_mask_at_the_end_leaves_the_end_open(special_before_words):
    model = network(special_before_words)
    for text, used in (("a [MASK]", 5), ("a [gMASK]", 4), ("a [gMASK] c", 6)):
        with pytest.raises(ValueError, match=f"leaves no room for max_new=20 in a blank: {used} of max_len=20"):
            special_before_words.fill(model, [text], max_new=20)


def test_the_best_answer_is_filled_in_and_a_text_ends_unless_it_is_continued(table):
    objective = build()
    a, b, c = objective.tokenizer.encode("a b c")
    bos, eos, begin = objective.tokenizer.bos_id, objective.tokenizer.eos_id, objective.begin
    token, document = objective.masks["token"], objective.masks["document"]
    for text, filled, part_a in (
        ("a [MASK]", "a b", [bos, a, token, eos]),
        ("a [gMASK]", "a b", [bos, a, document]),
        ("[gMASK] a", "b a", [bos, document, a, eos]),
        ("c [gMASK] a", "c b a", [bos, c, document, a, eos]),
    ):
        ends = {objective.end: 1.0}
        model = table(len(objective.tokenizer), {begin: {b: 0.6, c: 0.4}, b: ends, c: ends})
        ((found, (words,)),) = objective.fill(model, [text], top=2)
        assert found == filled
        assert [word for word, _ in words] == ["b", "c"]
        assert [p for _, p in words] == pytest.approx([0.6, 0.4], rel=1e-4)
        assert model.read == [[*part_a, begin]]


@pytest.fixture(scope="module")
def filler():
    """A network that has learned one text by heart, with blanks of all levels."""
    torch.manual_seed(0)
    objective = build(rate=0.3)
    model = network(objective)
    examples = objective.encode(["a b c d . e f g h !"] * 8)
    fit(model, objective, examples, examples, TrainingConfig(steps=250, batch_size=8, learning_rate=5e-3, warmup=20))
    return objective, model


@pytest.mark.slow
def test_blanks_of_unknown_length_are_filled(filler):
    objective, model = filler
    texts = [
        "a [MASK]. e f g h!",
        "a b c d. e [MASK]!",
        "a b c d. [sMASK]",
        "a b c d. [gMASK]",
        "a [MASK] d. e [MASK] h!",
    ]
    found = objective.fill(model, texts, top=2)
    assert [text for text, _ in found] == ["a b c d. e f g h!"] * 5
    assert [[words[0][0] for words in blanks] for _, blanks in found] == [
        ["b c d"], ["f g h"], ["e f g h!"], ["e f g h!"], ["b c", "f g"]
    ]  # fmt: skip
    assert all(0.5 < words[0][1] <= 1 and words[0][1] >= words[1][1] for _, blanks in found for words in blanks)


def test_what_is_filled_in_is_what_the_network_would_predict():
    """Step by step, and uncached: the first blank, then the second one, which reads the answer to the first."""
    objective = build()
    torch.manual_seed(1)
    model = network(objective).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5)
    a, b, c = objective.tokenizer.encode("a b c")
    mask, begin = objective.masks["token"], objective.begin
    part_a = [objective.tokenizer.bos_id, a, mask, b, mask, c, objective.tokenizer.eos_id]
    read, place, block, answers, found = list(part_a), list(range(7)), [0] * 7, {}, {}
    for position in (2, 4):
        token, answers[position], n, found[position] = begin, [], 1, 0.0
        while len(answers[position]) < 4:
            read, place, block, n = [*read, token], [*place, position], [*block, n], n + 1
            rows = (torch.tensor([row]) for row in (place, block))
            log_p = model(torch.tensor([read]), torch.tensor([7]), *rows)[0, -1].log_softmax(-1)
            token = int(log_p.argmax())
            found[position] += log_p[token].item()
            if token in (objective.end, objective.tokenizer.eos_id):
                break
            answers[position].append(token)
        else:
            read, place, block = [*read, token], [*place, position], [*block, n]
    expected = objective.tokenizer.decode(put(part_a, answers, frozenset({mask})))
    ((text, words),) = objective.fill(model, ["a [MASK] b [MASK] c"], top=1, max_new=4)
    assert text == expected
    assert [word for ((word, _),) in words] == [objective.tokenizer.decode(answers[i]) for i in (2, 4)]
    assert [p for ((_, p),) in words] == pytest.approx([math.exp(found[i]) for i in (2, 4)], rel=1e-4)


def test_a_text_that_cannot_be_filled_is_named():
    objective = build(20)
    model = network(objective)
    with pytest.raises(ValueError, match=r"'a b' has no \[MASK\], \[sMASK\], \[gMASK\]"):
        objective.fill(model, ["a [MASK]", "a b"], max_new=5)
    with pytest.raises(ValueError, match=r"leaves no room for max_new=17 in a blank: 5 of max_len=20"):
        objective.fill(model, ["a [MASK]"], max_new=17)
    for name in ("max_new", "top"):
        with pytest.raises(ValueError, match=f"{name}=0 must be at least 1"):
            objective.fill(model, [], **{name: 0})
    assert objective.fill(model, ["a [MASK]"], max_new=16)[0].text.startswith("a")


@pytest.mark.parametrize("name", [*MASKS.values(), BEGIN, END])
def test_masks_and_the_ends_of_pieces_cannot_be_typed_into_a_text(name):
    with pytest.raises(ValueError, match=rf"'a {re.escape(name)} b' contains {re.escape(name)}, which is no word"):
        build().encode(["a b", f"a {name} b"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a [MASK] b [MASK", r"has a blank without an end, '\[MASK': write '\[MASK\]'"),
        ("a [gMASK b", r"has a blank without an end, '\[gMASK': write '\[gMASK\]'"),
        ("a [MASK] b [eop]", r"'a \[MASK\] b \[eop\]' contains \[eop\], which is no word of a text: leave it out"),
        ("a [sop] [MASK]", r"contains \[sop\]"),
    ],
)
def test_other_marks_in_a_text_that_is_to_be_filled_are_refused(text, message):
    objective = build()
    with pytest.raises(ValueError, match=message):
        objective.fill(network(objective), ["a [MASK]", text])
