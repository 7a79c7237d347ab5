import math

import pytest
import torch
import torch.nn.functional as F
from datasets import Dataset, DatasetDict
from torch import nn

from seqbook.data.tokenizer import Tokenizer
from seqbook.models.heads import Outputs
from seqbook.objectives.batch import IGNORED
from seqbook.objectives.classification import (
    TRANSFORMATIONS,
    Classification,
    ClassificationConfig,
    Entailment,
    MultipleChoice,
    Packed,
    Similarity,
    pack,
)
from seqbook.objectives.layouts import DELIMITER, EXTRACT

PAD, BOS = 0, 1
TEXTS = ["a dog runs", "two women read", "fast"]
COLUMNS = {
    Classification: {"text": ["a dog runs", "fast"]},
    Entailment: {"premise": ["a dog runs", "fast"], "hypothesis": ["a dog", "two women"]},
    Similarity: {"first": ["a dog runs", "fast"], "second": ["a dog", "two women"]},
    MultipleChoice: {"context": ["a dog runs", "fast"], "choices": [["a", "dog", "runs fast"], ["two", "a dog", "read"]]},
}  # fmt: skip


@pytest.fixture
def tokenizer():
    return Tokenizer.train(TEXTS, "word").with_special(DELIMITER, EXTRACT)


def build(kind, tokenizer, max_len=9, **settings):
    classes = () if kind is MultipleChoice else ("no", "yes")
    return kind(tokenizer, ClassificationConfig(classes=classes, **settings), max_len=max_len)


def encode(objective, labels=None):
    kind = type(objective)
    return objective.encode(**COLUMNS[kind], label=labels or ([2, 0] if kind is MultipleChoice else ["yes", "no"]))


def test_the_four_transformations(tokenizer):
    a, dog, runs, two, women, read, fast = tokenizer.encode("a dog runs two women read fast")
    d, e = tokenizer.special_id(DELIMITER), tokenizer.special_id(EXTRACT)
    expected = {
        Classification: [([[BOS, a, dog, runs, e]], 1), ([[BOS, fast, e]], 0)],
        Entailment: [([[BOS, a, dog, runs, d, a, dog, e]], 1), ([[BOS, fast, d, two, women, e]], 0)],
        Similarity: [
            ([[BOS, a, dog, runs, d, a, dog, e], [BOS, a, dog, d, a, dog, runs, e]], 1),
            ([[BOS, fast, d, two, women, e], [BOS, two, women, d, fast, e]], 0),
        ],
        MultipleChoice: [
            (
                [
                    [BOS, a, dog, runs, d, a, e],
                    [BOS, a, dog, runs, d, dog, e],
                    [BOS, a, dog, runs, d, runs, fast, e],
                ],
                2,
            ),
            ([[BOS, fast, d, two, e], [BOS, fast, d, a, dog, e], [BOS, fast, d, read, e]], 0),
        ],
    }
    for kind, examples in expected.items():
        assert encode(build(kind, tokenizer)) == examples


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_dataset_holds_the_same_examples(kind, tokenizer):
    objective = build(kind, tokenizer)
    labels = {"label": [2, 0] if kind is MultipleChoice else ["yes", "no"]}
    rows = Dataset.from_dict(objective.tokenize(**COLUMNS[kind], **labels) | labels)
    assert objective.examples(rows) == encode(objective)


@pytest.mark.parametrize("kind", [Classification, Entailment, Similarity])
def test_a_batch_says_where_to_read_and_what_comes_next(kind, tokenizer):
    objective = build(kind, tokenizer)
    examples = encode(objective)
    batch = objective.collate(examples)
    ids, extract = batch.inputs
    assert ids.shape[:2] == extract.shape == (2, len(examples[0][0]))
    assert batch.labels.lm.shape == ids.shape
    for b, (rows, label) in enumerate(examples):
        assert batch.labels.task[b] == label
        assert objective.lengths((rows, label)) == (max(map(len, rows)),)
        for n, row in enumerate(rows):
            padding = ids.shape[2] - len(row)
            assert ids[b, n].tolist() == row + [PAD] * padding
            assert ids[b, n, extract[b, n]] == tokenizer.special_id(EXTRACT)
            assert batch.labels.lm[b, n].tolist() == row[1:] + [IGNORED] * (padding + 1)
    assert batch.n_labels == 2
    assert batch.n_tokens == sum(len(row) - 1 for rows, _ in examples for row in rows)
    moved = batch.to(torch.device("meta"))
    assert {t.device.type for t in (*moved.inputs, *moved.labels)} == {"meta"}
    assert moved.n_labels == 2


