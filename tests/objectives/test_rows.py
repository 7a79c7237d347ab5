"""What every objective of a prefix decoder must keep: each token is predicted once, no label is visible to the position
that predicts it, and no token is lost."""

import random
import re
from dataclasses import replace

import pytest
import torch
from datasets import Dataset, DatasetDict
from torch import nn

from seqbook.data.tokenizer import Tokenizer
from seqbook.metrics import mean_nll
from seqbook.models import PrefixLMConfig
from seqbook.objectives import (
    BlankInfillingConfig,
    DenoisersConfig,
    PrefixTextsConfig,
    UniLMConfig,
    blank_infilling,
    denoisers,
    unilm,
)
from seqbook.objectives.batch import IGNORED
from seqbook.objectives.filling import special_ids
from seqbook.objectives.masked import MaskedConfig
from seqbook.objectives.rows import Row, collate, encode_blanks, pieces, row_of, sequence_of
from seqbook.training import TrainingConfig, fit

WORDS = [f"w{i}" for i in range(80)]
TEXTS = [" ".join(WORDS), ". ! ? ;"]


def alone(names, name):
    return tuple(float(other == name) for other in names)


CONFIGS = {
    "prefix": PrefixTextsConfig(),
    **{f"unilm-{mode}": UniLMConfig(shares=alone(unilm.MODES, mode)) for mode in unilm.MODES},
    "unilm": UniLMConfig(rate=0.4),
    **{f"glm-{m}": BlankInfillingConfig(shares=alone(blank_infilling.LEVELS, m)) for m in blank_infilling.LEVELS},
    "glm": BlankInfillingConfig(),
    "glm-dense": BlankInfillingConfig(rate=0.9, shuffle=False),
    **{f"ul2-{m}": DenoisersConfig(mixture="ul2", shares=alone(denoisers.MODES, m)) for m in denoisers.MODES},
    "u-palm": DenoisersConfig(),
    "two": DenoisersConfig(shares=(0.5, 0.0, 0.5)),
}  # fmt: skip
every_objective = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)


def build(config, max_len=64):
    return config.build(config.tokenizers({"text": TEXTS}, {}), max_len)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def network(objective):
    """One whose parameters are drawn at random, so that each token that it attends to changes its logits."""
    extras = {"block_positions": isinstance(objective, blank_infilling.BlankInfilling)}
    config = PrefixLMConfig(**objective.sizes() | extras, d_model=16, n_layers=2, n_heads=2, max_len=objective.max_len)
    model = config.build().eval()
    for name, parameter in model.named_parameters():
        nn.init.normal_(parameter, mean=float("norm" in name and "weight" in name), std=0.3)
    return model


def distinct(objective, rng, n):
    """A text of n different words; with enough words, a full stop ends its sentences."""
    return objective.tokenizer.encode(" ".join(rng.sample(WORDS, n)))


def predicted(objective, row):
    """The labels that are words of the text."""
    return [i for i in row.labels if i != IGNORED and i not in special_ids(objective.tokenizer)]


def all_masked(objective):
    """Without the chosen tokens that UniLM leaves as they are or replaces by others."""
    if isinstance(objective, unilm.UniLM):
        settings = MaskedConfig(mask_share=1.0, random_share=0.0)
        objective.masked = settings.build({"tokenizer": objective.tokenizer}, objective.max_len)
    return objective


# ---- One row and several


def test_rows_become_a_batch():
    rows = [Row([5, 6, 7], [IGNORED, 7, 8], 2, segments=[1, 1, 2]), Row([9], [4], 0, segments=[3])]
    batch = collate(rows, pad_id=0)
    ids, prefixes, position_ids, block_position_ids, segments = batch.inputs
    assert ids.tolist() == [[5, 6, 7], [9, 0, 0]]
    assert prefixes.tolist() == [2, 0]
    assert position_ids is block_position_ids is None
    assert segments.tolist() == [[1, 1, 2], [3, 0, 0]]
    assert batch.labels.tolist() == [[IGNORED, 7, 8], [4, IGNORED, IGNORED]]
    assert batch.n_tokens == batch.n_labels == 3
    assert len(collate([row._replace(segments=None) for row in rows], 0).inputs) == 2
    assert batch.to(torch.device("meta")).inputs[4].is_meta


