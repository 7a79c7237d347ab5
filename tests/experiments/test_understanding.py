"""Tables of published scores whose means are known, and names found by a network that is a rule."""

import pytest
import torch
from torch import nn

from seqbook.data.tokenizer import Tokenizer
from seqbook.experiments import understanding
from seqbook.objectives.tagging import Tagging
from seqbook.runs import Run

TOKENS = [["Anna", "met", "Ben", "."], ["In", "Rome", ",", "Anna", "ran", "."]]
TAGS = [["B-PER", "O", "B-PER", "O"], ["O", "B-LOC", "O", "B-PER", "O", "O"]]


def swept():
    """Two tasks, two families, two seeds; the scores of each other measure are wrong."""
    rows = []
    for recipe, labels, scores in (
        ("bert-ner", 1_000, (0.8, 0.9)),
        ("gpt-ner", 1_000, (0.5, 0.7)),
        ("bert-qa", 200, (0.2, 0.4)),
        ("gpt-qa", 200, (0.3, 0.5)),
    ):
        of_task, other = ("f1", "exact_match") if "ner" in recipe else ("exact_match", "f1")
        for seed, score in enumerate(scores):
            row = {"recipe": recipe, "labels": labels, "seed": seed}
            rows.append(row | {of_task: score, other: 0.0, "accuracy": 0.0})
    return rows


def test_each_task_is_scored_by_its_own_measure():
    table = understanding.compare(swept(), understanding.case_of, understanding.family)
    assert table.index.tolist() == ["ner, 1,000", "qa, 200"]
    assert table["BERT"].tolist() == ["85.0% (80.0%–90.0%)", "30.0% (20.0%–40.0%)"]
    assert table["GPT"].tolist() == ["60.0% (50.0%–70.0%)", "40.0% (30.0%–50.0%)"]


def test_a_system_is_higher_in_all_seeds_only_if_no_seeds_overlap():
    gaps = understanding.gaps(understanding.seeds(swept(), understanding.family), "BERT", "GPT")
    assert gaps.loc["ner, 1,000"].tolist() == [pytest.approx(25), "BERT"]
    assert gaps.loc["qa, 200"].tolist() == [pytest.approx(-10), ""]
    turned = understanding.gaps(understanding.seeds(swept(), understanding.family), "GPT", "BERT")
    assert turned.loc["ner, 1,000"].tolist() == [pytest.approx(-25), "BERT"]


def test_bars_have_the_mean_and_the_spread_of_each_case():
    means, spreads = understanding.bars(understanding.seeds(swept(), understanding.family))
    assert means["GPT"] == pytest.approx({"ner, 1,000": 60, "qa, 200": 40})
    assert spreads["BERT"]["qa, 200"] == pytest.approx((20, 40))


def test_without_published_rows_a_table_says_where_they_are():
    table = understanding.compare([], understanding.case_of, understanding.family)
    assert "repository" in table.iloc[0, 0]
    assert understanding.gaps({}, "BERT", "GPT").empty


def test_only_the_first_words_of_names_become_unknown():
    tokens, tags = [["Oak", "Street", "was", "near", "Rome", "."]], [["B-LOC", "I-LOC", "O", "O", "B-LOC", "O"]]
    assert understanding.unknown_names(tokens, tags, "Xylo") == [["Xylo", "Street", "was", "near", "Xylo", "."]]


class Rule(nn.Module):
    """A word that stands before a full stop is a place, every other one is a person."""

    def __init__(self, tokenizer):
        super().__init__()
        self.stop, self.some = tokenizer.special_id("."), nn.Parameter(torch.zeros(1))

    def forward(self, ids):
        following = torch.cat([ids[:, 1:], torch.zeros_like(ids[:, :1])], dim=1)
        is_place = (following == self.stop)[..., None]
        scores = torch.zeros(*ids.shape, 7)
        scores[..., 1:2], scores[..., 3:4] = ~is_place, is_place  # B-PER and B-LOC
        return scores


def test_names_are_counted_by_their_place_with_and_without_what_follows():
    tokenizer = Tokenizer.train([" ".join(words) for words in TOKENS], "word").with_special("<delimiter>", "<extract>")
    run = Run(Rule(tokenizer), Tagging(tokenizer, max_len=16), {}, [], {}, None)
    found = understanding.found_names(run, TOKENS, TAGS)
    assert found == {"begins a clause": 1.0, "inside a clause": 0.0}  # Ben is taken for a place, Rome for a person
    cut = understanding.found_names(run, TOKENS, TAGS, left_only=True)
    assert cut == {"begins a clause": 1.0, "inside a clause": 0.5}  # without the full stop, Ben is a person