def test_a_common_beginning_is_read_once():
    found = pack([[1, 5, 6, 2, 7, 3], [1, 5, 6, 2, 8, 9, 3]])
    assert found == Packed(
        ids=[1, 5, 6, 2, 7, 3, 2, 8, 9, 3],
        branches=[0, 0, 0, 1, 1, 1, 2, 2, 2, 2],
        position_ids=[0, 1, 2, 3, 4, 5, 3, 4, 5, 6],
        following=[5, 6, 2, 7, 3, IGNORED, 8, 9, 3, IGNORED],
        extract=[5, 9],
    )


@pytest.mark.parametrize(
    "rows",
    [
        [[1, 5, 2, 6, 3]],
        [[1, 5, 2, 6, 3], [1, 5, 2, 6, 3]],
        [[1, 5, 3], [1, 6, 3], [1, 7, 7, 3]],
        [[1, 5, 2, 6, 7, 3], [1, 5, 2, 6, 3], [1, 5, 2, 6, 8, 9, 3]],
    ],
    ids=["one", "equal", "nothing but the first token in common", "the beginning of an answer in common"],
)
def test_a_packed_row_holds_each_sequence(rows):
    """What a branch may attend to, in the order of the positions, is its sequence; each next token is predicted once."""
    found = pack(rows)
    assert len({len(part) for part in found[:4]}) == 1
    for n, row in enumerate(rows, 1):
        seen = [i for i, branch in enumerate(found.branches) if branch in (0, n)]
        assert [found.ids[i] for i in seen] == row
        assert [found.position_ids[i] for i in seen] == list(range(len(row)))
        assert [found.following[i] for i in seen] == [*row[1:], IGNORED]
        assert seen[-1] == found.extract[n - 1]


def test_a_batch_of_choices_holds_packed_rows(tokenizer):
    objective = build(MultipleChoice, tokenizer)
    examples = encode(objective)
    batch = objective.collate(examples)
    for b, (rows, label) in enumerate(examples):
        packed = pack(rows)
        n = len(packed.ids)
        assert objective.lengths((rows, label)) == (n,)
        ids, extract, branches, position_ids = (t[b].tolist() for t in batch.inputs)
        assert (ids[:n], branches[:n], position_ids[:n]) == (packed.ids, packed.branches, packed.position_ids)
        assert {*ids[n:]} <= {PAD}
        assert {*branches[n:], *position_ids[n:]} <= {0}
        assert extract == packed.extract
        assert [ids[i] for i in extract] == [tokenizer.special_id(EXTRACT)] * 3
        assert batch.labels.lm[b].tolist() == packed.following + [IGNORED] * (len(ids) - n)
    assert batch.labels.task.tolist() == [2, 0]
    assert batch.n_labels == 2
    assert batch.n_tokens == sum(i != IGNORED for rows, _ in examples for i in pack(rows).following)
    moved = batch.to(torch.device("meta"))
    assert {t.device.type for t in (*moved.inputs, *moved.labels)} == {"meta"}


def test_the_number_of_examples_that_are_right(tokenizer):
    objective = build(Classification, tokenizer)
    labels = objective.collate(encode(objective)).labels  # yes, no
    for scores, right in (([[1.0, 2.0], [0.0, 3.0]], 1), ([[2.0, 1.0], [3.0, 0.0]], 1), ([[2.0, 1.0], [0.0, 3.0]], 0)):
        outputs = Outputs(torch.tensor(scores), torch.randn(2, 1, 5, 8), torch.randn(9, 8))
        assert objective.n_right(outputs, labels) == right


def test_an_example_alone_is_a_batch_too(tokenizer):
    for kind in COLUMNS:
        objective = build(kind, tokenizer)
        both, first = encode(objective), encode(objective)[:1]
        assert objective.collate(first).n_labels == 1
        assert objective.collate(first).labels.task.tolist() == objective.collate(both).labels.task[:1].tolist()


class Always(nn.Module):
    """Gives the second class three quarters."""

    def __init__(self):
        super().__init__()
        self.logits = nn.Parameter(torch.tensor([0.25, 0.75]).log())

    def forward(self, ids, extract):
        return Outputs(self.logits.expand(len(ids), 2), torch.zeros(*ids.shape, 8), torch.zeros(9, 8))


