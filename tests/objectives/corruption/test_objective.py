"""What the two objectives make of texts: sources, targets, the loss, and what they refuse."""

import itertools
import math
import random
from collections import Counter

import jaxtyping
import pytest
import torch
from datasets import Dataset, DatasetDict

from seqbook.data.tokenizer import Tokenizer
from seqbook.metrics import mean_nll
from seqbook.models import BARTConfig, T5Config
from seqbook.objectives.batch import IGNORED
from seqbook.objectives.corruption import Denoising, DenoisingConfig, SpanCorruption, SpanCorruptionConfig, spans
from seqbook.training import TrainingConfig, fit

TEXTS = [" ".join(random.Random(i).choices("abcdefghij", k=5 + i % 20)) + "." for i in range(60)]
STORIES = [
    f"{name} saw a {thing}. {name} ran! Did {name} take the {thing}?"
    for name in "Anna Tom".split()
    for thing in "dog cat hat".split()
]
NOISES = ("masking", "deletion", "infilling", "permutation", "rotation", "mix")
BOTH = ((SpanCorruptionConfig, T5Config), (DenoisingConfig, BARTConfig))
both = pytest.mark.parametrize(("kind", "network"), BOTH, ids=["T5", "BART"])


def build(of=SpanCorruptionConfig, texts=TEXTS, max_len=32, **settings):
    config = of(**settings)
    return config.build(config.tokenizers({"text": texts}, {}), max_len)


def examples(objective, texts=TEXTS):
    return objective.examples(Dataset.from_dict(objective.tokenize(texts)))


def model(objective, network, **settings):
    torch.manual_seed(0)
    sizes = {"d_model": 16, "n_layers": 1, "n_heads": 2, "d_ff": 32, "max_len": objective.max_len}
    return network(**objective.sizes() | sizes | settings).build()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def rows(batch, pad_id):
    """The sources, the decoder's inputs and the targets of a batch, without padding."""
    source_ids, target_ids = batch.inputs
    n_targets = (batch.labels != IGNORED).sum(1).tolist()
    for source, given, target, n in zip(source_ids, target_ids, batch.labels, n_targets, strict=True):
        assert (target[n:] == IGNORED).all()
        assert (given[n:] == pad_id).all()
        yield source[source != pad_id].tolist(), given[:n].tolist(), target[:n].tolist()


# ---- T5


def test_the_first_sentinel_has_the_highest_id():
    objective = build(n_sentinels=5)
    n = len(objective.tokenizer)
    assert objective.sentinels == [n - 1, n - 2, n - 3, n - 4, n - 5]
    assert objective.tokenizer.tokens(objective.sentinels) == [f"<extra_id_{i}>" for i in range(5)]


def test_a_text_has_the_noise_that_the_config_says():
    objective = build(rate=0.5, mean_length=1.0)
    (ids,) = objective.encode(["a b c d e f g h i j"])
    source, target = objective.corrupt(ids)  # 5 tokens stay, 5 are spans of one token
    assert (len(source), len(target)) == (5 + 5 + 1, 5 + 5 + 1)


def test_t5s_batches_come_back_whole_and_each_target_token_counts_once():
    objective = build()
    tokenizer, found = objective.tokenizer, examples(objective)
    batch = objective.collate(found, generator())
    for ids, (source, given, target) in zip(found, rows(batch, tokenizer.pad_id), strict=True):
        assert source[-1] == target[-1] == tokenizer.eos_id
        assert given == [tokenizer.pad_id, *target[:-1]]
        assert spans.restore(source[:-1], target[:-1], objective.sentinels) == ids
        n_noise, n_spans = spans.count_noise(len(ids))
        assert (len(source), len(target)) == (len(ids) - n_noise + n_spans + 1, n_noise + n_spans + 1)
        assert target[-2] not in objective.sentinels
    assert batch.n_tokens == sum(sum(spans.count_noise(len(ids))) + 1 for ids in found)