def test_a_row_has_the_mask_and_the_labels_that_it_should():
    assert row_of([1, 2, 3], [4, 5])[:3] == ([1, 2, 3, 4], [IGNORED, IGNORED, 4, 5], 3)
    assert row_of([1, 2, 3], [4, 5], bidirectional=False)[:3] == ([1, 2, 3, 4], [IGNORED, IGNORED, 4, 5], 0)
    assert row_of([1, 2, 3], [4, 5], bidirectional=False, whole=True)[:3] == ([1, 2, 3, 4], [2, 3, 4, 5], 0)
    assert sequence_of(row_of([1, 2, 3], [4, 5])) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(("n", "room"), [(5, 8), (8, 8), (9, 8), (17, 8), (7, 1)])
def test_pieces_have_about_the_same_length(n, room):
    found = pieces(list(range(n)), room)
    assert [i for piece in found for i in piece] == list(range(n))
    sizes = {len(piece) for piece in found}
    assert max(sizes) <= room
    assert max(sizes) - min(sizes) <= 1
    assert len(found) == -(-n // room)


def test_blanks_in_a_text_become_ids():
    tokenizer = build(PrefixTextsConfig()).tokenizer
    one, two, three = tokenizer.encode("w1 w2 w3")
    blanks = {"[MASK]": -1, "[gMASK]": -2}
    assert encode_blanks(tokenizer, "w1 [MASK] w2[MASK]w3 [gMASK]", blanks) == [one, -1, two, -1, three, -2]
    assert encode_blanks(tokenizer, "[MASK]", blanks) == [-1]
    with pytest.raises(ValueError, match=r"'w1 w2' has no \[MASK\], \[gMASK\]: write it where something is missing"):
        encode_blanks(tokenizer, "w1 w2", blanks)
    byte_pairs = Tokenizer.train(
        TEXTS, "bpe", 400
    )  # in which the space before a word, or before a blank, belongs to it
    assert encode_blanks(byte_pairs, "w1 [MASK] w2", blanks) == [
        *byte_pairs.encode("w1"), -1, *byte_pairs.encode(" w2")
    ]  # fmt: skip


def test_a_text_may_be_a_single_token():
    assert {build(CONFIGS[name]).shortest for name in ("prefix", "glm")} == {1}


# ---- Nothing is lost


@every_objective
def test_every_text_can_be_restored_from_its_row(config):
    objective, rng, draw = build(config), random.Random(0), generator()
    ends = sorted(objective.ends) if hasattr(objective, "ends") else [5]
    for i in range(300):
        n = objective.shortest + (i % 3 if i < 90 else rng.randrange(objective.room - objective.shortest + 1))
        ids = rng.choices(range(4, 40), k=n)
        if i % 2:  # the ends of sentences, here and there
            ids = [rng.choice(ends) if rng.random() < 0.2 else token for token in ids]
        row = objective.row(ids, draw)
        assert objective.restore(row) == ids
        assert len(row.ids) == len(row.labels) <= objective.longest_row(n) <= 64
        assert 0 <= row.prefix_length <= len(row.ids)
        assert any(label != IGNORED for label in row.labels)


@every_objective
def test_each_token_is_predicted_once_and_the_others_are_read(config):
    objective, rng, draw = all_masked(build(config)), random.Random(1), generator(1)
    for i in range(80):
        ids = distinct(objective, rng, objective.shortest + i % (objective.room - objective.shortest + 1))
        row = objective.row(ids, draw)
        labels = predicted(objective, row)
        assert len(set(labels)) == len(labels)
        end = len(row.ids) if isinstance(objective, unilm.UniLM) else row.prefix_length
        read = set(row.ids[:end]) - special_ids(objective.tokenizer)
        assert read | set(labels) == set(ids)
        assert not read & set(labels)


# ---- No position sees its label


@every_objective
def test_no_label_changes_the_logits_that_predict_it(config):
    """For each label, the tokens that do are found by changing each token in turn."""
    objective, rng, draw = all_masked(build(config, 24)), random.Random(2), generator(2)
    model, special = network(objective), special_ids(objective.tokenizer)
    for n in (objective.shortest, objective.shortest + 1, objective.room - 1, objective.room, objective.room):
        row = objective.row(distinct(objective, rng, n), draw)
        length = len(row.ids)
        batch = collate([row] * (length + 1), objective.tokenizer.pad_id)
        ids, *others = batch.inputs
        ids[torch.arange(1, length + 1), torch.arange(length)] = objective.tokenizer.special_id("<unk>")
        with torch.no_grad():
            logits = model(ids, *others)
        moved = (logits[1:] != logits[:1]).any(-1).T  # (query, key)
        for j, label in enumerate(row.labels):
            seen = {k for k in range(length) if moved[j, k]}
            assert seen == set(range(max(j + 1, row.prefix_length)))
            if label != IGNORED and label not in special:
                assert label not in {row.ids[k] for k in seen}


@every_objective
def test_padding_and_the_other_rows_change_nothing(config):
    objective, rng = build(config), random.Random(3)
    model = network(objective)
    rows = [objective.row(distinct(objective, rng, n), generator(n)) for n in (2, objective.room, 7)]
    together = collate(rows, objective.tokenizer.pad_id)
    with torch.no_grad():
        total = objective.nll(model(*together.inputs), together.labels)
        parts = [collate([row], objective.tokenizer.pad_id) for row in rows]
        torch.testing.assert_close(total, sum(objective.nll(model(*p.inputs), p.labels) for p in parts))
    assert together.n_tokens == sum(label != IGNORED for row in rows for label in row.labels)


@every_objective
def test_an_objective_keeps_its_settings_and_has_a_smallest_max_len(config):
    objective = build(config)
    assert objective.config is config
    smallest = objective.longest_row(objective.shortest)
    assert build(config, smallest).room == objective.shortest
    with pytest.raises(ValueError, match=f"max_len={smallest - 1} has no room for a text of {objective.shortest}"):
        build(config, smallest - 1)


# ---- What is drawn


@every_objective
def test_what_is_drawn_depends_on_the_generator_alone(config):
    objective, rng = build(config), random.Random(4)
    stop = objective.tokenizer.encode(".")
    examples = [(distinct(objective, rng, 9) + stop + distinct(objective, rng, 10),) for _ in range(12)]

    def rows(seed):
        return [
            *objective.collate(examples, generator(seed)).inputs,
            objective.collate(examples, generator(seed)).labels,
        ]

    first = rows(0)
    torch.rand(10)
    again, other = rows(0), rows(1)
    assert all(a is b is None or torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(a is b is None or (a.shape == b.shape and a.equal(b)) for a, b in zip(first, other, strict=True))


# ---- Texts


@every_objective
def test_what_a_reader_writes_is_no_special_token(config):
    objective = build(config)
    names = objective.tokenizer.tokens(sorted(special_ids(objective.tokenizer)))
    for name in names:
        if name.startswith(("[", "<extra")) and hasattr(objective, "fill"):  # GLM and UL2 refuse their own marks
            with pytest.raises(ValueError, match=re.escape(name)):
                objective.encode([f"w1 {name} w2"])
            continue
        ((ids,),) = objective.encode([f"w1 {name} w2"])
        assert not special_ids(objective.tokenizer) - {objective.tokenizer.special_id("<unk>")} & set(ids)


@every_objective
def test_refuses_texts_that_are_too_short(config):
    objective = build(config, 32)
    low = objective.shortest
    short = " ".join(WORDS[: low - 1])
    for make in (objective.encode, objective.tokenize):
        with pytest.raises(
            ValueError, match=f"{short!r} is {low - 1} tokens long.* too short: it must have at least {low}"
        ):
            make(["w1 w2", short])
    with pytest.raises(ValueError, match=f"is {low - 1} tokens long"):
        objective.row(objective.tokenizer.encode(short))
    with pytest.raises(ValueError, match=r"max_len=[123] has no room for a text of"):
        build(config, 1 if isinstance(config, PrefixTextsConfig) else 3)


@every_objective
def test_long_texts_are_cut_into_pieces_that_fit(config):
    objective = build(config, 16)
    found = objective.encode([" ".join(WORDS), "w3 w4"])
    assert found == objective.examples(Dataset.from_dict(objective.tokenize([" ".join(WORDS), "w3 w4"])))
    assert [i for (ids,) in found[:-1] for i in ids] == objective.tokenizer.encode(" ".join(WORDS))
    assert max(len(ids) for (ids,) in found) <= objective.room
    assert found[-1] == (objective.tokenizer.encode("w3 w4"),)
    batch = objective.collate(found, generator())
    assert batch.inputs[0].shape[1] <= 16
    assert objective.lengths(found[0]) == (len(found[0][0]),)


@every_objective
def test_a_pretrained_vocabulary_keeps_its_ids(config):
    pretrained = MaskedConfig().tokenizers({"text": TEXTS}, {})  # with the special tokens of BERT
    grown = config.tokenizers({"text": ["other"]}, pretrained)["tokenizer"]
    old = pretrained["tokenizer"].backend.get_vocab()
    assert {name: grown.backend.get_vocab()[name] for name in old} == old
    assert config.build({"tokenizer": grown}, 32).row([5, 6, 7], generator())
    assert len(config.tokenizers({"text": []}, {"tokenizer": grown})["tokenizer"]) == len(grown)


@pytest.mark.parametrize(
    ("name", "n_parts"), [("unilm", 4), ("glm", 3), ("u-palm", 3), ("two", 2), ("ul2-X", 0), ("prefix", 0)]
)
def test_a_mixture_is_scored_part_by_part(name, n_parts):
    texts = [" ".join(random.Random(i).choices(WORDS, k=6)) + "." for i in range(8)]
    objective = build(CONFIGS[name])
    model, rows = network(objective), Dataset.from_dict(objective.tokenize(texts))
    found, parts = objective.scores(model, DatasetDict(train=rows, test=rows)), objective.parts()
    assert set(found) == {"loss", *(f"{part}_loss" for part in parts)}
    assert len(parts) == n_parts
    for part, alone in parts.items():
        assert found[f"{part}_loss"] == mean_nll(model, alone, alone.examples(rows))
        assert not alone.parts()


@pytest.mark.parametrize("name", ["prefix", "unilm", "glm", "u-palm"])
def test_a_step_of_training_lowers_the_loss(name):
    """Through the loop that all models are trained with: batches with an input that is None, moved to the device."""
    objective = build(CONFIGS[name], 24)
    examples = [(objective.tokenizer.encode(" ".join(WORDS[i : i + 6])),) for i in range(20)]
    model = network(objective).train()
    config = TrainingConfig(steps=6, batch_size=10, learning_rate=1e-2, warmup=1, evaluations=1)
    before = mean_nll(model, objective, examples)
    fit(model, objective, examples, examples, config)
    assert mean_nll(model, objective, examples) < before - 0.1


# ---- What is refused


@pytest.mark.parametrize(
    ("config", "changes", "message"),
    [
        (UniLMConfig(), {"shares": (0.0, 0.0, 0.0, 0.0)}, r"shares=\(0.0, .* must be 4 numbers for bidirectional, "),
        (UniLMConfig(), {"rate": 0.0}, "rate=0.0 must be above 0 and at most 1"),
        (UniLMConfig(), {"rate": 1.1}, "rate=1.1 must be above 0 and at most 1"),
        (BlankInfillingConfig(), {"shares": (1.0, -1.0, 1.0)}, "shares=.* must be 3 numbers for token, sentence, doc"),
        (BlankInfillingConfig(), {"max_vocab_size": 0}, "max_vocab_size=0 must be at least 1"),
        (BlankInfillingConfig(), {"rate": 1.1}, "rate=1.1 must be above 0 and at most 1"),
        (DenoisersConfig(), {"shares": (0.0, 0.0, 0.0)}, "shares=.* must be 3 numbers for R, S, X"),
        (DenoisersConfig(), {"n_sentinels": 0}, "n_sentinels=0 must be at least 1"),
        (PrefixTextsConfig(), {"max_vocab_size": 0}, "max_vocab_size=0 must be at least 1"),
    ],
)
def test_refuses_settings_by_name(config, changes, message):
    with pytest.raises(ValueError, match=message):
        replace(config, **changes)


@pytest.mark.parametrize("config", [UniLMConfig(), BlankInfillingConfig(), DenoisersConfig()])
def test_refuses_a_vocabulary_without_its_tokens(config):
    with pytest.raises(ValueError, match=r"the vocabulary has no token '\["):
        config.build(PrefixTextsConfig().tokenizers({"text": TEXTS}, {}), 32)
