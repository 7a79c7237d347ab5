"""The two masks after pretraining on blanks (C25)."""

import pytest
import torch

from seqbook.experiments import pretrained_masks, trials
from seqbook.recipes import configure


@pytest.fixture
def small(monkeypatch):
    """Few texts, and trainings of two steps."""
    load = pretrained_masks.corpora.load
    monkeypatch.setattr(pretrained_masks.corpora, "load", lambda name: load(name, size=64))
    short = {"steps": 2, "warmup": 1, "evaluations": 1}
    monkeypatch.setattr(pretrained_masks, "configure", lambda name, **settings: configure(name, **settings | short))


@pytest.mark.slow
def test_the_two_networks_begin_with_the_same_weights_and_differ_in_the_mask_of_the_prefix(small):
    systems, losses = {}, {}
    for prefix in ("causal", "bidirectional"):
        systems[prefix], history = pretrained_masks.denoise(0, prefix, 1e-3)
        losses[prefix] = [step["loss"] for step in history]
    first, second = losses["causal"][0], losses["bidirectional"][0]
    assert first == pytest.approx(second, rel=0.02)
    assert first != second

    ids = systems["causal"].objective.encode(["Anna had a key. She put it into the box. Then she went home."])
    rows = {p: s.objective.collate(ids, torch.Generator().manual_seed(0)) for p, s in systems.items()}
    (read, causal), (also, bidirectional) = rows["causal"].inputs, rows["bidirectional"].inputs
    assert torch.equal(read, also)
    assert torch.equal(rows["causal"].labels, rows["bidirectional"].labels)
    assert causal.tolist() == [0]
    n_blank = int((rows["causal"].labels[0] != -100).sum())
    assert bidirectional.tolist() == [read.shape[1] - n_blank + 1]


@pytest.mark.slow
def test_fine_tuning_begins_with_the_pretrained_weights(small, monkeypatch):
    began = []
    fit = pretrained_masks.fit

    def watched(model, *rest, **how):
        began.append({name: t.clone() for name, t in model.state_dict().items()})
        history = fit(model, *rest, **how)
        began.append({name: t.clone() for name, t in model.state_dict().items()})
        return history

    monkeypatch.setattr(pretrained_masks, "fit", watched)
    row = pretrained_masks.after_denoising(0, "bidirectional", 1e-3, 1e-3)
    untrained, pretrained, *tasks = began
    assert any(not torch.equal(t, pretrained[name]) for name, t in untrained.items())
    for of_task in (tasks[0], tasks[2]):
        assert all(torch.equal(t, pretrained[name]) for name, t in of_task.items())
    assert set(row) == {"pretraining_loss", *(f"{t}_{k}" for t in ("entailment", "qa") for k in ("val_loss", "score"))}
    assert 0 <= row["qa_score"] <= 1


def test_the_folder_of_a_trial_depends_on_its_settings_and_on_its_code(monkeypatch):
    name = pretrained_masks.__name__
    first = trials.folder_of(name, 0, "causal")
    assert first == trials.folder_of(name, 0, "causal")
    assert first != trials.folder_of(name, 1, "causal")
    monkeypatch.setattr(trials, "code_identity", lambda module: f"other code of {module}")
    assert first != trials.folder_of(name, 0, "causal")
