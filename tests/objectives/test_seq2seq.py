import pytest
import torch
from datasets import Dataset, DatasetDict

from seqbook.objectives.batch import IGNORED
from seqbook.objectives.seq2seq import Seq2Seq, Seq2SeqConfig

PAD, BOS, EOS = range(3)
EXAMPLES = [([4, 5, 6], [7, 8]), ([9], [10, 11, 4])]


def objective(toy, **settings):
    tokenizers = toy.objective.source_tokenizer, toy.objective.target_tokenizer
    return Seq2Seq(*tokenizers, Seq2SeqConfig(**settings), max_len=5)


def test_the_decoder_reads_the_token_that_it_should_have_predicted_a_step_before(toy):
    batch = objective(toy).collate(EXAMPLES)
    source, decoder_input = batch.inputs
    assert source.tolist() == [[4, 5, 6], [9, PAD, PAD]]
    assert decoder_input.tolist() == [[BOS, 7, 8, PAD], [BOS, 10, 11, 4]]
    assert batch.labels.tolist() == [[7, 8, EOS, IGNORED], [10, 11, 4, EOS]]
    assert batch.n_tokens == 7


def test_a_source_may_be_reversed_and_keeps_its_padding_at_the_end(toy):
    batch = objective(toy, reverse_source=True).collate(EXAMPLES)
    assert batch.inputs[0].tolist() == [[6, 5, 4], [9, PAD, PAD]]
    plain = objective(toy).collate(EXAMPLES)
    assert torch.equal(batch.labels, plain.labels)
    assert torch.equal(batch.inputs[1], plain.inputs[1])


def test_loss_by_hand(toy):
    batch, logits = objective(toy).collate(EXAMPLES), torch.randn(2, 4, 12)
    log_probs = logits.log_softmax(-1)
    predicted = [(0, 0, 7), (0, 1, 8), (0, 2, EOS), (1, 0, 10), (1, 1, 11), (1, 2, 4), (1, 3, EOS)]
    torch.testing.assert_close(objective(toy).loss(logits, batch.labels), -sum(log_probs[at] for at in predicted))
    logits[0, 3] += torch.randn(12)  # at padding
    torch.testing.assert_close(objective(toy).loss(logits, batch.labels), -sum(log_probs[at] for at in predicted))


def test_label_smoothing_mixes_in_the_whole_vocabulary(toy):
    batch, logits = objective(toy).collate(EXAMPLES), torch.randn(2, 4, 12)
    plain = objective(toy).loss(logits, batch.labels)
    everything = -logits.log_softmax(-1).mean(-1)[batch.labels != IGNORED].sum()
    smoothed = objective(toy, label_smoothing=0.1).loss(logits, batch.labels)
    torch.testing.assert_close(smoothed, 0.9 * plain + 0.1 * everything)
    assert objective(toy, label_smoothing=0.1).nll(logits, batch.labels) == plain


def test_an_objective_has_the_config_that_built_it(toy):
    config = Seq2SeqConfig(reverse_source=True)
    built = config.build(toy.objective.tokenizers, 5)
    assert (built.config, built.max_len) == (config, 5)
    assert built.collate(EXAMPLES).inputs[0].tolist() == [[6, 5, 4], [9, PAD, PAD]]


@pytest.mark.parametrize("beams", [1, 3])
def test_scores_are_of_as_many_beams_as_the_settings_say(toy, beams, monkeypatch):
    config = Seq2SeqConfig(source="de", target="en", beams=beams)
    translation, asked = config.build(toy.objective.tokenizers, 16), []
    columns = {"de": ["ein hund rennt"], "en": ["a dog runs"]}
    ids = translation.tokenize(source=columns["de"], target=columns["en"])
    rows = Dataset.from_dict(columns | ids)

    def generate(model, texts, *, beams=0):
        asked.append(beams)
        return ["a dog runs"] * len(texts)

    monkeypatch.setattr(translation, "generate", generate)
    assert translation.scores(toy.model(), DatasetDict(train=rows, test=rows))["exact_match"] == 1
    assert asked == [beams]


def test_texts_become_ids(toy):
    source, target = toy.objective.source_tokenizer, toy.objective.target_tokenizer
    expected = [(source.encode("ein hund"), target.encode("a dog runs"))]
    assert objective(toy).encode(["ein hund"], ["a dog runs"]) == expected
    assert objective(toy).encode_sources(["ein hund"]) == [expected[0][0]]
    rows = Dataset.from_dict(objective(toy).tokenize(source=["ein hund"], target=["a dog runs"]))
    assert objective(toy).examples(rows) == expected


def test_lengths_count_eos(toy):
    batch = objective(toy).collate(EXAMPLES[:1])
    assert objective(toy).lengths(EXAMPLES[0]) == (batch.labels.shape[1], batch.inputs[0].shape[1])


