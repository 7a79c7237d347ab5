"""The comparison of all families: how its rows are read, and that its counts are right."""

import math
from types import SimpleNamespace

import pytest
import torch
from datasets import Dataset

from seqbook.data.tokenizer import Tokenizer
from seqbook.experiments import comparison
from seqbook.experiments.prefix import operations
from seqbook.models import PrefixLMConfig, RNNConfig
from seqbook.objectives import TaskPairsConfig
from seqbook.objectives.filling import MASK
from seqbook.objectives.layouts import CLS, SEP
from seqbook.objectives.text_to_text import names
from seqbook.recipes import configure
from seqbook.recipes.schema import fill


def rows():
    made = []
    for seed in range(3):
        shared = {"seed": seed, "val_losses": [1.0, 0.5, 0.4], "evaluated_at": [10, 20, 30], "flops_per_step": 2e9}
        made += [
            shared
            | {
                "family": "encoder",
                "task": "ner",
                "score": 0.5 + 0.1 * seed,
                "majority": 0.2,
                "flops": 6e12,
                "loss": 1.0,
            },
            shared | {"family": "causal", "task": "ner", "score": 0.3, "majority": 0.2, "flops": 4e12, "loss": 1.0},
            shared | {"family": "causal", "task": "continuation", "flops": 5e12, "loss": 2.0 + seed},
        ]
    return made


def test_bars_have_the_mean_the_spread_and_the_baseline_of_each_family():
    found = comparison.for_bars(rows(), ["ner"])
    assert found["scores"] == {"causal": {"names": 30}, "encoder": {"names": pytest.approx(60)}}
    assert found["spreads"]["encoder"]["names"] == pytest.approx((50, 70))
    assert found["baseline"] == {"names": 20}
    assert comparison.for_bars(rows(), ["qa"])["scores"] == {"published on the site": {"qa": 0}}


def test_bars_of_continuations_are_losses_and_have_no_majority():
    found = comparison.for_bars(rows(), ["continuation"])
    assert found["scores"] == {"causal": {"continuation": 3}}
    assert found["spreads"] == {"causal": {"continuation": (2, 4)}}
    assert found["baseline"] == {}


def test_the_loss_by_frequency_counts_the_targets_of_the_training_texts():
    tokenizer = Tokenizer.train(["a b"], "word")
    a, b, end = [*tokenizer.encode("a b"), tokenizer.eos_id]
    found = comparison.loss_by_frequency(
        SimpleNamespace(tokenizer=tokenizer), [([b], [a, a])], [([a], [a]), ([a], [b])]
    )
    n = 3 + len(tokenizer)  # three tokens, and one more for each entry
    expected = -sum(math.log(count / n) for count in (3, 2, 1, 2)) / 4  # a, <eos>, b, <eos>
    assert end not in (a, b)
    assert found == pytest.approx(expected)


def searched(losses):
    rates = (1e-3, 3e-3, 1e-2)
    return [
        {"family": "causal", "task": "qa", "val_loss": loss, "config": {"training": {"learning_rate": rate}}}
        for rate, loss in zip(rates, losses, strict=True)
    ]


def test_the_best_rate_has_the_lowest_loss_and_a_star_at_the_edge_of_the_search():
    assert comparison.best_rates(searched([3, 1, 2])).loc["causal", "questions"] == "0.003"
    assert comparison.best_rates(searched([3, 2, 1])).loc["causal", "questions"] == "0.01*"
    assert comparison.best_rates(searched([1, 2, 3])).loc["causal", "questions"] == "0.001*"
    assert comparison.at_the_edge(searched([3, 1, 2])) == []


def test_each_budget_is_a_point_in_the_order_of_the_operations():
    fewer = [row | {"flops": row["flops"] / 2, "score": row.get("score", 0) / 2} for row in rows()]
    lines, spreads = comparison.by_operations([rows(), fewer], ["ner"])
    assert lines["names (%)"]["encoder"] == ([3, 6], pytest.approx([30, 60]))
    assert spreads["names (%)"]["encoder"] == (pytest.approx([25, 50]), pytest.approx([35, 70]))


