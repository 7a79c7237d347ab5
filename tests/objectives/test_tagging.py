import pytest
import torch
from datasets import Dataset, DatasetDict
from torch import nn

from seqbook import metrics
from seqbook.data.tokenizer import Tokenizer
from seqbook.objectives.batch import IGNORED
from seqbook.objectives.layouts import CLS, SEP
from seqbook.objectives.tagging import Tagging, TaggingConfig, most_frequent_tags

TOKENS = [["Anna", "met", "Ben", "."], ["Ben", "walked", "along", "Long", "Street", "."], ["Ben", "sang"]]
TAGS = [["B-PER", "O", "B-PER", "O"], ["B-PER", "O", "O", "B-LOC", "I-LOC", "O"], ["B-PER", "O"]]


@pytest.fixture(params=["gpt", "bert"])
def objective(request):
    plain = Tokenizer.train([" ".join(words) for words in TOKENS], "word").with_special(CLS, SEP)
    config = TaggingConfig(layout=request.param)
    return config.build(config.tokenizers({}, {"tokenizer": plain}), 12)


def pieces_objective(max_len=40):
    """Its tokens are characters, so nearly all words are cut."""
    tokenizer = Tokenizer.train([" ".join(words) for words in TOKENS], "character")
    return Tagging(TaggingConfig().tokenizers({}, {"tokenizer": tokenizer})["tokenizer"], max_len=max_len)


class Oracle(nn.Module):
    """Scores the given tag, an id for each position of each row, far above the others."""

    def __init__(self, of_ids):
        super().__init__()
        self.of_ids, self.unused = of_ids, nn.Parameter(torch.zeros(1))

    def forward(self, ids):
        tags = [self.of_ids[tuple(i for i in row if i)] for row in ids.tolist()]
        tags = torch.tensor([row + [0] * (ids.shape[1] - len(row)) for row in tags])
        return nn.functional.one_hot(tags, 7).float() * 9


def oracle(objective, tokens, tags):
    return Oracle({tuple(ids): [max(label, 0) for label in labels] for ids, labels in objective.encode(tokens, tags)})


def test_each_word_has_its_label_and_the_special_tokens_have_none(objective):
    ids, labels = objective.encode(TOKENS, TAGS)[1]
    assert objective.tokenizer.tokens(ids)[1:-1] == TOKENS[1]
    assert [objective.tags[i] for i in labels[1:-1]] == TAGS[1]
    assert labels[0] == labels[-1] == IGNORED
    assert (ids[0], ids[-1]) == (objective.layout.begin, objective.layout.end)


def test_a_word_of_several_tokens_has_its_label_on_the_first_one():
    objective = pieces_objective()
    ids, labels = objective.encode([["Ben", "sang"]], [["B-PER", "O"]])[0]
    assert objective.tokenizer.tokens(ids)[1:-1] == list("Bensang")
    per, o = objective.tags.index("B-PER"), objective.tags.index("O")
    assert labels == [IGNORED, per, IGNORED, IGNORED, o, IGNORED, IGNORED, IGNORED, IGNORED]


def test_only_the_labelled_positions_have_a_loss():
    objective = pieces_objective()
    batch = objective.collate(objective.encode(TOKENS, TAGS))
    assert batch.n_tokens == batch.n_labels == sum(map(len, TOKENS))
    logits = torch.randn(*batch.labels.shape, len(objective.tags))
    changed = logits.clone()
    changed[batch.labels == IGNORED] += torch.randn(7)
    assert torch.equal(objective.nll(changed, batch.labels), objective.nll(logits, batch.labels))
    right = logits.argmax(-1) == batch.labels
    assert objective.n_right(changed, batch.labels) == int(right.sum())


def test_a_dataset_holds_the_same_examples(objective):
    rows = Dataset.from_dict(objective.tokenize(TOKENS, TAGS))
    assert objective.examples(rows) == objective.encode(TOKENS, TAGS)
    assert [objective.lengths(example) for example in objective.examples(rows)] == [(6,), (8,), (4,)]


