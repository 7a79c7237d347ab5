from collections import Counter

import jaxtyping
import pytest
import torch
from datasets import Dataset, DatasetDict
from torch import nn

from seqbook.generation.beam import beam
from seqbook.models import PrefixLMConfig
from seqbook.objectives.batch import IGNORED
from seqbook.objectives.causal import Causal
from seqbook.objectives.layouts import DELIMITER
from seqbook.objectives.prefix import PrefixPairsConfig, PrefixTextsConfig
from seqbook.training import TrainingConfig, fit

PAD, BOS, EOS = range(3)
GERMAN, ENGLISH = ["ein hund rennt", "frauen lesen"], ["a dog runs", "women read"]
CAUSAL = {"prefix": "causal"}
WHOLE = {"prefix": "causal", "loss_on": "whole"}


def pairs_objective(max_len=12, sources=GERMAN, targets=ENGLISH, **settings):
    config = PrefixPairsConfig(source="de", target="en", **settings)
    return config.build(config.tokenizers({"source": sources, "target": targets}, {}), max_len)


def texts_objective(max_len=12):
    return PrefixTextsConfig().build(PrefixTextsConfig().tokenizers({"text": ENGLISH}, {}), max_len)


def network(objective, **changes):
    torch.manual_seed(0)
    sizes = {"d_model": 16, "n_layers": 2, "n_heads": 2, "max_len": objective.max_len}
    model = PrefixLMConfig(**objective.sizes() | sizes | changes).build().eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.4)
    return model


# ---- Pairs


def test_a_pair_is_one_row_and_only_the_target_is_predicted():
    objective = pairs_objective()
    a, b, c, x, y, z = objective.tokenizer.encode("ein hund rennt a dog runs")
    p, q, u, v = objective.tokenizer.encode("frauen lesen women read")
    d = objective.tokenizer.special_id(DELIMITER)
    batch = objective.collate(objective.encode(GERMAN, ENGLISH))
    ids, prefixes = batch.inputs
    assert ids.tolist() == [[BOS, a, b, c, d, x, y, z], [BOS, p, q, d, u, v, PAD, PAD]]
    assert prefixes.tolist() == [5, 4]
    no = IGNORED
    assert batch.labels.tolist() == [[no, no, no, no, x, y, z, EOS], [no, no, no, u, v, EOS, no, no]]
    assert batch.n_tokens == 7
    assert [objective.lengths(e) for e in objective.encode(["ein hund rennt", "frauen"], ENGLISH)] == [(8,), (5,)]


def test_the_two_decoders_differ_in_the_mask_alone():
    both, causal, whole = (pairs_objective(**settings) for settings in ({}, CAUSAL, WHOLE))
    examples = both.encode(GERMAN, ENGLISH)
    batches = [objective.collate(examples) for objective in (both, causal, whole)]
    assert all(torch.equal(batch.inputs[0], batches[0].inputs[0]) for batch in batches)
    assert [batch.inputs[1].tolist() for batch in batches] == [[5, 4], [0, 0], [0, 0]]
    assert torch.equal(batches[0].labels, batches[1].labels)
    ids, labels = batches[2].inputs[0], batches[2].labels
    assert torch.equal(labels[:, :-1].masked_fill(labels[:, :-1] == EOS, PAD)[0], ids[0, 1:])
    assert batches[2].n_tokens == 8 + 6


@pytest.mark.parametrize("settings", [{}, CAUSAL, WHOLE])
def test_no_label_of_a_pair_changes_the_logits_that_predict_it(settings):
    """Each token is changed in turn: what moves is what the mask allows, and no label is among it."""
    objective = pairs_objective(**settings)
    model, row = network(objective), objective.row([4, 5, 6], [7, 8, 9])
    n, prefix = len(row.ids), row.prefix_length
    ids, prefixes = torch.tensor([row.ids] * (n + 1)), torch.full((n + 1,), prefix)
    ids[torch.arange(1, n + 1), torch.arange(n)] = 11
    with torch.no_grad():
        logits = model(ids, prefixes)
    moved = (logits[1:] != logits[:1]).any(-1).T  # (query, key)
    query, key = torch.arange(n)[:, None], torch.arange(n)
    assert torch.equal(moved, (key <= query) | (key < prefix))
    for j, label in enumerate(row.labels):
        assert label == IGNORED or label not in {row.ids[k] for k in range(n) if moved[j, k]}


@pytest.mark.parametrize("settings", [{}, CAUSAL, WHOLE])
def test_pairs_can_be_restored(settings):
    objective, generator = pairs_objective(**settings), torch.Generator().manual_seed(0)
    for i in range(500):
        n, m = 1 + i % 3, 1 + i % 7
        pair = tuple(torch.randint(4, 12, (k,), generator=generator).tolist() for k in (n, m))
        assert objective.restore(objective.row(*pair)) == pair


