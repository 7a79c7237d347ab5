"""BERT's experiments: what a mask hides, what two words share, and where a written text ends."""

from math import log

import pytest
import torch

from seqbook.experiments import bert


def test_the_word_in_a_gap_is_hidden_from_the_network(masked):
    words = "Anna had a key .".split()
    other = "Anna had a pear .".split()
    same = bert.log_p_of_masks(masked, [(words, [3]), (other, [3])])
    torch.testing.assert_close(same[0], same[1])
    torch.testing.assert_close(same.exp().sum(-1), torch.ones(2, 1))
    visible = bert.log_p_of_masks(masked, [(words, [0]), (other, [0])])
    assert not torch.allclose(visible[0], visible[1])


def test_mutual_information_is_what_two_words_tell_of_each_other():
    assert bert.mutual_information([("a", "x"), ("b", "y")]) == pytest.approx(log(2))
    assert bert.mutual_information([("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")]) == pytest.approx(0)


def test_a_text_ends_at_its_first_separator(masked):
    tokenizer = masked.objective.tokenizer
    sep = tokenizer.special_id("[SEP]")
    ids = tokenizer.encode("Clara ate a pear.")
    assert bert.cut(tokenizer, [*ids, sep, *ids], sep) == "Clara ate a pear."
    assert bert.cut(tokenizer, ids, sep) == "Clara ate a pear."