@pytest.mark.parametrize("rate", [0.15, 0.5])
@pytest.mark.parametrize("n_texts", [1, 2, 3, 60])
def test_t5s_texts_are_one_sequence_whose_parts_fit_on_both_sides(rate, n_texts):
    objective = build(max_len=12, rate=rate, n_sentinels=4)
    found = examples(objective, TEXTS[:n_texts])
    assert [i for ids in found for i in ids] == objective.tokenizer.encode(" ".join(TEXTS[:n_texts]))
    assert max(map(len, found)) - min(map(len, found)) <= 1
    batch = objective.collate(found, generator())
    assert max(batch.inputs[0].shape[1], batch.inputs[1].shape[1]) <= 12
    assert n_texts < 60 or max(batch.inputs[0].shape[1], batch.inputs[1].shape[1]) == 12


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_sentinels": 1, "max_len": 32}, "a text of 34 tokens has 2 spans, but the vocabulary has 1 sentinels"),
        ({"max_len": 2}, "max_len=2 leaves no room for a corrupted text"),
        ({"rate": 0.0}, "rate=0.0 must be above 0 and below 1"),
        ({"rate": 1.0}, "rate=1.0 must be above 0 and below 1"),
        ({"mean_length": 0.5}, "mean_length=0.5 must be at least 1"),
        ({"n_sentinels": 0}, "n_sentinels=0 must be at least 1"),
    ],
)
def test_t5_settings_that_do_not_fit(settings, message):
    with pytest.raises(ValueError, match=message):
        build(**settings)


def test_a_sentinel_typed_in_a_text():
    objective = build()
    for read in (objective.encode, objective.tokenize):
        with pytest.raises(ValueError, match="'a <extra_id_7> b' contains <extra_id_7>, which stands for words"):
            read(["a b", "a <extra_id_7> b"])


def test_as_many_sentinels_as_the_longest_text_has_spans():
    objective = build(n_sentinels=2, max_len=32)
    assert (objective.longest, len(objective.sentinels)) == (34, 2)
    (found,) = examples(objective, ["a b " * 17])
    assert set(objective.sentinels) < set(objective.corrupt(found)[0])


# ---- BART


@pytest.mark.parametrize("noise", NOISES)
def test_barts_target_is_the_whole_text(noise):
    objective = build(DenoisingConfig, STORIES, noise=noise)
    tokenizer, found = objective.tokenizer, examples(objective, STORIES)
    begin, end = tokenizer.bos_id, tokenizer.eos_id
    batch = objective.collate(found, generator())
    for ids, (source, given, target) in zip(found, rows(batch, tokenizer.pad_id), strict=True):
        assert target == [begin, *ids, end]
        assert given == [end, begin, *ids]
        assert (source[0], source[-1]) == (begin, end)
        noised, n = source[1:-1], len(ids)
        n_masks = noised.count(objective.mask)
        kept = Counter(i for i in noised if i != objective.mask)
        assert not kept - Counter(ids)
        if noise in ("masking", "deletion"):
            assert kept.total() == n - math.ceil(0.3 * n)
            assert n_masks == (math.ceil(0.3 * n) if noise == "masking" else 0)
        elif noise in ("permutation", "rotation"):
            assert kept == Counter(ids)
            assert noise == "permutation" or any(noised == [*ids[i:], *ids[:i]] for i in range(n))
        else:
            assert n - math.ceil(0.3 * n) <= kept.total() < n
            assert n_masks >= 1


def test_sentences_are_permuted_as_wholes():
    objective, draw = build(DenoisingConfig, STORIES, noise="permutation"), generator()
    (ids,) = objective.encode(STORIES[:1])
    a, b, c = (objective.tokenizer.encode(part) for part in ("Anna saw a dog.", "Anna ran!", "Did Anna take the dog?"))
    orders = [[*a, *b, *c], [*a, *c, *b], [*b, *a, *c], [*b, *c, *a], [*c, *a, *b], [*c, *b, *a]]
    counts = Counter(orders.index(objective.noised(ids, draw)) for _ in range(1_200))
    assert len(counts) == 6
    assert all(count == pytest.approx(200, abs=52) for count in counts.values())  # four standard deviations


def test_the_mix_permutes_sentences_and_then_infills_words(monkeypatch):
    monkeypatch.setattr("seqbook.objectives.corruption.noises.draw_spans", lambda *_: ([(0, 2)], 0))
    objective, draw = build(DenoisingConfig, STORIES, noise="mix"), generator()
    (ids,) = objective.encode(STORIES[:1])
    parts = [objective.tokenizer.encode(part) for part in ("Anna saw a dog.", "Anna ran!", "Did Anna take the dog?")]
    expected = {(objective.mask, *[i for part in order for i in part][2:]) for order in itertools.permutations(parts)}
    assert {tuple(objective.noised(ids, draw)) for _ in range(100)} == expected


