"""BERT's experiments: where the evidence stands, what two words share, and GPT with few predictions."""

from math import log
from types import SimpleNamespace

import pytest
import torch

from seqbook.data.tokenizer import Tokenizer
from seqbook.experiments import bert
from seqbook.models.bert import BERTConfig
from seqbook.objectives.batch import IGNORED
from seqbook.objectives.causal import Causal
from seqbook.objectives.masked import Masked, MaskedConfig

TEXTS = ["Anna had a key. Ben took the key and gave the key to Anna.", "Clara ate a pear."]


@pytest.fixture(scope="module")
def system():
    """A BERT that is not trained, with a vocabulary of the texts above."""
    tokenizer = MaskedConfig().tokenizers({"text": TEXTS}, {})["tokenizer"]
    objective = Masked(tokenizer, max_len=32)
    torch.manual_seed(0)
    config = BERTConfig(**objective.sizes(), d_model=16, n_layers=1, n_heads=2, max_len=32)
    return SimpleNamespace(model=config.build(), objective=objective, splits={"test": {"text": TEXTS}})


def test_a_gap_is_sorted_by_where_else_its_word_stands(system):
    found = bert.gaps_by_evidence(system, {"key", "pear"})
    assert {side: [gap.at for gap in gaps] for side, gaps in found.items()} == {"right": [3], "both": [8], "left": [12]}
    assert all(gap.words[gap.at] == "key" for gaps in found.values() for gap in gaps)


def test_the_word_in_a_gap_is_hidden_from_the_network(system):
    words = "Anna had a key .".split()
    other = "Anna had a pear .".split()
    same = bert.log_p_of_masks(system, [(words, [3]), (other, [3])])
    torch.testing.assert_close(same[0], same[1])
    torch.testing.assert_close(same.exp().sum(-1), torch.ones(2, 1))
    visible = bert.log_p_of_masks(system, [(words, [0]), (other, [0])])
    assert not torch.allclose(visible[0], visible[1])


def test_mutual_information_is_what_two_words_tell_of_each_other():
    assert bert.mutual_information([("a", "x"), ("b", "y")]) == pytest.approx(log(2))
    assert bert.mutual_information([("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")]) == pytest.approx(0)


def test_a_gpt_with_few_predictions_reads_the_same_and_predicts_a_share_of_it():
    full = Causal(Tokenizer.train(TEXTS, "word"), max_len=32)
    examples = full.encode(TEXTS) * 200
    usual = full.collate(examples)
    sparse = bert.Sparse(full, 0.15).collate(examples, torch.Generator().manual_seed(0))
    torch.testing.assert_close(sparse.inputs, usual.inputs)
    kept = sparse.labels != IGNORED
    torch.testing.assert_close(sparse.labels[kept], usual.labels[kept])
    assert sparse.n_tokens / usual.n_tokens == pytest.approx(0.15, abs=0.02)


def test_a_text_ends_at_its_first_separator(system):
    tokenizer = system.objective.tokenizer
    sep = tokenizer.special_id("[SEP]")
    ids = tokenizer.encode("Clara ate a pear.")
    assert bert.cut(tokenizer, [*ids, sep, *ids], sep) == "Clara ate a pear."
    assert bert.cut(tokenizer, ids, sep) == "Clara ate a pear."
