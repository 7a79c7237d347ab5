"""What part 2 measures: on small models whose answer is known."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from datasets import Dataset
from torch import nn

from seqbook import metrics
from seqbook.experiments import transformer as measures
from seqbook.experiments.batch_norm import STACKS, BatchNorm, batch_statistics, leak, use_batch_norm
from seqbook.models.transformer import Transformer
from seqbook.objectives.seq2seq import Seq2SeqConfig

# ---- Norms


def test_first_gradients_grow_towards_the_output_with_post_norm_alone(config):
    deep = replace(config, n_layers=6, d_model=64, d_ff=128)
    post, pre = (measures.first_gradients(replace(deep, norm=norm)) for norm in ("post", "pre"))
    assert len(post) == len(pre) == 6
    assert post[-1] > 1.5 * post[0]
    assert pre[-1] < 1.2 * pre[0]


def test_stream_sizes_follow_what_each_part_adds(model, config):
    given = torch.randint(1, 12, (2, 3, 7))
    block = model.decoder.blocks[1]
    nn.init.zeros_(block.cross_attention.out.weight)
    nn.init.zeros_(block.cross_attention.out.bias)
    start, parts = measures.stream_sizes(model, *given)
    assert [name for name, *_ in parts] == ["self-attention", "cross-attention", "feed-forward"] * 2
    assert start == pytest.approx(model.target_embedding(given[1]).square().mean().sqrt().item())
    assert parts[4][1] == 0
    assert parts[4][2] == parts[3][2]
    assert parts[5][2] != parts[4][2]
    with pytest.raises(ValueError, match="post"):
        measures.stream_sizes(Transformer(replace(config, norm="post")), *given)


@pytest.mark.slow
def test_norm_and_warmup_trains_what_its_settings_say():
    tiny = {"size": 60, "steps": 25, "d_model": 16, "d_ff": 16, "n_layers": 1}
    post, again, pre, slow = (
        measures.norm_and_warmup(0, norm, warmup, **tiny)
        for norm, warmup in (("post", 1), ("post", 1), ("pre", 1), ("post", 1_000))
    )
    assert post == again
    assert len(post["losses"]) == 3  # of 10, 10 and 5 steps
    assert post["losses"] != pre["losses"]
    assert slow["losses"][-1] > post["losses"][-1]  # its rate is still near 0
    assert post["losses"][0] == pytest.approx(post["losses"][1], rel=0.3)


@pytest.mark.parametrize("where", STACKS)
def test_batch_norm_stands_where_it_is_asked_for(model, where):
    use_batch_norm(model, where)
    for stack in ("encoder", "decoder"):
        norms = [m for m in model.get_submodule(stack).modules() if isinstance(m, nn.LayerNorm | BatchNorm)]
        assert len(norms) == {"encoder": 5, "decoder": 7}[stack]
        assert {isinstance(norm, BatchNorm) for norm in norms} == {stack in STACKS[where]}


@pytest.mark.parametrize("padding", [True, False])
@pytest.mark.parametrize("where", STACKS)
def test_the_future_leaks_through_batch_norm_of_the_decoder_in_train_mode(model, where, padding):
    use_batch_norm(model, where, padding)
    assert (leak(model.train()) > 0.01) == (where in ("decoder", "everywhere"))
    assert leak(model.eval()) == 0


def test_without_padding_the_statistics_are_those_of_the_tokens(model, toy, config):
    use_batch_norm(model, "everywhere", padding=False).train()
    source_ids, target_ids = toy.objective.collate(toy.train[:8]).inputs
    assert (source_ids == 0).any()
    wider = [nn.functional.pad(ids, (0, 3)) for ids in (source_ids, target_ids)]
    real = target_ids != 0
    torch.testing.assert_close(model(*wider)[:, : real.shape[1]][real], model(source_ids, target_ids)[real])
    use_batch_norm(plain := Transformer(config), "everywhere").train()
    assert not torch.allclose(plain(*wider)[:, : real.shape[1]][real], plain(source_ids, target_ids)[real], atol=1e-2)


def test_batch_statistics_give_the_logits_of_train_mode_and_keep_what_was_kept(model, toy):
    use_batch_norm(model, "everywhere")
    inputs = toy.objective.collate(toy.train[:8]).inputs
    expected = model.train()(*inputs)
    before = {name: t.clone() for name, t in model.state_dict().items()}
    evaluated = model.eval()(*inputs)
    with batch_statistics(model):
        torch.testing.assert_close(model(*inputs), expected)
    torch.testing.assert_close(model(*inputs), evaluated)
    assert not torch.allclose(evaluated, expected, atol=1e-2)
    assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())


@pytest.mark.slow
@pytest.mark.parametrize("padding", [True, False])
def test_batch_norm_is_trained_and_measured(padding):
    from seqbook.experiments.batch_norm import batch_norm

    tiny = {"size": 60, "steps": 4, "warmup": 1, "d_model": 16, "d_ff": 16, "n_layers": 1}
    found = batch_norm(seed=1, where="everywhere", padding=padding, **tiny)
    assert found["steps"] == 4
    assert found["leak"] > 0.01
    assert 0 <= found["exact_match"] <= 1
    assert found["loss"] != pytest.approx(found["loss_with_batch_statistics"], abs=1e-3)
    plain = batch_norm(seed=1, where="nowhere", **tiny)
    assert plain["leak"] == 0
    assert plain["loss"] == pytest.approx(plain["loss_with_batch_statistics"])
    assert plain["params"] == found["params"]


# ---- Times and scores


def test_lowercased_bleu_takes_the_cases_as_one(pairs):
    texts, shouted = [row["en"] for row in pairs[:20]], [row["en"].upper() for row in pairs[:20]]
    run = SimpleNamespace(
        objective=SimpleNamespace(config=Seq2SeqConfig(source="de", target="en", beams=5)),
        splits={"test": Dataset.from_list(pairs[:20])},
        generate=lambda sources, beams: shouted if beams == 5 else [],
    )
    found = measures.bleu_lowercased(run)
    assert found["bleu_lowercased"] == pytest.approx(100)
    assert "case:lc|eff:no|tok:13a" in found["bleu_lowercased_signature"]
    assert metrics.bleu(shouted, texts, "en").score < 5


def test_the_best_rate_is_the_one_with_the_lowest_validation_loss():
    def row(recipe, rate, loss):
        return {"recipe": recipe, "val_loss": loss, "config": {"training": {"learning_rate": rate}}}

    rows = [row("rnn", 1.0, 3.0), row("rnn", 2.0, 2.0), row("transformer", 1.0, 1.0), row("rnn", 4.0, math.inf)]
    assert measures.best_rates(rows) == {"rnn": 2.0, "transformer": 1.0}