def test_scores_stand_beside_the_majority_of_the_training_split(tokenizer):
    objective = build(Classification, tokenizer)
    splits = DatasetDict()
    for name, labels in {"train": ["no", "yes", "no"], "test": ["yes", "no", "yes", "yes"]}.items():
        columns = {"text": ["a dog"] * len(labels), "label": labels}
        splits[name] = Dataset.from_dict(columns | objective.tokenize(**columns))
    expected = {"accuracy": 0.75, "majority": 0.25, "loss": -(3 * math.log(0.75) + math.log(0.25)) / 4}
    assert objective.scores(Always(), splits) == pytest.approx(expected)


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("kind", [Similarity, MultipleChoice])
def test_the_loss_is_the_tasks_and_a_share_of_the_language_models(kind, tokenizer, weight):
    objective = build(kind, tokenizer, lm_weight=weight)
    batch = objective.collate(encode(objective, [1, 0] if kind is MultipleChoice else None))
    outputs = Outputs(torch.randn(2, 2), torch.randn(*batch.inputs[0].shape, 8), torch.randn(len(tokenizer), 8))
    task = -outputs.task.log_softmax(-1)[[0, 1], [1, 0]]
    lm = []
    for logits, labels in zip(outputs.lm, batch.labels.lm, strict=True):  # an example's mean over all its tokens
        lm.append(F.cross_entropy(logits[labels != IGNORED], labels[labels != IGNORED]))
    torch.testing.assert_close(objective.nll(outputs, batch.labels), task.sum())
    torch.testing.assert_close(objective.loss(outputs, batch.labels), task.sum() + weight * sum(lm))
    if not weight:  # then the logits of the language model are not even computed: they are large
        unused = outputs._replace(hidden=None)
        torch.testing.assert_close(objective.loss(unused, batch.labels), task.sum())


@pytest.mark.parametrize("text", ["<extract>", "a <delimiter> dog", "<bos><extract><delimiter>"])
def test_what_a_reader_writes_cannot_end_or_cut_a_text(tokenizer, text):
    objective = build(Entailment, tokenizer, max_len=40)
    ((((row,), _),)) = objective.encode(premise=[text], hypothesis=[text], label=["yes"])
    for name in (DELIMITER, EXTRACT):
        assert row.count(tokenizer.special_id(name)) == 1
    assert row.count(BOS) == 1


@pytest.mark.parametrize(("transformation", "kind"), list(zip(TRANSFORMATIONS, COLUMNS, strict=True)))
def test_each_task_by_name(transformation, kind, tokenizer):
    config = ClassificationConfig(transformation=transformation, classes=("no", "yes"))
    assert config.reads() == {name: name for name in (*COLUMNS[kind], "label")}
    objective = config.build({"tokenizer": tokenizer}, 9)
    assert type(objective) is kind
    assert objective.sizes() == {"vocab_size": len(tokenizer), "n_classes": 2}
    assert set(objective.sizes()) == set(config.fills)
    assert build(MultipleChoice, tokenizer).sizes()["n_classes"] == 1  # the labels are numbers


def test_the_columns_may_have_other_names():
    config = ClassificationConfig(transformation="entailment", texts=("sentence1", "sentence2"))
    assert config.reads() == {"premise": "sentence1", "hypothesis": "sentence2", "label": "label"}
    for texts in (("sentence1",), ("sentence1", "sentence2", "idx")):
        with pytest.raises(ValueError, match=r"texts=\('sentence1',.*: entailment reads 2, premise, hypothesis"):
            ClassificationConfig(transformation="entailment", texts=texts).reads()


def test_a_text_may_fill_all_the_room(tokenizer):
    objective = build(Classification, tokenizer, max_len=5)
    ((((row,), _),)) = objective.encode(text=["a dog runs"], label=["no"])
    assert len(row) == 5
    with pytest.raises(ValueError, match="'a dog runs fast' is 4 tokens long: it must have 1 to 3"):
        objective.encode(text=["a dog runs fast"], label=["no"])


def test_the_tokenizer_is_the_pretrained_one_with_two_more_tokens(tokenizer):
    pretrained = Tokenizer.train(TEXTS, "word")
    grown = ClassificationConfig().tokenizers({}, {"tokenizer": pretrained})["tokenizer"]
    assert grown.tokens(range(len(grown))) == [*pretrained.tokens(range(len(pretrained))), DELIMITER, EXTRACT]


def test_mistakes_are_named(tokenizer):
    with pytest.raises(ValueError, match=r"no token '<delimiter>': add it with tokenizer.with_special"):
        Classification(Tokenizer.train(TEXTS, "word"), max_len=9)
    with pytest.raises(ValueError, match=r"lm_weight=-1\.0 must be 0 or more"):
        build(Classification, tokenizer, lm_weight=-1.0)
    with pytest.raises(ValueError, match="label 'maybe' is not one of the classes no, yes"):
        encode(build(Classification, tokenizer), ["yes", "maybe"])
    with pytest.raises(ValueError, match=r"'a dog runs a dog' is 8 tokens long with its special tokens: .* max_len=7"):
        encode(build(Entailment, tokenizer, max_len=7))
    with pytest.raises(ValueError, match="'' is 0 tokens long"):
        build(Classification, tokenizer).encode(text=[""], label=["yes"])
