"""Names found by a network that is a rule."""

import torch
from torch import nn

from seqbook.data.tokenizer import Tokenizer
from seqbook.experiments import understanding
from seqbook.objectives.tagging import Tagging
from seqbook.runs import Run

TOKENS = [["Anna", "met", "Ben", "."], ["In", "Rome", ",", "Anna", "ran", "."]]
TAGS = [["B-PER", "O", "B-PER", "O"], ["O", "B-LOC", "O", "B-PER", "O", "O"]]


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
