import pytest

from seqbook.data.tokenizer import Tokenizer
from seqbook.objectives.classification import Classification, ClassificationConfig, Entailment, Similarity
from seqbook.objectives.layouts import CLS, DELIMITER, EXTRACT, LAYOUTS, SEP

TEXTS = ["a dog runs", "two women read", "fast"]


@pytest.fixture
def pretrained():
    """The tokenizers that pretraining leaves: GPT's knows none of the new special tokens, BERT's knows all of them."""
    plain = Tokenizer.train(TEXTS, "word")
    return {"gpt": plain, "bert": plain.with_special(CLS, SEP, "[MASK]"), "bart": plain}


def build(name, pretrained):
    return LAYOUTS[name](LAYOUTS[name].grow(pretrained[name]))


@pytest.mark.parametrize(
    ("name", "single", "pair", "segments"),
    [
        ("gpt", ["<bos>", "a", "dog", EXTRACT], ["<bos>", "a", "dog", DELIMITER, "fast", EXTRACT], None),
        ("bert", [CLS, "a", "dog", SEP], [CLS, "a", "dog", SEP, "fast", SEP], [0, 0, 0, 0, 1, 1]),
        ("bart", ["<bos>", "a", "dog", "<eos>"], ["<bos>", "a", "dog", "<eos>", "fast", "<eos>"], None),
    ],
)
def test_one_text_and_two(name, single, pair, segments, pretrained):
    layout = build(name, pretrained)
    first, second = layout.tokenizer.encode("a dog"), layout.tokenizer.encode("fast")
    assert layout.tokenizer.tokens(layout.single(first)) == single
    assert layout.tokenizer.tokens(layout.pair(first, second)) == pair
    assert pair[layout.start_of_second(first)] == "fast"
    assert layout.has_segments == (segments is not None)
    if segments:
        assert layout.segments(layout.pair(first, second)) == segments
        assert layout.segments(layout.single(first)) == [0] * 4


def test_the_head_reads_the_last_token_of_gpt_and_the_first_of_bert(pretrained):
    for name, token, position in (("gpt", EXTRACT, 5), ("bert", CLS, 0), ("bart", "<eos>", 5)):
        layout = build(name, pretrained)
        row = layout.pair(layout.tokenizer.encode("a dog"), layout.tokenizer.encode("fast"))
        assert layout.extract(row) == position
        assert row[position] == layout.tokenizer.special_id(token)


def test_the_tokenizer_grows_only_by_what_pretraining_did_not_know(pretrained):
    grown = {name: build(name, pretrained).tokenizer for name in LAYOUTS}
    assert len(grown["gpt"]) == len(pretrained["gpt"]) + 2
    assert len(grown["bert"]) == len(pretrained["bert"])
    with pytest.raises(ValueError, match=r"no token '\[CLS\]': add it with tokenizer.with_special"):
        LAYOUTS["bert"](grown["gpt"])
    with pytest.raises(ValueError, match="no token '<delimiter>'"):
        LAYOUTS["gpt"](grown["bert"])


def test_only_bert_has_an_id_for_padding(pretrained):
    assert build("gpt", pretrained).sizes() == {"vocab_size": len(pretrained["gpt"]) + 2}
    assert build("bert", pretrained).sizes() == {"vocab_size": len(pretrained["bert"]), "pad_id": 0}
    for layout in LAYOUTS.values():
        grown = layout.grow(pretrained["bert" if layout.has_segments else "gpt"])
        assert set(layout(grown).sizes()) == set(layout.fills)


# ---- Classification with both


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        (Classification, {"text": ["a dog runs", "fast"]}),
        (Entailment, {"premise": ["a dog runs", "fast"], "hypothesis": ["a dog", "two women"]}),
        (Similarity, {"first": ["a dog runs", "fast"], "second": ["a dog", "two women"]}),
    ],
)
def test_a_batch_of_bert_has_segments_and_is_read_at_its_first_token(kind, columns, pretrained):
    both = {}
    for name in ("gpt", "bert"):
        config = ClassificationConfig(classes=("no", "yes"), layout=name)
        tokenizer = config.tokenizers({}, {"tokenizer": pretrained[name]})["tokenizer"]
        objective = kind(tokenizer, config, max_len=12)
        assert set(objective.sizes()) == set(config.fills)
        both[name] = objective.collate(objective.encode(**columns, label=["yes", "no"]))
    (ids, extract), (bert_ids, bert_extract, segments) = both["gpt"].inputs, both["bert"].inputs
    assert bert_ids.shape == segments.shape == ids.shape
    assert (bert_extract == 0).all()
    assert (extract > 0).all()
    assert both["bert"].labels.task.tolist() == both["gpt"].labels.task.tolist() == [1, 0]
    assert both["bert"].n_tokens == both["gpt"].n_tokens
    second = objective.tokenizer.encode(columns.get("hypothesis", columns.get("second", [""]))[0])
    for i, segment in zip(bert_ids[0, 0].tolist(), segments[0, 0].tolist(), strict=True):
        assert segment == 0 or i in (*second, objective.layout.end, objective.tokenizer.pad_id)
    assert int(segments[0, 0].sum()) == (len(second) + 1 if second else 0)
    padding = bert_ids == objective.tokenizer.pad_id
    assert padding.any()
    assert (segments[padding] == 0).all()


@pytest.mark.parametrize("changes", [{"lm_weight": 0.5}, {"transformation": "multiple_choice"}])
def test_what_needs_a_causal_network_is_refused_for_bert(changes):
    ClassificationConfig(**changes)
    with pytest.raises(ValueError, match=r"layout='bert' with transformation=.* need a causal network"):
        ClassificationConfig(**changes, layout="bert")


def test_a_sequence_that_is_too_long_is_named(pretrained):
    layout = build("bert", pretrained)
    rows = [layout.single(layout.tokenizer.encode(text)) for text in ("fast", "a dog runs")]
    layout.check_lengths(rows, 5)
    with pytest.raises(ValueError, match=r"'a dog runs' is 5 tokens long with its special tokens: .* max_len=4"):
        layout.check_lengths(rows, 4)
