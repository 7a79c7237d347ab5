import math

import pytest
import torch
from datasets import Dataset, DatasetDict
from torch import nn

from seqbook.metrics import (
    accuracy,
    alignment_error_rate,
    bleu,
    evaluate,
    exact_match,
    mean_nll,
    on_unseen,
    predicted_classes,
)
from seqbook.models.heads import Outputs
from seqbook.objectives.batch import Batch
from seqbook.objectives.seq2seq import Seq2Seq, Seq2SeqConfig


def test_bleu_is_sacrebleus_and_says_how_it_was_measured():
    score, signature = bleu(["the cat is on the mat"], ["the cat sat on the mat"], "en")
    # 5/6 unigrams, 3/5 bigrams, 1/4 trigrams, 0 4-grams smoothed to 1/2 of 1/3, no brevity penalty
    assert score == pytest.approx(100 * (5 / 6 * 3 / 5 * 1 / 4 * 1 / 2 / 3) ** 0.25)
    assert signature.startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert bleu(["A dog runs fast."] * 2, ["A dog runs fast."] * 2, "en").score == pytest.approx(100)


def test_bleu_counts_chinese_by_characters():
    score, signature = bleu(["我在公园里看书。"], ["我在公园里读书。"], "zh")
    # 8 characters: 7/8, 5/7, 3/6, 2/5
    assert score == pytest.approx(100 * (7 / 8 * 5 / 7 * 3 / 6 * 2 / 5) ** 0.25)
    assert "tok:zh" in signature
    assert bleu(["我在公园里看书。"], ["我在公园里读书。"], "en").score < score


def test_bleu_is_of_the_corpus_not_a_mean_of_sentences():
    hypotheses, references = ["a b c d e f g h", "x y"], ["a b c d e f g h", "v w"]
    each = [bleu([h], [r], "en").score for h, r in zip(hypotheses, references, strict=True)]
    assert bleu(hypotheses, references, "en").score != pytest.approx(sum(each) / 2, abs=1)


def test_accuracy():
    assert accuracy([1, 0, 2, 2], [1, 1, 2, 0]) == 0.5


def test_exact_match():
    assert exact_match(["a", "b ", "c", "D"], ["a", "b", "c", "d"]) == 0.5


def test_alignment_error_rate_by_hand():
    true = [{(0, 0), (1, 2), (2, 1)}, {(0, 0)}]
    assert alignment_error_rate(true, true) == 0
    assert alignment_error_rate([{(5, 5)}, set()], true) == 1
    # 2 of 3 found are true, of 4: 1 − 2·2/(3 + 4)
    assert alignment_error_rate([{(0, 0), (1, 1)}, {(0, 0)}], true) == pytest.approx(3 / 7)


@pytest.mark.parametrize("metric", [lambda h, r: bleu(h, r, "en"), exact_match, accuracy, alignment_error_rate])
@pytest.mark.parametrize(("n_found", "n_true"), [(0, 0), (1, 0), (1, 2)])
def test_pairs_that_are_none(metric, n_found, n_true):
    item = {(0, 0)} if metric is alignment_error_rate else "a"
    with pytest.raises(ValueError, match=f"{n_found} hypotheses for {n_true} references"):
        metric([item] * n_found, [item] * n_true)


def test_mean_nll_by_hand(toy):
    model = toy.model().eval()
    nll, n = 0.0, 0
    for source, target in toy.validation:
        log_probs = model(torch.tensor([source]), torch.tensor([[1, *target]]))[0].log_softmax(-1)
        nll -= sum(log_probs[t, i].item() for t, i in enumerate([*target, 2]))
        n += len(target) + 1
    for batch_size in (1, 7, 250):
        assert mean_nll(model, toy.objective, toy.validation, batch_size) == pytest.approx(nll / n, rel=1e-5)


def test_label_smoothing_and_dropout_play_no_part(toy):
    model = toy.model(dropout=0.5).train()
    plain = mean_nll(model, toy.objective, toy.validation)
    tokenizers = toy.objective.source_tokenizer, toy.objective.target_tokenizer
    smoothed = Seq2Seq(*tokenizers, Seq2SeqConfig(label_smoothing=0.3), max_len=12)
    assert mean_nll(model, smoothed, toy.validation) == plain
    assert model.training


def test_knowing_nothing_costs_the_log_of_the_vocabulary(toy):
    model = toy.model()
    torch.nn.init.zeros_(model.out.weight)
    torch.nn.init.zeros_(model.out.bias)
    assert mean_nll(model, toy.objective, toy.validation) == pytest.approx(math.log(12))


def test_an_evaluation_has_the_loss_and_of_classes_the_accuracy_too(toy):
    model = toy.model()
    assert evaluate(model, toy.objective, toy.validation) == {"loss": mean_nll(model, toy.objective, toy.validation)}
    toy.objective.n_right = lambda logits, labels: int((logits.argmax(-1) == labels).sum())
    found = evaluate(model, toy.objective, toy.validation, batch_size=7)
    batch = toy.objective.collate(toy.validation)
    right, there = model.eval()(*batch.inputs).argmax(-1) == batch.labels, batch.labels >= 0
    assert found["loss"] == pytest.approx(mean_nll(model, toy.objective, toy.validation), rel=1e-6)
    assert found["accuracy"] == pytest.approx((right & there).sum().item() / there.sum().item())


def test_no_examples(toy):
    for measure in (mean_nll, evaluate, predicted_classes):
        with pytest.raises(ValueError, match="split is empty"):
            measure(toy.model(), toy.objective, [])


@pytest.mark.parametrize("batch_size", [1, 2, 7, 64])
def test_classes_come_in_the_order_of_the_examples(batch_size):
    """Although the batches are made by length: an example says its class, and how long it is."""

    class Saying(nn.Linear):
        def forward(self, classes):
            assert not self.training
            return Outputs(nn.functional.one_hot(classes, 5).float(), torch.zeros(1, 1, 1, 1), torch.zeros(1, 1))

    class Objective:
        def lengths(self, example):
            return (example[1],)

        def collate(self, examples, generator):
            return Batch((torch.tensor([label for label, _ in examples]),), torch.zeros(len(examples), 1).long())

    examples = [(3, 2), (0, 9), (4, 1), (4, 8), (1, 5), (2, 3), (0, 1)]
    model = Saying(1, 1)
    assert predicted_classes(model, Objective(), examples, batch_size) == [label for label, _ in examples]
    assert model.training


def test_scores_of_the_splits_that_no_training_saw():
    def of(*names):
        splits = DatasetDict({name: Dataset.from_dict({"text": [name]}) for name in names})
        return on_unseen(splits, lambda rows: {"of": rows["text"][0]})

    assert of("train", "validation", "test") == {"of": "test"}
    found = of("compositional", "new_phrasing", "train", "validation", "test")
    assert found == {"of": "test", "compositional_of": "compositional", "new_phrasing_of": "new_phrasing"}
    assert of("train", "validation") == {"of": "validation"}
