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
from seqbook.models.transformer import Transformer, TransformerConfig
from seqbook.nn.record import record
from seqbook.objectives.seq2seq import Seq2SeqConfig
from seqbook.runs import System

CONFIG = TransformerConfig(
    source_vocab_size=12, target_vocab_size=12, d_model=16, n_layers=2, n_heads=2, d_ff=16, max_len=40
)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Transformer(CONFIG)


@pytest.fixture
def rows(toy):
    """The first pairs of words, with ids, and with word n aligned with word n from the end."""
    sources, targets = zip(*toy.train[:70], strict=True)
    links = [[(i, len(x) - 1 - i) for i in range(len(x))] for x in sources]
    return Dataset.from_dict({"source_ids": list(sources), "target_ids": list(targets), "alignment": links})


# ---- Heads


def test_maps_are_those_of_each_sentence_alone_without_dropout(toy, rows):
    model = Transformer(replace(CONFIG, dropout=0.5))
    found = measures.attention_maps(System(model.train(), toy.objective), rows)
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
    roles = measures.head_roles(maps)
    assert list(roles.index) == ["decoder block 1, head 0", "decoder block 1, head 1"]
    assert list(roles.columns) == ["-3", "-2", "-1", "0", "+1", "+2", "+3", "even"]
    first, second = roles.to_dict("records")
    assert first["-1"] == pytest.approx(4 / 5)
    assert first["0"] == pytest.approx(1 / 5)
    assert first["+1"] == 0
    even = sum(1 / k for k in range(1, 6)) / 5
    assert second["0"] == pytest.approx(even)
    assert first["even"] == second["even"] == pytest.approx(even)
    encoder = measures.head_roles({"encoder.blocks.0.attention": [back]})
    assert encoder["even"].tolist() == pytest.approx([1 / 5, 1 / 5])


def test_a_head_that_follows_the_links_has_no_errors(rows):
    sentences = []
    for links, y in zip(rows["alignment"][:], rows["target_ids"][:], strict=True):
        w = torch.zeros(2, len(y) + 1, len(y))
        for i, j in links:
            w[0, j, i] = 1
            w[1, j, 0] = 1  # head 1 looks at the first word alone
        sentences.append(w)
    errors = measures.head_alignment_errors({"decoder.blocks.2.cross_attention": sentences}, rows)
    assert list(errors.index) == ["decoder block 2"]
    assert errors.loc["decoder block 2", "head 0"] == pytest.approx(0)
    assert errors.loc["decoder block 2", "head 1"] > 0.5
    assert list(errors.columns) == ["head 0", "head 1", "mean of the heads"]


def test_the_heads_of_a_model_in_four_numbers(model, toy, rows):
    system = System(model, toy.objective)
    found = measures.heads(system, rows)
    maps = measures.attention_maps(system, rows)
    errors, roles = measures.head_alignment_errors(maps, rows), measures.head_roles(maps)
    assert found["alignment_error"] == errors[["head 0", "head 1"]].to_numpy().min()
    assert found["alignment_error_of_mean"] == errors["mean of the heads"].min()
    assert found["previous"] == roles["-1"].max()
    assert found["previous_even"] in roles["even"].tolist()


# ---- Norms


def test_first_gradients_grow_towards_the_output_with_post_norm_alone():
    deep = replace(CONFIG, n_layers=6, d_model=64, d_ff=128)
    post, pre = (measures.first_gradients(replace(deep, norm=norm)) for norm in ("post", "pre"))
    assert len(post) == len(pre) == 6
    assert post[-1] > 1.5 * post[0]
    assert pre[-1] < 1.2 * pre[0]


def test_stream_sizes_follow_what_each_part_adds(model):
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
        measures.stream_sizes(Transformer(replace(CONFIG, norm="post")), *given)


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


def test_the_longest_chain_counts_products_that_wait_for_each_other():
    first, second, third = (nn.Linear(4, 4) for _ in range(3))
    x = torch.randn(5, 4)
    assert measures.longest_chain(second(first(x)) + third(x)) == 2
    assert measures.longest_chain(first(x) + second(x) + third(x)) == 1
    shared = first(x)
    assert measures.longest_chain(third(second(shared).relu() * shared)) == 3


def test_training_steps_are_timed_for_each_network_and_length():
    seen = []
    layer = nn.Linear(4, 4)
    times = measures.training_milliseconds(
        {"a": lambda x: seen.append(tuple(x.shape)) or layer(x), "b": layer}, 4, (2, 8), tokens=16, repeats=2
    )
    assert seen == [(8, 2, 4)] * 3 + [(2, 8, 4)] * 3  # one turn more, which is not counted
    assert list(times.index) == [2, 8]
    assert list(times.columns) == ["a", "b"]
    assert (times > 0).all(axis=None)


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


def test_without_padding_the_statistics_are_those_of_the_tokens(model, toy):
    use_batch_norm(model, "everywhere", padding=False).train()
    source_ids, target_ids = toy.objective.collate(toy.train[:8]).inputs
    assert (source_ids == 0).any()
    wider = [nn.functional.pad(ids, (0, 3)) for ids in (source_ids, target_ids)]
    real = target_ids != 0
    torch.testing.assert_close(model(*wider)[:, : real.shape[1]][real], model(source_ids, target_ids)[real])
    use_batch_norm(plain := Transformer(CONFIG), "everywhere").train()
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


def test_each_way_of_writing_is_timed_for_each_length(model):
    table = measures.scoring_and_generating(model, [2, 30], source_length=4, repeats=3)
    assert list(table.index) == [2, 30]
    assert list(table.columns) == ["one pass", "step by step, with cache", "step by step, without cache"]
    assert (table > 0).all(axis=None)
    assert table.loc[30, "step by step, with cache"] > 3 * table.loc[30, "one pass"]


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