def test_a_loss_inside_a_bidirectional_prefix_is_refused(monkeypatch):
    """Each label is the next token, which the position has already read."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as readers have it: beartype would be the first
    with pytest.raises(ValueError, match=r"attends to the next token, which is its label.*prefix='causal'"):
        PrefixPairsConfig(loss_on="whole")
    assert PrefixPairsConfig(**WHOLE).loss_on == "whole"
    with pytest.raises(ValueError, match="prefix='both': choose one of bidirectional, causal"):
        PrefixPairsConfig(prefix="both")
    with pytest.raises(ValueError, match="loss_on='source': choose one of target, whole"):
        PrefixPairsConfig(loss_on="source")
    with pytest.raises(ValueError, match="beams=0 must be at least 1"):
        PrefixPairsConfig(beams=0)


def test_pairs_of_the_wrong_length_are_named():
    objective = pairs_objective(max_len=7)
    assert len(objective.collate(objective.encode(["hund hund"], ["dog dog dog"])).inputs[0][0]) == 7
    with pytest.raises(ValueError, match=r"'hund hund' and its target are 2 \+ 4 tokens long.* at most 5"):
        objective.encode(["hund", "hund hund"], ["dog", "dog " * 4])
    for source, target in (("", "dog"), ("hund", "")):
        with pytest.raises(ValueError, match="'' is 0 tokens long"):
            objective.encode([source], [target])
    with pytest.raises(ValueError, match="zip"):
        objective.encode(["hund", "hund"], ["dog"])


def test_a_delimiter_that_a_reader_writes_is_not_one():
    objective = pairs_objective(max_len=30)
    ((source, target),) = objective.encode([f"hund {DELIMITER}"], [f"dog {DELIMITER} <eos>"])
    assert objective.delimiter not in source + target
    assert EOS not in target


def test_label_smoothing_is_part_of_the_loss_alone():
    objective = pairs_objective(label_smoothing=0.1)
    batch = objective.collate(objective.encode(GERMAN, ENGLISH))
    logits = torch.randn(2, 8, len(objective.tokenizer))
    plain, everything = objective.nll(logits, batch.labels), -logits.log_softmax(-1).mean(-1)[batch.labels != IGNORED]
    torch.testing.assert_close(objective.loss(logits, batch.labels), 0.9 * plain + 0.1 * everything.sum())


@pytest.mark.parametrize("settings", [{}, CAUSAL])
@pytest.mark.parametrize("beams", [1, 3])
def test_targets_do_not_depend_on_the_batch(settings, beams, pairs):
    texts = [row["de"] for row in pairs[:20]]
    objective = pairs_objective(14, texts, [row["en"] for row in pairs[:20]], **settings)
    model = network(objective)
    alone = [objective.generate(model, [text], beams=beams)[0] for text in texts]
    assert objective.generate(model, texts, beams=beams) == alone
    assert len(set(alone)) > 3


@pytest.mark.parametrize("beams", [1, 2, 3])
def test_targets_are_the_best_that_the_search_finds(beams, pairs):
    sources = [row["de"] for row in pairs[:12]]
    objective = pairs_objective(40, sources, [row["en"] for row in pairs[:12]])
    model, expected, lengths = network(objective), [], set()
    nn.init.normal_(
        model.embedding.tokens.weight, std=0.1
    )  # close choices, where a search finds more than one step does
    for ids in objective.tokenizer.encode_batch(sources):
        given = torch.tensor([objective.prefix(ids)]), torch.tensor([0]), torch.tensor([len(ids) + 2])
        longest = 2 * len(ids) + 10
        (hypotheses,) = beam(model, given, max_new=longest, stop=[EOS], beams=beams, length_penalty=0.3)
        expected.append(objective.tokenizer.decode(hypotheses[0].ids))
        lengths.add(len(hypotheses[0].ids) - longest)
    with torch.device("meta"):  # stands for a GPU: everything is made where the model is
        assert objective.generate(model, sources, beams=beams, length_penalty=0.3) == expected
    assert 0 in lengths  # some targets have no end
    assert (objective.generate(model, sources) == expected) is (beams == 1)


def test_the_length_penalty_reaches_the_search(table):
    objective = pairs_objective(40)
    (word,) = objective.tokenizer.tokens([7])
    size, may_end = len(objective.tokenizer), {EOS: 0.4, 7: 0.6}
    model = table(size, dict.fromkeys(range(size), may_end))
    # 0.4 alone, or log 0.6 for each of 12 tokens, divided by their number: then long is better
    assert objective.generate(model, ["hund"], beams=2, length_penalty=0.0) == [""]
    assert objective.generate(model, ["hund"], beams=2) == [" ".join([word] * 12)]


@pytest.mark.parametrize("settings", [{}, CAUSAL], ids=["bidirectional", "causal"])
def test_pairs_that_are_known_by_heart_are_generated(settings, pairs):
    rows = [{"de": row["de"], "en": row["en"]} for row in pairs[:6]]
    sources, targets = ([row[side] for row in rows] for side in ("de", "en"))
    objective = pairs_objective(16, sources, targets, **settings)
    model = network(objective, d_model=32)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.15)
    examples = objective.encode(sources, targets)
    fit(model, objective, examples, examples, TrainingConfig(steps=60, batch_size=6, learning_rate=1e-2, warmup=5))
    assert objective.generate(model, sources) == targets
    split = Dataset.from_list(rows)
    split = split.add_column("source_ids", [e[0] for e in examples]).add_column("target_ids", [e[1] for e in examples])
    found = objective.scores(model, DatasetDict(train=split, test=split))
    assert found["exact_match"] == 1.0
    assert found["bleu"] > 99
    assert found["loss"] < 0.5


@pytest.mark.parametrize("settings", [{}, CAUSAL], ids=["bidirectional", "causal"])
def test_targets_are_what_the_network_would_predict(settings, pairs):
    """Uncached, one source at a time, under the mask of training; the other mask gives other targets."""
    sources = [row["de"] for row in pairs[:8]]
    objective = pairs_objective(14, sources, [row["en"] for row in pairs[:8]], **settings)
    model, others = network(objective), 0
    for source, found in zip(sources, objective.generate(model, sources), strict=True):
        prefix, written = objective.prefix(objective.tokenizer.encode(source)), []
        for n in (0, len(prefix)) if settings else (len(prefix), 0):
            ids = list(prefix)
            while len(ids) < 15 and ids[-1] != EOS:
                ids.append(int(model(torch.tensor([ids]), torch.tensor([n]))[0, -1].argmax()))
            written.append(objective.tokenizer.decode(ids[len(prefix) :]))
        assert found == written[0]
        others += written[0] != written[1]
    assert others


def test_a_source_that_leaves_no_room_is_named():
    objective = pairs_objective(max_len=6)
    assert len(objective.generate(network(objective), ["hund " * 4])) == 1
    with pytest.raises(ValueError, match=r"'hund hund .* is 5 tokens long: it must have 1 to 4"):
        objective.generate(network(objective), ["hund", "hund " * 5])


# ---- Texts


def test_a_text_is_split_where_its_prefix_ends():
    objective = texts_objective()
    assert objective.room == 11  # of 12: <bos> is read too
    a, dog, runs = ids = objective.tokenizer.encode("a dog runs")
    row = objective.split(ids, 2)
    assert row[:3] == ([BOS, a, dog, runs], [IGNORED, dog, runs, EOS], 2)
    assert objective.split(ids, 1)[1:3] == ([a, dog, runs, EOS], 1)
    assert objective.split(ids, 4)[1:3] == ([IGNORED, IGNORED, IGNORED, EOS], 4)


@pytest.mark.parametrize("n", [-1, 0, 5, 9])
def test_a_prefix_that_does_not_fit_is_refused(n):
    objective = texts_objective()
    with pytest.raises(ValueError, match=f"a prefix of {n} tokens does not fit a text of 5 tokens.*give 1 to 4"):
        objective.split([5, 6, 7], n)


def test_the_split_is_uniform_from_1_to_the_last_token():
    objective, generator = texts_objective(), torch.Generator().manual_seed(0)
    drawn = Counter(objective.row([5, 6, 7], generator).prefix_length for _ in range(4_000))
    assert sorted(drawn) == [1, 2, 3, 4]
    assert all(count == pytest.approx(1_000, abs=110) for count in drawn.values())  # four standard deviations


def test_of_a_whole_pair_the_causal_decoder_is_trained_as_gpt_is():
    objective = pairs_objective(**WHOLE)
    sequence = [BOS, 5, 6, objective.delimiter, 7, 8, EOS]
    batch, expected = (
        objective.collate([([5, 6], [7, 8])]),
        Causal(objective.tokenizer, max_len=12).collate([(sequence,)]),
    )
    assert torch.equal(batch.inputs[0], expected.inputs[0])
    assert torch.equal(batch.labels, expected.labels)
    assert not batch.inputs[1].any()


def test_what_continues_a_text_has_read_all_of_it_in_both_directions():
    objective, texts = texts_objective(), ["a dog", "", "women read a"]
    model = network(objective)
    found = objective.generate(model, texts, max_new=5, top_k=1)
    for text, continued in zip(texts, found, strict=True):
        ids = [BOS, *objective.tokenizer.encode(text)]
        n = len(ids)
        while len(ids) < n + 5:  # uncached, and alone
            ids.append(int(model(torch.tensor([ids]), torch.tensor([n]))[0, -1].argmax()))
        new = ids[n : ids.index(EOS)] if EOS in ids else ids[n:]
        assert continued == objective.tokenizer.decode([*ids[:n], *new])
    assert objective.generate(model, texts, max_new=5, seed=1) != objective.generate(model, texts, max_new=5, seed=2)
    with pytest.raises(ValueError, match=r"prompt 0 has 9 tokens, which leaves no room for max_new=5: at most 8 fit"):
        objective.generate(model, ["a " * 8], max_new=5)
