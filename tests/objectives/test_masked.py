import hashlib
import math
import random

import pytest
import torch
import torch.nn.functional as F
from datasets import Dataset, DatasetDict
from tokenizers import Tokenizer as Backend
from tokenizers import models, pre_tokenizers

from seqbook.data.loader import LengthBuckets
from seqbook.data.tokenizer import Tokenizer
from seqbook.metrics import evaluate
from seqbook.models.bert import BERTConfig, Predictions
from seqbook.objectives.filling import CLS, MASK, SEP, special_ids
from seqbook.objectives.masked import Masked, MaskedConfig
from seqbook.training import TrainingConfig, fit

TEXTS = [" ".join(random.Random(i).choices("abcdefghij", k=5 + i % 20)) for i in range(60)]
IS_NEXT, RANDOM = 0, 1  # the numbers of BERT's own code
STORIES = [
    f"{name} saw a {thing}. {name} ran! Did {name} take the {thing}?"
    for name in "Anna Tom Eva Leo Nina Max".split()
    for thing in "dog cat hat cup map key".split()
]


def build(texts=TEXTS, max_len=16, kind="word", **settings):
    config = MaskedConfig(kind=kind, **settings)
    return config.build(config.tokenizers({"text": texts}, {}), max_len)


def examples(objective, texts=TEXTS):
    return objective.examples(Dataset.from_dict(objective.tokenize(texts)))


def model(objective, **settings):
    torch.manual_seed(0)
    sizes = {"d_model": 16, "n_layers": 2, "n_heads": 2, "max_len": objective.max_len}
    return BERTConfig(**objective.sizes() | sizes | settings).build()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("rate", [0.01, 0.15, 0.4])
@pytest.mark.parametrize("n_words", [1, 5, 8, 14])
def test_the_number_of_chosen_tokens_counts_the_special_ones(rate, n_words):
    objective = build(rate=rate)
    (example,) = objective.encode([" ".join("abcdefghijabcd"[:n_words])])
    chosen = objective.choose(example.ids, generator())
    assert chosen.sum() == min(n_words, max(1, round(rate * (n_words + 2))))


def test_of_10_000_chosen_tokens_80_percent_are_masked_10_are_random_and_10_stay():
    vocabulary = [f"w{i}" for i in range(1_000)]
    objective = build([" ".join(vocabulary)], max_len=10_002, rate=1.0)
    (example,) = objective.encode([" ".join(random.Random(0).choices(vocabulary, k=10_000))])
    ids = torch.tensor(example.ids)
    batch = objective.collate([example], generator())
    corrupted, chosen, _ = batch.inputs
    assert chosen.sum() == 10_000
    masked = corrupted == objective.mask
    assert masked.sum() == pytest.approx(8_000, abs=160)  # four standard deviations
    assert (corrupted == ids).sum() - 2 == pytest.approx(1_000, abs=120)
    others = corrupted[~masked & (corrupted != ids)]
    assert len(others) == pytest.approx(1_000, abs=120)
    assert len(others.unique()) > 550  # of 1,000 tokens, which are drawn 1,000 times: 632 on average
    assert not special_ids(objective.tokenizer) & set(others.tolist())


def test_only_masks_when_all_chosen_tokens_are_masked():
    objective = build(mask_share=1.0, random_share=0.0)
    corrupted, chosen, _ = objective.collate(examples(objective), generator()).inputs
    assert torch.equal(corrupted == objective.mask, chosen)


@pytest.mark.parametrize("random_share", [0.0, 1.0])
def test_no_masks_when_their_share_is_0(random_share, monkeypatch):
    """Not even where the number that is drawn is 0 too."""
    objective = build(["a b c d e f g h i j"], mask_share=0.0, random_share=random_share, rate=1.0)
    (example,) = objective.encode(["a b c d e f g h i j"])
    monkeypatch.setattr(torch, "rand", lambda n, generator=None: torch.zeros(n))
    corrupted, chosen, _ = objective.collate([example], generator()).inputs
    same = corrupted[chosen] == torch.tensor(example.ids)[chosen[0]]
    assert objective.mask not in corrupted
    assert same.sum() < 5 if random_share else same.all()  # of 10 random tokens, 1 is the original on average


@pytest.mark.parametrize("pairs", [False, True])
def test_special_tokens_and_padding_are_never_chosen(pairs):
    objective = build(STORIES, max_len=40, rate=1.0, pairs=pairs)
    found = [*examples(objective, STORIES), *objective.encode(["Anna ran"])]
    batch = objective.collate(found, generator())
    corrupted, chosen, _ = batch.inputs
    ids = corrupted.clone()
    ids[chosen] = batch.labels.tokens if pairs else batch.labels
    special = torch.isin(ids, torch.tensor(sorted(special_ids(objective.tokenizer))))
    assert torch.equal(chosen, ~special)
    assert (ids == objective.tokenizer.pad_id).any()
    assert [row[row != objective.tokenizer.pad_id].tolist() for row in ids] == [example.ids for example in found]