def test_pieces_of_a_word_are_infilled_together():
    objective = build(DenoisingConfig, ["ab cde f"] * 3, kind="bpe", max_vocab_size=261, max_len=64, noise="infilling")
    (ids,) = objective.encode(["ab cde f ghi jk"])
    words = [objective.tokenizer.encode(word) for word in ("ab", " cde", " f", " ghi", " jk")]
    assert [i for word in words for i in word] == ids
    draw = generator()
    for _ in range(100):
        noised = [i for i in objective.noised(ids, draw) if i != objective.mask]
        while noised:  # what is left are whole words
            word = next(word for word in words if noised[: len(word)] == word)
            noised = noised[len(word) :]


def test_a_mask_of_no_word_may_stand_anywhere():
    """Also at the end, and next to the other one. One of two words is masked, each as often."""
    objective, draw = build(DenoisingConfig, noise="infilling", mean_length=0.5), generator()
    a, b = objective.tokenizer.encode("a b")
    mask = objective.mask
    counts = Counter(tuple(objective.noised([a, b], draw)) for _ in range(3_000))
    shares = {ids: n / sum(n for ids, n in counts.items() if len(ids) == 3) for ids, n in counts.items()}
    expected = {(mask, mask, b): 1 / 3, (mask, b, mask): 1 / 6, (mask, a, mask): 1 / 6, (a, mask, mask): 1 / 3}
    assert {ids: p for ids, p in shares.items() if len(ids) == 3} == pytest.approx(expected, abs=0.07)


@pytest.mark.parametrize("noise", NOISES)
def test_the_noise_depends_on_the_generator_alone(noise):
    objective, found = build(DenoisingConfig, STORIES, noise=noise, mean_length=0.5), []
    (ids,) = objective.encode(STORIES[:1])
    for seed in (1, 2):
        torch.manual_seed(seed)  # changes nothing
        draw = generator()
        found.append([objective.noised(ids, draw) for _ in range(10)])
    assert found[0] == found[1]