def test_the_longest_that_fits_and_what_does_not(toy):
    fits = objective(toy).encode(["hund " * 5], ["dog " * 4])
    assert objective(toy).collate(fits).inputs[1].shape[1] == 5
    with pytest.raises(ValueError, match=r"'hund hund .* is 6 tokens long: it must have 1 to 5"):
        objective(toy).encode(["hund " * 6], ["dog"])
    with pytest.raises(ValueError, match=r"'dog dog .* is 5 tokens long: it must have 1 to 4"):
        objective(toy).encode(["hund"], ["dog " * 5])
    for source, target in (("", "dog"), ("hund", " ")):
        with pytest.raises(ValueError, match="is 0 tokens long"):
            objective(toy).encode(["hund", source], ["dog", target])


def test_as_many_targets_as_sources(toy):
    with pytest.raises(ValueError, match="argument"):
        objective(toy).encode(["hund", "ein"], ["dog"])


def test_what_the_model_reads_before_it_writes(toy):
    for reverse in (False, True):
        chosen = objective(toy, reverse_source=reverse)
        source_ids, first_ids = chosen.prompt([[4, 5, 6], [9]])
        assert source_ids.tolist() == [[6, 5, 4] if reverse else [4, 5, 6], [9, PAD, PAD]]
        assert first_ids.tolist() == [[BOS], [BOS]]


def test_translations_have_room_but_end(toy):
    tokenizers = toy.objective.source_tokenizer, toy.objective.target_tokenizer
    assert [objective(toy).longest(n) for n in (1, 5)] == [5, 5]  # max_len
    assert [Seq2Seq(*tokenizers, max_len=40).longest(n) for n in (1, 5, 20)] == [12, 20, 40]


@pytest.mark.parametrize("architecture", ["RNNSeq2Seq", "Transformer"])
@pytest.mark.parametrize("beams", [1, 3])
def test_translations_come_in_the_order_of_the_texts(architecture, toy, pairs, beams, random_model):
    model = random_model(architecture, 1, source_vocab_size=12, max_len=12)
    texts = [row["de"] for row in pairs[:30]]
    one_by_one = [toy.objective.generate(model, [text], beams=beams)[0] for text in texts]
    assert toy.objective.generate(model, texts, beams=beams, batch_size=7) == one_by_one
    assert len(set(one_by_one)) > 1


@pytest.mark.parametrize(
    ("how", "translation"),
    [
        ({}, "a dog"),  # P = 0.4 · 0.51 = 0.204
        ({"beams": 2, "length_penalty": 0.0}, "two read"),  # 0.35 · 0.6 = 0.21
        ({"beams": 3, "length_penalty": 0.0}, "women"),  # 0.25, and the third of the first words
        ({"beams": 3}, "two read"),  # log 0.21 / 3 tokens > log 0.25 / 2 tokens
    ],
)
def test_the_translation_is_the_best_of_so_many_beams(toy, table, how, translation):
    words = {
        "<bos>": {"a": 0.4, "two": 0.35, "women": 0.25},
        "a": {"dog": 0.51, "runs": 0.49},
        "two": {"read": 0.6, "books": 0.4},
    }
    words |= {word: {"<eos>": 1.0} for word in "women dog runs read books".split()}
    token, size = toy.objective.target_tokenizer.special_id, len(toy.objective.target_tokenizer)
    following = {token(last): {token(word): p for word, p in row.items()} for last, row in words.items()}
    model = table(size, following, given=1)
    assert toy.objective.generate(model, ["ein hund"], **how) == [translation]


def test_fewer_beams_than_one(toy):
    with pytest.raises(ValueError, match="beams=0 must be at least 1"):
        toy.objective.generate(toy.model(), ["hund"], beams=0)


def test_a_text_that_can_not_be_translated_is_named(toy):
    with pytest.raises(ValueError, match=r"'ein ein .* is 13 tokens long: it must have 1 to 12"):
        toy.objective.generate(toy.model(), ["hund", "ein " * 13])
    with pytest.raises(ValueError, match="'' is 0 tokens long"):
        toy.objective.generate(toy.model(), ["hund", ""])


@pytest.mark.parametrize(
    ("changes", "message"), [({"beams": 0}, "beams=0 must"), ({"max_vocab_size": 0}, "max_vocab_size=0 must")]
)
def test_refuses_settings_by_name(changes, message):
    with pytest.raises(ValueError, match=message):
        Seq2SeqConfig(**changes)


def test_a_greedy_translation_does_not_depend_on_the_other_texts(toy):
    """Not even where the model never ends a sentence."""
    objective, model = Seq2Seq(*toy.objective.tokenizers.values(), max_len=40), toy.model(max_len=40)
    with torch.no_grad():
        model.out.bias[objective.target_tokenizer.special_id("dog")] = 1e9
    texts = ["ein hund", "zwei frauen lesen bücher " * 4]
    found = objective.generate(model, texts)
    assert found == [objective.generate(model, [text])[0] for text in texts]
    assert found == ["dog " * 13 + "dog", "dog " * 39 + "dog"]  # 2 · 2 + 10 words, and max_len