def test_texts_are_read_in_windows_that_do_not_overlap():
    objective = build()
    cls, sep = (objective.tokenizer.special_id(name) for name in (CLS, SEP))
    stream = [i for text in TEXTS for i in (*objective.tokenizer.encode(text), sep)]
    found = examples(objective)
    assert all(example.ids[0] == cls and example.n_first == len(example.ids) for example in found)
    assert [i for example in found for i in example.ids[1:]] == stream
    assert {len(example.ids) for example in found[:-1]} == {16}


def test_a_window_without_a_word_is_left_out():
    objective = build(max_len=4)
    assert [len(example.ids) for example in examples(objective, ["a b c"])] == [4]


def test_a_text_cannot_bring_its_own_mask():
    objective = build()
    (example,) = objective.encode([f"a {MASK} b"])
    assert objective.mask not in example.ids


def masks(objective, found, seed):
    corrupted, chosen, _ = objective.collate(found, generator(seed)).inputs
    return torch.cat([corrupted, chosen], 1)


def test_static_masks_stay_and_dynamic_ones_change():
    static, dynamic = build(masking="static"), build()
    found = examples(static)[:20]
    assert torch.equal(masks(static, found, 0), masks(static, found, 1))
    assert torch.equal(masks(static, found, 0)[3:4], masks(static, found[3:4], 2))  # whatever else is in the batch
    (_, chosen) = masks(static, [found[0]] * 2 + found[1:3], 0).chunk(2, 1)
    assert torch.equal(chosen[0], chosen[1])
    assert not torch.equal(chosen[2], chosen[3])
    assert torch.equal(masks(dynamic, found, 0), masks(dynamic, found, 0))
    assert not torch.equal(masks(dynamic, found, 0), masks(dynamic, found, 1))


def test_static_masks_are_the_same_in_every_process():
    """So the seed is a known number: Python's own hash of a string would differ in each process."""
    seed = int(hashlib.sha256(b"5 6 7").hexdigest()[:14], 16)
    assert build(masking="static")._static([5, 6, 7]).initial_seed() == seed


def test_validation_is_the_same_each_time_and_training_draws_anew():
    objective, drawn = build(), []
    found, choose = examples(objective), objective.choose

    def watched(ids, draw):
        chosen = choose(ids, draw)
        drawn.append((torch.is_grad_enabled(), ids, chosen.tolist()))
        return chosen

    objective.choose = watched
    config = TrainingConfig(steps=4, batch_size=2, learning_rate=1e-3, evaluations=2)
    fit(model(objective), objective, found[:2], found[2:8], config)
    training = [row for row in drawn if row[0]]
    validation = [row for row in drawn if not row[0]]
    assert len(training) == 8
    assert len(validation) == 12
    assert validation[:6] == validation[6:]
    first = [chosen for _, ids, chosen in training if ids == found[0].ids]
    assert len(first) == 4
    assert len(set(map(str, first))) > 1


@pytest.mark.parametrize("pieces", ["##", "Ġ"])
def test_all_pieces_of_a_word_are_chosen_together(pieces):
    if pieces == "##":
        words = ["un", "##believ", "##able", "dog", "##s", "run"]
        objective = whole_words_of_wordpiece(words)
        expected = [["un"], ["dog", "##s"], ["run"], ["un", "##believ", "##able"], ["dog"], ["run"]]
        texts = ["un dogs run unbelievable dog run"]
    else:
        objective = build(["b cd"], kind="bpe", max_len=64, rate=0.3, whole_words=True)
        texts, expected = ["ab cde f.", "cde"], [["a", "b"], ["Ġcd", "e"], ["Ġ", "f", "."], ["cd", "e"]]
    (example,) = examples(objective, texts)  # one window; no word goes on in the next text
    words = [objective.tokenizer.tokens([example.ids[i] for i in word]) for word in objective._words(example.ids)]
    assert words == expected
    wanted = max(1, round(objective.config.rate * len(example.ids)))
    seen = set()
    for seed in range(100):
        chosen = set(objective.choose(example.ids, generator(seed)).nonzero().flatten().tolist())
        assert len(chosen) <= wanted
        for word in objective._words(example.ids):
            assert chosen.issuperset(word) or chosen.isdisjoint(word)
        seen |= chosen
    assert len(seen) > wanted


