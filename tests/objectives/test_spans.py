from itertools import product

import pytest
import torch
from datasets import Dataset, DatasetDict
from tokenizers.processors import TemplateProcessing
from torch import nn

from seqbook import metrics
from seqbook.data.tokenizer import Tokenizer
from seqbook.models.heads import SpanScores
from seqbook.objectives.layouts import CLS, SEP
from seqbook.objectives.spans import MostFrequentAnswer, Spans, SpansConfig, best_spans

ROWS = {
    "context": ["Anna put the key in the box. Ben took the key.", "At noon, Ben went home."],
    "question": ["What did Ben take?", "When did Ben go home?"],
    "answer": ["the key", "At noon"],
    "start": [38, 0],
}


@pytest.fixture(params=["gpt", "bert"])
def objective(request):
    return build(request.param)


def build(layout="gpt", kind="word", max_len=40, **settings):
    plain = Tokenizer.train(ROWS["context"] + ROWS["question"], kind).with_special(CLS, SEP)
    config = SpansConfig(layout=layout, **settings)
    return config.build(config.tokenizers(ROWS, {"tokenizer": plain}), max_len)


def test_the_vocabulary_grows_by_the_words_of_the_questions():
    plain = Tokenizer.train(ROWS["context"], "word")
    grown = SpansConfig().tokenizers(ROWS, {"tokenizer": plain})["tokenizer"]
    assert "<unk>" in plain.tokens(plain.encode(ROWS["question"][0]))
    assert grown.tokens(grown.encode("What did Ben take?")) == ["What", "did", "Ben", "take", "?"]


class Oracle(nn.Module):
    """Scores the first and the last token of the span that it is given for each sequence of ids."""

    def __init__(self, examples):
        super().__init__()
        self.spans = {tuple(ids): span for ids, _, span in examples}
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, ids, segments=None):
        spans = torch.tensor([self.spans[tuple(i for i in row if i)] for row in ids.tolist()])
        return SpanScores(*(nn.functional.one_hot(spans[:, i], ids.shape[1]).float() * 9 for i in (0, 1)))


def test_the_question_comes_first_and_the_span_holds_the_answer(objective):
    for i, (ids, begins, (start, end)) in enumerate(objective.encode(**ROWS)):
        tokens = objective.tokenizer.tokens(ids)
        assert tokens[begins:-1] == objective.tokenizer.tokens(objective.tokenizer.encode(ROWS["context"][i]))
        assert tokens[1 : begins - 1] == objective.tokenizer.tokens(objective.tokenizer.encode(ROWS["question"][i]))
        assert objective.tokenizer.decode(ids[start : end + 1]) == ROWS["answer"][i]
    first = objective.encode(**ROWS)[0]
    assert first[2][0] == first[1] + 10  # the second "the key", not the first one


@pytest.mark.parametrize("kind", ["word", "character"])
def test_an_answer_is_written_as_in_its_text(kind):
    objective = build(kind=kind, max_len=80)
    model = Oracle(objective.encode(**ROWS))
    assert objective.answers(model, ROWS["context"], ROWS["question"]) == ROWS["answer"]


def test_a_tokenizer_that_adds_tokens_of_its_own_moves_no_answer():
    """As BERT's does: its [CLS] and [SEP] have places too, but the layout sets them."""
    plain = Tokenizer.train(ROWS["context"] + ROWS["question"], "word").with_special(CLS, SEP)
    cls = (CLS, plain.special_id(CLS))
    plain.backend.post_processor = TemplateProcessing(single=f"{CLS} $A", special_tokens=[cls])
    objective = SpansConfig(layout="bert").build({"tokenizer": plain}, 40)
    assert objective.encode(**ROWS) == build("bert").encode(**ROWS)


def test_an_answer_inside_a_token_takes_the_whole_token():
    objective = build()
    row = {"context": ["Ben took the key."], "question": ["What?"], "answer": ["he ke"], "start": [10]}
    ((ids, _, (start, end)),) = objective.encode(**row)
    assert objective.tokenizer.tokens(ids)[start : end + 1] == ["the", "key"]


def test_a_batch_says_which_positions_may_hold_the_answer(objective):
    examples = objective.encode(**ROWS)
    batch = objective.collate(examples)
    assert len(batch.inputs) == (2 if objective.config.layout == "bert" else 1)
    for b, (ids, begins, (start, end)) in enumerate(examples):
        inside = batch.labels.context[b].nonzero().flatten().tolist()
        assert inside == list(range(begins, len(ids) - 1))
        assert (batch.labels.start[b], batch.labels.end[b]) == (start, end)
        assert objective.lengths(examples[b]) == (len(ids),)
        if objective.config.layout == "bert":
            assert batch.inputs[1][b].nonzero().flatten().tolist() == list(range(begins, len(ids)))
    assert batch.n_labels == 2
    assert batch.n_tokens == int(batch.labels.context.sum())
    moved = batch.to(torch.device("meta"))
    assert {t.device.type for t in (*moved.inputs, *moved.labels)} == {"meta"}
    assert moved.n_labels == 2


def test_the_loss_is_over_the_positions_of_the_text_alone(objective):
    batch = objective.collate(objective.encode(**ROWS))
    context = batch.labels.context
    outputs = SpanScores(torch.randn(context.shape), torch.randn(context.shape))
    expected = 0.0
    for b in range(2):
        for scores, label in zip(outputs, batch.labels[:2], strict=True):
            shift = int(context[b].nonzero()[0])
            expected = expected - scores[b][context[b]].log_softmax(0)[label[b] - shift]
    torch.testing.assert_close(objective.nll(outputs, batch.labels), expected)
    changed = SpanScores(*(torch.where(context, t, torch.randn(t.shape) * 9) for t in outputs))
    assert torch.equal(objective.nll(changed, batch.labels), objective.nll(outputs, batch.labels))


