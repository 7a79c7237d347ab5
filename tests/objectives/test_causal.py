import math

import pytest
import torch
from datasets import Dataset

from seqbook.data.tokenizer import Tokenizer
from seqbook.objectives import causal
from seqbook.objectives.batch import IGNORED
from seqbook.objectives.causal import Causal, CausalConfig

PAD, BOS, EOS, UNK = range(4)
TEXTS = ["a dog runs", "two women read", "fast"]


@pytest.fixture
def objective():
    return Causal(Tokenizer.train(TEXTS, "word"), max_len=6)


def test_a_text_is_read_from_bos_and_predicted_to_eos(objective):
    batch = objective.collate(objective.encode(["a dog runs", "fast"]))
    a, dog, runs, fast = objective.tokenizer.encode("a dog runs fast")
    (inputs,) = batch.inputs
    assert inputs.tolist() == [[BOS, a, dog, runs], [BOS, fast, PAD, PAD]]
    assert batch.labels.tolist() == [[a, dog, runs, EOS], [fast, EOS, IGNORED, IGNORED]]
    assert batch.n_tokens == 6


def test_what_a_reader_writes_cannot_end_a_text(objective):
    ((ids,),) = objective.encode(["a <eos>"])
    assert ids.count(EOS) == 1
    assert ids[-1] == EOS


def test_the_loss_is_the_sum_over_real_tokens(objective):
    batch = objective.collate(objective.encode(["a dog runs", "fast"]))
    logits = torch.zeros(2, 4, len(objective.tokenizer))
    assert objective.loss(logits, batch.labels).item() == pytest.approx(6 * math.log(len(objective.tokenizer)))


def test_texts_follow_each_other_and_are_read_in_windows(objective):
    examples = objective.examples(Dataset.from_dict(objective.tokenize(TEXTS)))
    row = [i for (ids,) in objective.encode(TEXTS) for i in ids]
    batch = objective.collate([examples[0], examples[3]])
    assert batch.inputs[0].tolist() == [row[:6], row[3:9]]
    assert batch.labels.tolist() == [row[1:7], row[4:10]]
    assert len(examples) == len(row) - 6
    assert objective.lengths(examples[0]) == (6,)


def test_one_long_text_has_no_beginning_and_no_end(objective):
    text = "a dog runs fast " * 5
    examples = objective.examples(Dataset.from_dict(objective.tokenize([text])))
    assert examples.ids == objective.tokenizer.encode(text)


def test_texts_are_continued_after_bos_up_to_eos(objective, monkeypatch):
    """Here by a model that always writes the same two words."""
    asked = []

    def complete(_model, prompts, max_new, *, stop, generator, **how):
        asked.append((prompts, max_new, stop, generator.initial_seed(), how))
        return [objective.tokenizer.encode("two women")] * len(prompts)

    monkeypatch.setattr(causal, "complete", complete)
    model = torch.nn.Linear(1, 1)
    found = objective.generate(model, ["a dog", "a zebra  runs", ""])
    assert found == ["a dog two women", "a zebra runs two women", "two women"]
    assert objective.generate(model, ["zebra ", "a dog "]) == ["zebra two women", "a dog two women"]
    assert [prompts for prompts, *_ in asked[1:]] == [[[BOS, UNK], [BOS, *objective.tokenizer.encode("a dog")]]]
    del asked[1:]
    a, dog, runs = objective.tokenizer.encode("a dog runs")
    prompts = [[BOS, a, dog], [BOS, a, UNK, runs], [BOS]]
    objective.generate(model, ["fast"], max_new=3, seed=5, top_k=2)
    assert asked == [
        (prompts, 40, [EOS], 0, {}),
        ([[BOS, *objective.tokenizer.encode("fast")]], 3, [EOS], 5, {"top_k": 2}),
    ]
    # a text begins after <eos> where there is no <bos>, and never ends where there is no <eos>
    assert causal.continue_texts(model, objective.tokenizer, [""], [], EOS) == ["two women"]
    causal.continue_texts(model, objective.tokenizer, ["fast"], [], None)
    assert [call[0] for call in asked[2:]] == [[[EOS]], [objective.tokenizer.encode("fast")]]
    assert [call[2] for call in asked[2:]] == [[EOS], []]


def test_an_objective_has_the_config_that_built_it():
    config = CausalConfig(kind="character", max_vocab_size=5)
    built = config.build(config.tokenizers({"text": TEXTS}, {}), 6)
    assert (built.config, built.max_len) == (config, 6)


def test_a_vocabulary_of_nothing():
    with pytest.raises(ValueError, match="max_vocab_size=0 must be at least 1"):
        CausalConfig(max_vocab_size=0)


@pytest.mark.parametrize(("text", "length"), [("", 0), ("a dog runs a dog runs", 6)])
def test_a_text_of_the_wrong_length_is_named(objective, text, length):
    with pytest.raises(ValueError, match=f"'{text}' is {length} tokens long: it must have 1 to 5"):
        objective.encode(["fast", text])
