"""What the heads of a Transformer do: on maps whose answer is known."""

from dataclasses import replace

import pytest
import torch
from datasets import Dataset

from seqbook.experiments import heads
from seqbook.models.transformer import Transformer
from seqbook.nn.record import record
from seqbook.runs import System


@pytest.fixture
def rows(toy):
    """The first pairs of words, with ids, and with word n aligned with word n from the end."""
    sources, targets = zip(*toy.train[:70], strict=True)
    links = [[(i, len(x) - 1 - i) for i in range(len(x))] for x in sources]
    return Dataset.from_dict({"source_ids": list(sources), "target_ids": list(targets), "alignment": links})


def test_maps_are_those_of_each_sentence_alone_without_dropout(toy, rows, config):
    model = Transformer(replace(config, dropout=0.5))
    found = heads.attention_maps(System(model.train(), toy.objective), rows)
    model.eval()
    assert len(found) == 6
    for name, sentences in found.items():
        assert len(sentences) == len(rows)
        for weights in sentences:
            torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:2]), msg=name)
    for i in (0, 69):  # of two batches
        with record(model) as alone:
            model(*toy.objective.collate(toy.objective.examples(rows)[i : i + 1]).inputs)
        for name, (weights,) in alone.items():
            torch.testing.assert_close(found[name][i], weights[0], rtol=1e-4, atol=1e-5)


def test_a_head_that_looks_back_has_its_weight_one_before():
    back = torch.zeros(2, 5, 5)
    back[0, 1:, :-1] = torch.eye(4)  # head 0: each query looks at the key before it
    back[0, 0, 0] = 1
    back[1] = torch.tril(torch.ones(5, 5)) / torch.arange(1, 6)[:, None]  # head 1: at all keys alike
    maps = {"decoder.blocks.1.attention": [back], "decoder.blocks.1.cross_attention": [back]}
    roles = heads.head_roles(maps)
    assert list(roles.index) == ["decoder block 1, head 0", "decoder block 1, head 1"]
    assert list(roles.columns) == ["-3", "-2", "-1", "0", "+1", "+2", "+3"]
    first, second = roles.to_dict("records")
    assert first["-1"] == pytest.approx(4 / 5)
    assert first["0"] == pytest.approx(1 / 5)
    assert first["+1"] == 0
    even = sum(1 / k for k in range(1, 6)) / 5
    assert second["0"] == pytest.approx(even)
    assert second["-1"] == pytest.approx(even - 1 / 5)  # the first query has no key before it


def test_a_head_that_follows_the_links_has_no_errors(rows):
    sentences = []
    for links, y in zip(rows["alignment"][:], rows["target_ids"][:], strict=True):
        w = torch.zeros(2, len(y) + 1, len(y))
        for i, j in links:
            w[0, j, i] = 1
            w[1, j, 0] = 1  # head 1 looks at the first word alone
        sentences.append(w)
    errors = heads.head_alignment_errors({"decoder.blocks.2.cross_attention": sentences}, rows)
    assert list(errors.index) == ["decoder block 2"]
    assert errors.loc["decoder block 2", "head 0"] == pytest.approx(0)
    assert errors.loc["decoder block 2", "head 1"] > 0.5
    assert list(errors.columns) == ["head 0", "head 1", "mean of the heads"]


def test_the_heads_of_a_model_in_three_numbers(model, toy, rows):
    system = System(model, toy.objective)
    found = heads.heads(system, rows)
    maps = heads.attention_maps(system, rows)
    errors, roles = heads.head_alignment_errors(maps, rows), heads.head_roles(maps)
    assert found["alignment_error"] == errors[["head 0", "head 1"]].to_numpy().min()
    assert found["alignment_error_of_mean"] == errors["mean of the heads"].min()
    assert found["previous"] == roles["-1"].max()