def test_an_answer_is_right_if_both_of_its_ends_are(objective):
    examples = objective.encode(**ROWS)
    labels = objective.collate(examples).labels
    for shift, right in (((0, 0), 2), ((0, 1), 0), ((-1, 0), 0)):
        moved = [(ids, begins, [start + shift[0], end + shift[1]]) for ids, begins, (start, end) in examples[:1]]
        outputs = Oracle([*moved, *[(ids, b, [s, e + shift[1] - shift[0]]) for ids, b, (s, e) in examples[1:]]])
        ids = objective.collate(examples).inputs[0]
        assert objective.n_right(outputs(ids), labels) == right


def brute_force(start, end, context, longest):
    n = len(start)
    allowed = [
        (start[i] + end[j], (i, j)) for i, j in product(range(n), repeat=2)
        if i <= j < i + longest and context[i] and context[j]
    ]  # fmt: skip
    return max(allowed)[1]


@pytest.mark.parametrize("longest", [1, 3, 20])
def test_the_best_span_is_the_best_of_all_pairs(longest):
    context = torch.zeros(50, 12, dtype=torch.bool)
    for row in context:
        first = int(torch.randint(1, 6, ()))
        row[first : first + int(torch.randint(1, 6, ()))] = True
    outputs = SpanScores(torch.randn(50, 12) * 3, torch.randn(50, 12) * 3)
    found = best_spans(outputs, context, longest)
    for b in range(50):
        expected = brute_force(outputs.start[b].tolist(), outputs.end[b].tolist(), context[b].tolist(), longest)
        assert tuple(found[b].tolist()) == expected


def test_an_answer_never_ends_before_it_begins():
    """Each maximised on its own, they would: the end at position 1, and the start at 3."""
    outputs = SpanScores(torch.tensor([[0.0, 0.0, 1.0, 5.0]]), torch.tensor([[0.0, 5.0, 1.0, 2.0]]))
    found = best_spans(outputs, torch.ones(1, 4, dtype=torch.bool), 4)
    assert found.tolist() == [[3, 3]]  # 5 + 2
    with torch.device("meta"):  # stands for a GPU: everything is made where the scores are
        assert torch.equal(best_spans(outputs, torch.ones(1, 4, dtype=torch.bool, device="cpu"), 4), found)


def test_scores_of_a_model_and_of_a_baseline(objective):
    data = ROWS | objective.tokenize(**ROWS)
    splits = DatasetDict({name: Dataset.from_dict(data) for name in ("train", "test")})
    assert objective.examples(splits["test"]) == objective.encode(**ROWS)
    scores = objective.scores(Oracle(objective.encode(**ROWS)), splits)
    assert [scores[name] for name in ("accuracy", "exact_match", "f1")] == [1.0, 1.0, 1.0]
    assert scores["loss"] < 0.1
    assert scores["baseline_exact_match"] == 1.0
    wrong = Oracle([(ids, begins, [begins, begins]) for ids, begins, _ in objective.encode(**ROWS)])
    scores = objective.scores(wrong, splits)  # "Anna" and "At": half of the second answer's words
    assert (scores["accuracy"], scores["exact_match"]) == (0.0, 0.0)
    assert scores["f1"] == pytest.approx((0 + 2 / 3) / 2)


def test_the_words_of_answers():
    assert metrics.word_f1(["The key", "the big key", "", "a a"], ["the key", "the key", "box", "a"]) == pytest.approx(
        (1 + 4 / 5 + 0 + 2 / 3) / 4
    )
    with pytest.raises(ValueError, match="the true answer ' ' has no words"):
        metrics.word_f1(["a"], [" "])
    with pytest.raises(ValueError, match="there are 1 hypotheses for 2 references"):
        metrics.word_f1(["a"], ["a", "b"])


def test_the_baseline_answers_by_the_first_word_and_what_is_in_the_text():
    baseline = MostFrequentAnswer(["Who ran?", "Who sat?", "Who sat?", "Where?"], ["Ben", "Anna", "Anna", "at home"])
    asked = ["Who sang?", "Who saw Anna?", "Where?", "Why?"]
    assert baseline(["Ben met Anna."] * 4, asked) == ["anna", "ben", "", ""]


def test_sizes_are_those_that_the_recipe_leaves_open(objective):
    assert set(objective.sizes()) == set(objective.config.fills)
    assert objective.sizes()["n_classes"] == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start": [38, 1]}, r"row 1: the answer 'At noon' is not in its context at start=1, where there is 't noon,"),
        ({"start": [38, -7]}, "row 1: the answer 'At noon' is not in its context at start=-7"),
        ({"start": [38, 900]}, "row 1: the answer 'At noon' is not in its context at start=900"),
        ({"answer": ["the key", ""]}, "row 1: the answer '' is not in its context"),
        ({"question": ["What?", ""]}, "'' is 0 tokens long"),
        ({"context": [ROWS["context"][0], "At noon " * 20]}, "'At noon .*' is 40 tokens long: it must have 1 to 37"),
        (
            {"context": [ROWS["context"][0], "At noon " * 17]},
            r"'When did Ben go home\? At noon .*' is 43 tokens long with its special tokens: .* max_len=40",
        ),
    ],
)
def test_mistakes_are_named(objective, changes, message):
    with pytest.raises(ValueError, match=message):
        objective.encode(**ROWS | changes)


def test_a_longest_answer_without_a_token_is_refused():
    with pytest.raises(ValueError, match="longest_answer=0 must be at least 1"):
        SpansConfig(longest_answer=0)
    assert isinstance(build(longest_answer=1), Spans)
