"""T5's and BART's experiments: what a network knows of its source, the choice of rates, and one model for all tasks."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from seqbook import runs
from seqbook.experiments import t5_bart
from seqbook.models.t5 import T5Config
from seqbook.objectives import text_to_text
from seqbook.objectives.corruption import SpanCorruption, SpanCorruptionConfig

TEXT = " ".join(f"w{i}" for i in range(30))


@pytest.fixture
def base():
    """A T5 that is not trained, with the sizes of the recipes."""
    tokenizer = SpanCorruptionConfig(n_sentinels=10).tokenizers({"text": [TEXT]}, {})["tokenizer"]
    objective = SpanCorruption(tokenizer, max_len=40)
    model = T5Config(**objective.sizes(), max_len=40).build()
    examples = [torch.randperm(30, generator=torch.Generator().manual_seed(i)).add(4).tolist() for i in range(128)]
    return SimpleNamespace(model=model, objective=objective, examples=lambda split: examples, result={"loss": 3.0})


class FromSource(nn.Module):
    """Gives a high score to each token that its source lacks, which are the lost ones; knows nothing of their order."""

    def __init__(self, size):
        super().__init__()
        self.size, self.some = size, nn.Parameter(torch.zeros(1))

    def forward(self, source, target):
        there = torch.zeros(len(source), self.size).scatter_(1, source, 1.0)
        return (-5 * there)[:, None].expand(-1, target.shape[1], -1)


def test_a_network_that_uses_its_source_loses_with_another_one(base):
    base.model = FromSource(len(base.objective.tokenizer))
    found = t5_bart.losses(base, n=64, batch_size=32)
    assert found["its source"] + 0.1 < found["the source of another text"]
    base.model = Constant(len(base.objective.tokenizer))
    found = t5_bart.losses(base, n=64, batch_size=32)
    assert found["its source"] == found["the source of another text"]
    assert found["frequencies alone"] < found["its source"]  # sentinels are more frequent than each word


class Constant(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.size, self.some = size, nn.Parameter(torch.zeros(1))

    def forward(self, source, target):
        return torch.zeros(*target.shape, self.size)


def test_the_best_rate_has_the_lowest_mean_validation_loss():
    rows = [
        {"case": case, "learning_rate": rate, "val_loss": loss}
        for case, rate, losses in (("a", 1, (0.1, 0.9)), ("a", 2, (0.4, 0.4)), ("b", 1, (0.3, 0.3)), ("b", 2, (1, 1)))
        for loss in losses
    ]
    assert t5_bart.best_rates(rows) == {"a": 2, "b": 1}


@pytest.mark.slow
def test_one_network_is_scored_in_every_task(base, monkeypatch):
    monkeypatch.setattr(runs, "run", lambda name, seed=0: base)
    monkeypatch.setattr(text_to_text, "LONGEST_ANSWER", 6)  # an untrained network does not end its answers
    tasks = ("sentiment", "similarity")
    found = t5_bart.together(seed=0, labels=20, tasks=tasks, steps=2, batch_size=4, evaluations=1)
    assert list(found["scores"]) == list(tasks)
    for scores in found["scores"].values():
        assert 0 <= scores["accuracy"] <= 1
        assert 0 < scores["majority"] < 1


class Writes(nn.Module):
    """Writes the given rows, whatever it reads."""

    def __init__(self, rows, size):
        super().__init__()
        self.rows, self.size, self.some = rows, size, nn.Parameter(torch.zeros(1))

    def _logits(self, step):
        ids = [row[step] if step < len(row) else 0 for row in self.rows]
        return nn.functional.one_hot(torch.tensor(ids), self.size).float()

    def prefill(self, source, target):
        return self._logits(0), 1

    def decode(self, ids, state):
        return self._logits(state), state + 1


def test_spans_are_counted_as_restored_if_all_their_words_are_right(base):
    objective = base.objective
    batch = objective.collate(base.examples("test")[:2], torch.Generator().manual_seed(0))
    rows = [[i for i in row if i != -100] for row in batch.labels.tolist()]
    n_spans = sum(i in objective.sentinels for row in rows for i in row)
    base.model = Writes(rows, len(objective.tokenizer))
    found = t5_bart.restored(base, n=2)
    assert found["restored"] == 1
    assert found["examples"][0]["target"] == found["examples"][0]["written"]
    rows[0][1] = 3  # a wrong word in the first span
    assert t5_bart.restored(base, n=2)["restored"] == pytest.approx(1 - 1 / n_spans)
