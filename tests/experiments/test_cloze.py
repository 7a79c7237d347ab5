"""Gaps: where the evidence stands, how both models read them, and GPT with few predictions."""

from types import SimpleNamespace

import pytest
import torch

from seqbook.data.tokenizer import Tokenizer
from seqbook.experiments import cloze
from seqbook.models.gpt import GPTConfig
from seqbook.objectives.batch import IGNORED
from seqbook.objectives.causal import Causal


@pytest.fixture
def causal(texts):
    """A GPT that is not trained, with the vocabulary of the texts."""
    objective = Causal(Tokenizer.train(texts, "word"), max_len=32)
    torch.manual_seed(0)
    config = GPTConfig(**objective.sizes(), d_model=16, n_layers=1, n_heads=2, max_len=32)
    return SimpleNamespace(model=config.build(), objective=objective)


def test_a_gap_is_sorted_by_where_else_its_word_stands(masked):
    found = cloze.gaps_by_evidence(masked, {"key", "pear"})
    assert {side: [gap.at for gap in gaps] for side, gaps in found.items()} == {"right": [3], "both": [8], "left": [12]}
    assert all(gap.words[gap.at] == "key" for gaps in found.values() for gap in gaps)


def test_each_way_of_reading_is_scored_on_the_same_gaps(masked, causal):
    found = cloze.cloze(masked, causal, n_candidates=2, groups={"things": {"key", "pear"}})
    assert [(row["evidence"], row["way"]) for row in found] == [
        (side, way) for side in ("left", "both", "right") for way in ("BERT", "GPT, left side", "GPT, whole text")
    ]
    assert [row["passes"] for row in found[:3]] == [1, 1, 2]
    assert {row["gaps"] for row in found} == {1}

    gap = cloze.gaps_by_evidence(masked, {"key"})["left"][0]
    tokenizer, scores = causal.objective.tokenizer, []
    for word in ("key", "pear"):
        ids = [tokenizer.bos_id, *map(tokenizer.special_id, gap.filled(word)), tokenizer.eos_id]
        log_p = causal.model(torch.tensor([ids]))[0].log_softmax(-1)
        scores.append(sum(log_p[t, ids[t + 1]].item() for t in range(len(ids) - 1)))
    before = [tokenizer.bos_id, *map(tokenizer.special_id, gap.words[: gap.at])]
    nll = -causal.model(torch.tensor([before]))[0, -1].log_softmax(-1)[tokenizer.special_id("key")].item()
    assert found[1]["nats"] == pytest.approx(nll, abs=1e-4)
    assert found[2]["right_of_ten"] == float(scores[0] > scores[1])


def test_a_gpt_with_few_predictions_reads_the_same_and_predicts_a_share_of_it(texts):
    full = Causal(Tokenizer.train(texts, "word"), max_len=32)
    examples = full.encode(texts) * 200
    usual = full.collate(examples)
    sparse = cloze.Sparse(full, 0.15).collate(examples, torch.Generator().manual_seed(0))
    torch.testing.assert_close(sparse.inputs, usual.inputs)
    kept = sparse.labels != IGNORED
    torch.testing.assert_close(sparse.labels[kept], usual.labels[kept])
    assert sparse.n_tokens / usual.n_tokens == pytest.approx(0.15, abs=0.02)
