"""Published rows as the page reads them, and names found by a network that is a rule."""

import torch
from torch import nn

from seqbook.data.tokenizer import Tokenizer
from seqbook.experiments import understanding
from seqbook.objectives.tagging import Tagging
from seqbook.runs import Run

TOKENS = [["Anna", "met", "Ben", "."], ["In", "Rome", ",", "Anna", "ran", "."]]
TAGS = [["B-PER", "O", "B-PER", "O"], ["O", "B-LOC", "O", "B-PER", "O", "O"]]


def row(recipe, **columns):
    return {"recipe": recipe, "labels": 1_000} | columns


ROWS = [
    row("bert-ner", f1=0.9, by_word_f1=0.4),
    row("bert-ner", f1=0.8, by_word_f1=0.4),
    row("gpt-ner", f1=0.7, by_word_f1=0.4),
    row("gpt-ner", f1=0.6, by_word_f1=0.4),
    row("bert-qa", exact_match=0.5, baseline_exact_match=0.1),
    row("gpt-qa", exact_match=0.5, baseline_exact_match=0.1),
    row("bert-sentiment", accuracy=0.6, majority=0.5),
    row("gpt-sentiment", accuracy=0.7, majority=0.5),
]


def test_a_row_is_read_by_the_measure_of_its_task():
    assert [understanding.case_of(ROWS[i]) for i in (0, 4)] == ["ner, 1,000", "qa, 1,000"]
    assert [understanding.score(ROWS[i]) for i in (0, 4, 6)] == [90, 50, 60]
    assert [understanding.baseline(ROWS[i]) for i in (0, 4, 6)] == [40, 10, 50]


def test_a_table_has_systems_and_the_baseline():
    table = understanding.table(ROWS, understanding.family)
    assert list(table) == ["BERT", "GPT", "baseline"]
    assert list(table.loc["ner, 1,000"]) == ["85.0 (80.0–90.0)", "65.0 (60.0–70.0)", "40.0"]


def test_a_system_is_higher_only_if_all_its_seeds_are():
    found = understanding.spreads(ROWS, understanding.family)
    assert list(found.loc["BERT", "ner, 1,000"]) == [85, 80, 90, 2]
    higher = {"ner, 1,000": "BERT", "qa, 1,000": "neither", "sentiment, 1,000": "GPT"}
    assert understanding.higher_in_all_seeds(found, "BERT", "GPT") == higher
    rows = [*ROWS[:5], *ROWS[6:], row("gpt-ner", f1=0.85)]
    found = understanding.spreads(rows, understanding.family)
    higher = {"ner, 1,000": "neither", "sentiment, 1,000": "GPT"}
    assert understanding.higher_in_all_seeds(found, "BERT", "GPT") == higher


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