@pytest.mark.parametrize("cut", [False, True])
def test_the_tags_of_words_are_read_at_their_first_tokens(objective, cut):
    objective = pieces_objective() if cut else objective
    assert objective.predict(oracle(objective, TOKENS, TAGS), TOKENS) == TAGS


def test_scores_of_a_model_and_of_both_baselines(objective):
    columns = {"tokens": TOKENS, "tags": TAGS}
    test = {"tokens": [["Ben", "met", "Anna"], ["Street", "sang"]], "tags": [["B-PER", "O", "B-PER"], ["O", "O"]]}
    splits = DatasetDict(
        {
            name: Dataset.from_dict(data | objective.tokenize(**data))
            for name, data in {"train": columns, "test": test}.items()
        }
    )
    scores = objective.scores(oracle(objective, **test), splits)
    assert (scores["f1"], scores["accuracy"]) == (1.0, 1.0)
    assert scores["loss"] < 0.01
    assert (scores["all_o_f1"], scores["all_o_accuracy"]) == (0.0, 0.6)
    # By words, "Street" is always inside a place, also here: one word is wrong, but no entity is.
    assert scores["by_word_accuracy"] == 0.8
    assert scores["by_word_f1"] == 1.0


def test_the_most_frequent_tag_of_each_word():
    found = most_frequent_tags([["May", "May"], ["May", "b"]], [["B-PER", "O"], ["O", "B-LOC"]])
    assert found == {"May": "O", "b": "B-LOC"}
    assert most_frequent_tags([["May", "May"]], [["O", "B-PER"]]) == {"May": "B-PER"}


@pytest.mark.parametrize(
    ("found", "f1"),
    [
        (["B-PER", "O", "B-LOC", "I-LOC"], 1.0),
        (["B-PER", "O", "B-LOC", "O"], 0.5),  # the end of the place is wrong
        (["B-PER", "O", "B-ORG", "I-ORG"], 0.5),  # its kind is
        (["B-PER", "O", "I-LOC", "I-LOC"], 2 / 3),  # strict: nothing begins here
        (["O", "O", "O", "O"], 0.0),
    ],
)
def test_entity_f1_counts_whole_entities(found, f1):
    assert metrics.entity_f1([found], [["B-PER", "O", "B-LOC", "I-LOC"]]) == pytest.approx(f1)


def test_entity_f1_checks_its_input():
    with pytest.raises(ValueError, match="sentence 1 has 1 tags for 2 words: give one for each"):
        metrics.entity_f1([["O"], ["O"]], [["O"], ["O", "O"]])
    with pytest.raises(ValueError, match="there are 0 hypotheses for 1 references"):
        metrics.entity_f1([], [["O"]])


def test_sizes_are_those_that_the_recipe_leaves_open(objective):
    assert set(objective.sizes()) == set(objective.config.fills)
    assert objective.sizes()["n_classes"] == 7
    assert Tagging(objective.tokenizer, TaggingConfig(entities=("X",), layout=objective.config.layout), max_len=9).tags \
        == ("O", "B-X", "I-X")  # fmt: skip


@pytest.mark.parametrize(
    ("tokens", "tags", "message"),
    [
        ([["a"], ["Ben", "met"]], [["O"], ["O"]], "row 1 has 2 words and 1 tags: give one tag for each word"),
        ([["a"], ["Ben"]], [["O"], ["O", "O"]], "row 1 has 1 words and 2 tags: give one tag for each word"),
        ([["a"], ["Ben"]], [["O"], ["B-DOG"]], "row 1 has the tag 'B-DOG': it must be one of O, B-PER, I-PER, B-LOC"),
        ([["a"], []], [["O"], []], "row 1 has no words: leave it out"),
        ([["a"], ["Ben", " "]], [["O"], ["O", "O"]], "row 1 has the word ' ', which has no tokens: leave it out"),
        ([["met"] * 11], [["O"] * 11], "'met met .*' is 13 tokens long with its special tokens: .* max_len=12"),
    ],
)
def test_mistakes_are_named(objective, tokens, tags, message):
    with pytest.raises(ValueError, match=message):
        objective.encode(tokens, tags)