def whole_words_of_wordpiece(words):
    names = ["<pad>", "<unk>", CLS, SEP, MASK]
    vocabulary = {word: i for i, word in enumerate([*names, *words])}
    backend = Backend(models.WordPiece(vocabulary, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.add_special_tokens(names)
    return Masked(Tokenizer(backend), MaskedConfig(rate=0.3, whole_words=True), max_len=64)


def test_pairs_have_true_labels_and_are_always_the_same():
    texts = [*STORIES, "Nobody came.", "A cat ran."]
    objective = build(texts, max_len=40, pairs=True)
    found = examples(objective, texts)
    assert found == examples(objective, texts)
    assert len(found) == len(texts)
    tokenizer, counts = objective.tokenizer, {IS_NEXT: 0, RANDOM: 0}
    encoded = [tokenizer.encode(text) for text in texts]
    for ids, example in zip(encoded, found, strict=True):
        a, b = example.ids[1 : example.n_first - 1], example.ids[example.n_first : -1]
        assert example.ids == [objective.cls, *a, objective.sep, *b, objective.sep]
        assert a
        assert ids[: len(a)] == a
        assert (a + b == ids) is (example.next_sentence == IS_NEXT)
        assert any(b == other[-len(b) :] for other in encoded if other is not ids or example.next_sentence == IS_NEXT)
        counts[example.next_sentence] += 1
    assert [example.next_sentence for example in found[-2:]] == [RANDOM, RANDOM]
    assert counts[IS_NEXT] == pytest.approx(18, abs=8)
    _, _, segments = objective.collate(found, generator()).inputs
    for row, example in zip(segments.tolist(), found, strict=True):
        n, padding = len(example.ids), len(row) - len(example.ids)
        assert row == [0] * example.n_first + [1] * (n - example.n_first) + [0] * padding


def test_pairs_that_are_too_long_lose_tokens_at_their_ends():
    objective = build(STORIES, max_len=12, pairs=True)
    found = examples(objective, STORIES)
    assert {len(example.ids) for example in found} == {12}
    assert min(min(example.n_first - 2, 11 - example.n_first) for example in found) >= 3


def test_the_loss_is_that_of_the_chosen_tokens():
    objective = build()
    batch = objective.collate(examples(objective)[:4], generator())
    logits = torch.zeros(batch.n_tokens, len(objective.tokenizer))
    expected = batch.n_labels * math.log(len(objective.tokenizer))
    assert objective.loss(logits, batch.labels).item() == pytest.approx(expected, rel=1e-5)


def test_no_other_label_moves_the_loss_or_the_gradients():
    """Against the head at all positions, with a label at each: only the chosen ones count."""
    objective = build()
    found = examples(objective)[:4]
    batch, network = objective.collate(found, generator()), model(objective)
    corrupted, chosen, segments = batch.inputs

    objective.loss(network(*batch.inputs), batch.labels).backward()
    ours = {name: p.grad.clone() for name, p in network.named_parameters()}
    loss = objective.loss(network(*batch.inputs), batch.labels)

    for shift in (0, 1, 5):  # every label that was not chosen changes
        network.zero_grad()
        labels = torch.tensor([example.ids for example in found])
        labels = labels.where(chosen, (labels + shift) % len(objective.tokenizer))
        logits = network(corrupted, torch.ones_like(chosen), segments).unflatten(0, chosen.shape)
        losses = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none")  # (B, T)
        everywhere = losses[chosen].sum()
        torch.testing.assert_close(everywhere, loss)
        everywhere.backward()
        for name, p in network.named_parameters():
            torch.testing.assert_close(p.grad, ours[name], rtol=1e-4, atol=1e-5)
    assert not torch.isclose(losses.sum(), loss)


def test_with_pairs_training_minimises_the_sum_of_both_means():
    objective = build(STORIES, max_len=40, pairs=True)
    batch = objective.collate(examples(objective, STORIES)[:8], generator())
    network = model(objective, outputs="pretraining")
    outputs = network(*batch.inputs)
    tokens = F.cross_entropy(outputs.tokens, batch.labels.tokens)
    pairs = F.cross_entropy(outputs.next_sentence, batch.labels.next_sentence)
    torch.testing.assert_close(objective.loss(outputs, batch.labels) / batch.n_labels, tokens + pairs)
    torch.testing.assert_close(objective.nll(outputs, batch.labels) / batch.n_labels, tokens)
    torch.testing.assert_close(
        objective.loss(outputs, batch.to(torch.device("cpu")).labels), objective.loss(outputs, batch.labels)
    )


@pytest.mark.parametrize("pairs", [False, True])
def test_one_batch_can_be_overfitted(pairs):
    objective = build(STORIES, max_len=40, pairs=pairs, masking="static")
    found = examples(objective, STORIES)[:8]
    network = model(objective, d_model=32, norm="pre", outputs="pretraining" if pairs else "masked")
    config = TrainingConfig(steps=150, batch_size=8, learning_rate=1e-2, warmup=10, evaluations=1)
    before = evaluate(network, objective, found)
    after = fit(network, objective, found, found, config)[-1]
    assert before["loss"] > 2
    assert after["val_loss"] < 0.1
    assert after["val_accuracy"] == 1
    if pairs:
        assert objective._next_sentence_scores(network, found)["next_sentence_accuracy"] == 1


def test_scores_of_each_split(pairs_of_stories):
    objective, network, splits = pairs_of_stories
    scores = objective.scores(network, splits)
    assert set(scores) == {"loss", "accuracy", "next_sentence_accuracy", "next_sentence_majority"}
    found = objective.examples(splits["test"])
    plan = LengthBuckets([objective.lengths(example) for example in found], 64)
    batch = objective.collate([found[i] for i in plan.batch(0)], generator())  # as `evaluate` does
    outputs = network(*batch.inputs)
    assert scores["loss"] == pytest.approx((objective.nll(outputs, batch.labels) / batch.n_labels).item(), rel=1e-5)
    right = (outputs.tokens.argmax(-1) == batch.labels.tokens).float().mean().item()
    assert scores["accuracy"] == pytest.approx(right)
    batch = objective.collate(found, generator())
    outputs, labels = network(*batch.inputs), batch.labels.next_sentence
    assert scores["next_sentence_accuracy"] == pytest.approx(
        (outputs.next_sentence.argmax(-1) == labels).float().mean()
    )
    assert scores["next_sentence_majority"] == pytest.approx(max((labels == c).float().mean().item() for c in (0, 1)))


@pytest.mark.parametrize("guess", [IS_NEXT, RANDOM])
@pytest.mark.parametrize("labels", [[IS_NEXT, IS_NEXT, IS_NEXT, RANDOM], [IS_NEXT, RANDOM, RANDOM, RANDOM]])
def test_a_model_that_always_guesses_the_same_label(pairs_of_stories, guess, labels):
    objective, _, splits = pairs_of_stories
    found = objective.examples(splits["test"])[:4]
    found = [example._replace(next_sentence=label) for example, label in zip(found, labels, strict=True)]

    class Constant(torch.nn.Linear):
        def forward(self, ids, chosen, segments):
            answers = F.one_hot(torch.full((len(ids),), guess), 2).float()
            return Predictions(torch.zeros(int(chosen.sum()), len(objective.tokenizer)), answers)

    scores = objective._next_sentence_scores(Constant(1, 1), found)
    assert scores == {"next_sentence_accuracy": labels.count(guess) / 4, "next_sentence_majority": 0.75}


def test_so_many_words_are_listed_for_a_mask():
    objective = build()
    (found,) = objective.fill(model(objective), ["a [MASK] b"], top=2)
    assert len(found.words[0]) == 2


@pytest.fixture
def pairs_of_stories():
    objective = build(STORIES, max_len=40, pairs=True)
    rows = Dataset.from_dict(objective.tokenize(STORIES))
    splits = DatasetDict({"train": rows, "validation": rows, "test": rows.select(range(20))})
    return objective, model(objective, outputs="pretraining").eval(), splits


def test_pairs_need_the_head_for_them():
    objective = build(STORIES, max_len=40, pairs=True)
    batch = objective.collate(examples(objective, STORIES)[:4], generator())
    with pytest.raises(
        ValueError, match="pairs=True needs a model with both heads: build it with outputs='pretraining'"
    ):
        objective.loss(model(objective)(*batch.inputs), batch.labels)


def test_pairs_need_another_text():
    with pytest.raises(ValueError, match="pairs=True needs at least two texts, here are 1"):
        examples(build(pairs=True), TEXTS[:1])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rate": 0.0}, "rate=0.0 must be above 0 and at most 1"),
        ({"rate": 1.2}, "rate=1.2 must be above 0 and at most 1"),
        ({"mask_share": 0.9, "random_share": 0.2}, "mask_share=0.9 and random_share=0.2 must be 0 or more"),
        ({"random_share": -0.1}, "mask_share=0.8 and random_share=-0.1 must be 0 or more"),
        ({"max_vocab_size": 0}, "max_vocab_size=0 must be at least 1"),
        ({"whole_words": True}, "whole_words=True, but the vocabulary has no pieces"),
    ],
)
def test_a_setting_that_cannot_be(settings, message):
    with pytest.raises(ValueError, match=message):
        build(**settings)


@pytest.mark.parametrize(("text", "length"), [("", 0), ("a " * 15, 15)])
def test_a_text_of_the_wrong_length_is_named(text, length):
    with pytest.raises(ValueError, match=f"'{text}' is {length} tokens long: it must have 1 to 14"):
        build().encode(["a", text])