def test_a_source_longer_than_the_model_loses_its_end(monkeypatch):
    objective = build(DenoisingConfig, max_len=8, noise="infilling")
    monkeypatch.setattr("seqbook.objectives.corruption.noises.draw_spans", lambda *_: ([(0, 1)], 5))
    source, target = objective.corrupt(objective.tokenizer.encode("a b c d e f"), generator())
    assert len(source) == len(target) == 8
    assert (source[0], source[-1]) == (objective.tokenizer.bos_id, objective.tokenizer.eos_id)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"noise": "typos"}, "noise='typos': choose one of masking, deletion, infilling, permutation, rotation, mix"),
        ({"rate": 0.0}, "rate=0.0 must be above 0 and at most 1"),
        ({"mean_length": 0.0}, "mean_length=0.0 must be above 0"),
        ({"max_len": 2}, "max_len=2 leaves no room for a corrupted text"),
    ],
)
def test_bart_settings_that_do_not_fit(settings, message, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as readers have it: beartype would be the first
    with pytest.raises(ValueError, match=message):
        build(DenoisingConfig, **settings)


def test_a_vocabulary_without_masks():
    with pytest.raises(ValueError, match="the vocabulary has no token '<mask>'"):
        Denoising(Tokenizer.train(TEXTS, "word"), max_len=32)
    with pytest.raises(ValueError, match="the vocabulary has 0 sentinels"):
        SpanCorruption(Tokenizer.train(TEXTS, "word"), max_len=32)


# ---- Both


def test_a_text_too_short_to_corrupt():
    t5, bart = build(), build(DenoisingConfig)
    with pytest.raises(ValueError, match=r"'a' is 1 tokens long, which is too short to corrupt: .* at least 2"):
        t5.encode(["a b c", "a"])
    with pytest.raises(ValueError, match=r"^'a{80}' is 1 tokens long"):  # of a long text, the beginning is named
        t5.encode(["a" * 99])
    with pytest.raises(ValueError, match=r"a text is 1 tokens long, which is too short to corrupt: .* at least 2"):
        examples(t5, ["a"])
    assert examples(t5, ["a", "b"]) == [t5.tokenizer.encode("a b")]
    assert bart.encode(["a"]) == [bart.tokenizer.encode("a")]  # a single token can still be masked
    with pytest.raises(ValueError, match=r"a text is 0 tokens long, which is too short to corrupt: .* at least 1"):
        examples(bart, ["a", ""])


@both
def test_a_text_too_long(kind, network):
    objective = build(kind)
    with pytest.raises(ValueError, match=f"is 99 tokens long: it must have 1 to {objective.longest}"):
        objective.encode(["a " * 99])
    found = examples(objective, ["a b c " * 33])
    assert len(found) == -(-99 // objective.longest)
    assert [i for ids in found for i in ids] == objective.tokenizer.encode("a b c " * 33)
    assert [len(examples(objective, ["a " * (n * objective.longest)])) for n in (1, 2)] == [1, 2]


@both
def test_a_model_may_have_room_for_the_shortest_text_alone(kind, network):
    objective = build(kind, max_len=3)
    assert objective.longest == objective.shortest
    ids = objective.tokenizer.encode("a b")[: objective.longest]
    assert [len(side) for side in objective.corrupt(ids, generator())] == [3, 3]


@both
def test_as_many_answers_are_listed_as_are_asked_for(kind, network):
    objective = build(kind)
    net, text = model(objective, network), "a <extra_id_0> b" if kind is SpanCorruptionConfig else "a <mask> b"
    ((one,),), ((more,),) = ([found.words for found in objective.fill(net, [text], top=top)] for top in (1, 5))
    assert len(one) == 1
    assert sum(p for _, p in one) < sum(p for _, p in more)


@both
def test_no_label_can_be_seen_by_its_own_prediction(kind, network):
    """Changing a target token and those after it moves no earlier prediction, and not that of the token itself."""
    objective = build(kind)
    batch, net = objective.collate(examples(objective)[:4], generator()), model(objective, network).eval()
    source_ids, target_ids = batch.inputs
    before = net(source_ids, target_ids)
    for t in range(1, target_ids.shape[1]):
        changed = target_ids.clone()
        changed[:, t:] = (changed[:, t:] + 1) % len(objective.tokenizer)  # the labels from t − 1 on
        after = net(source_ids, changed)
        torch.testing.assert_close(after[:, :t], before[:, :t], rtol=0, atol=0)


@both
def test_the_draws_are_those_of_the_generator(kind, network):
    objective = build(kind)
    found = examples(objective)[:8]
    first, again, other = (objective.collate(found, generator(seed)).inputs[0] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert first.shape != other.shape or not torch.equal(first, other)
    net = model(objective, network)
    assert mean_nll(net, objective, found, batch_size=3) == mean_nll(net, objective, found, batch_size=3)


@both
def test_the_loss_is_that_of_the_targets(kind, network):
    objective = build(kind)
    batch = objective.collate(examples(objective)[:4], generator())
    logits = torch.zeros(*batch.labels.shape, len(objective.tokenizer))
    expected = batch.n_labels * math.log(len(objective.tokenizer))
    assert objective.loss(logits, batch.labels).item() == pytest.approx(expected, rel=1e-5)


@both
def test_scores_of_each_split(kind, network):
    objective = build(kind)
    data = Dataset.from_dict(objective.tokenize(TEXTS[:9]))
    net = model(objective, network)
    scores = objective.scores(net, DatasetDict({"train": data, "validation": data, "test": data}))
    assert scores == {"loss": mean_nll(net, objective, objective.examples(data))}


@both
def test_one_batch_can_be_overfitted(kind, network):
    objective = build(kind)
    found = examples(objective)[:4]
    objective.corrupt = lambda ids, _, drawn=objective.corrupt: drawn(ids, generator(len(ids)))  # always the same
    net = model(objective, network, d_model=32, d_ff=64)
    config = TrainingConfig(steps=150, batch_size=4, learning_rate=1e-2, warmup=10, evaluations=1)
    before = mean_nll(net, objective, found)
    after = fit(net, objective, found, found, config)[-1]
    assert before > 2
    assert after["val_loss"] < 0.1