def test_curves_are_means_over_seeds_and_their_end_tells_what_still_falls():
    lines, _ = comparison.learning_curves(rows(), ["ner"])
    assert lines["names"]["encoder"] == ([10, 20, 30], pytest.approx([1.0, 0.5, 0.4]))
    assert comparison.still_falling(rows()[0]) == pytest.approx(0.2)


def test_the_table_of_answers_says_what_a_family_can_not_do():
    table = comparison.answers(rows())
    assert table.loc["encoder", "names"] == "60% (50%–70%)"
    assert table.loc["causal", "continuation (nats)"] == "3.00 (2.00–4.00)"
    assert table.loc["encoder", "continuation (nats)"] == "It does not write."
    assert list(table) == ["names", "continuation (nats)"]
    assert table.loc["recurrent", "names"] == ""


def test_the_picker_gets_one_row_for_each_family_task_and_budget():
    found = comparison.for_picker({"steps": rows(), "compute": []})
    assert len(found) == 3
    encoder = next(row for row in found if row["family"] == "encoder")
    assert (encoder["low"], encoder["high"], encoder["baseline"]) == (0.5, pytest.approx(0.7), 0.2)
    assert next(row for row in found if row["task"] == "continuation")["measure"] == "nats"


def test_names_of_predicted_tags_begin_with_a_b():
    tokens, tags = ["Anna", "Lee", "met", "Rome"], ["B-PER", "I-PER", "I-PER", "I-LOC"]
    assert comparison.named(tokens, tags) == names(tokens, ["B-PER", "I-PER", "I-PER", "O"])
    assert comparison.named(tokens, ["O"] * 4) == "none"


@pytest.mark.parametrize(
    ("network", "config"),
    [
        ("encoder-decoder", RNNConfig(context="dot", d_model=8, max_len=192)),
        ("prefix", PrefixLMConfig(d_model=8, n_layers=1, n_heads=2, max_len=192)),
    ],
)
def test_a_step_costs_three_times_its_forward_products(network, config):
    columns = {"en": ["a b c d"] * 64, "zh": ["一 二 三"] * 64}
    task = TaskPairsConfig(task="translation", network=network)
    objective = task.build(task.tokenizers(columns, {}), 192)
    ids = objective.tokenize(**columns)
    examples = list(zip(ids["source_ids"], ids["target_ids"], strict=True))
    model = fill(config, objective.sizes()).build()
    result = {"config": {"training": {"batch_size": 4}}}
    run = SimpleNamespace(examples=lambda split: examples, objective=objective, model=model.eval(), result=result)
    found = comparison.flops_per_step(run)
    with torch.backends.mkldnn.flags(enabled=False):
        forward = operations(lambda: model(*objective.collate(examples[:4]).inputs))
    assert 2 * forward < found <= 3 * forward
    assert not model.training
    # without the table of its words, which are as many as its logits
    assert 0 < comparison.params_without_vocabulary(run) < sum(p.numel() for p in model.parameters())


def test_the_steps_of_every_recipe_can_be_counted(monkeypatch):
    """A batch of a head has labels of its own kind. Nothing is trained."""
    monkeypatch.setattr(comparison, "COUNTED", 1)
    columns = {
        "sentiment": {"text": ["a b c"] * 64, "label": ["positive", "negative"] * 32},
        "ner": {"tokens": [["Anna", "ran"]] * 64, "tags": [["B-PER", "O"]] * 64},
    }
    for task, rows in columns.items():
        recipe = configure(f"compare-encoder-{task}", d_model=8, n_layers=1, n_heads=2)
        pretrained = Tokenizer.train(["a b c Anna ran"], "word").with_special(CLS, SEP, MASK)
        tokenizers = recipe.objective.tokenizers(rows, {"tokenizer": pretrained})
        objective = recipe.objective.build(tokenizers, 192)
        model = fill(recipe.model, objective.sizes()).build()
        examples = objective.examples(Dataset.from_dict(rows | objective.tokenize(**rows)))
        result = {"config": {"training": {"batch_size": 4}}}
        run = SimpleNamespace(examples=lambda split, of=examples: of, objective=objective, model=model, result=result)
        assert comparison.flops_per_step(run) > 0
