import math

import jaxtyping
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seqbook.models.gpt import GPT, GPTConfig
from seqbook.viz import record

NORMS = ("before", "after")
POSITIONS = ("learned", "rotary")
IDS = torch.tensor([[5, 6, 7, 8, 0], [9, 4, 0, 3, 3], [11, 11, 1, 2, 0]])  # 0 is a token like any other

every_kind = pytest.mark.parametrize(("norm", "positions"), [(n, p) for n in NORMS for p in POSITIONS])
both_norms = pytest.mark.parametrize("norm", NORMS)


def build(norm="before", positions="learned", **changes):
    sizes = {"vocab_size": 12, "d_model": 16, "n_layers": 2, "n_heads": 4, "d_ff": 24, "max_len": 24}
    model = GPT(GPTConfig(**sizes | {"norm": norm, "positions": positions} | changes))
    for name, parameter in model.named_parameters():
        # Biases of 0 and gains of 1 would hide a mistake, and so would vectors too small to differ.
        nn.init.normal_(parameter, mean=float("norm" in name and "weight" in name), std=0.3)
    return model


def written(model, state, ids):
    """The logits after each of the ids, one step after another."""
    steps = []
    for token_ids in ids.unbind(1):
        logits, state = model.step(token_ids, state)
        steps.append(logits)
    return torch.stack(steps, dim=1)


@every_kind
def test_contract(norm, positions):
    model = build(norm, positions)
    logits, hidden = model(IDS), model.hidden(IDS)
    assert logits.shape == (3, 5, 12)
    assert logits.isfinite().all()
    assert hidden.shape == (3, 5, 16)
    torch.testing.assert_close(hidden @ model.embedding.weight.T, logits)


def test_hidden_vectors_come_after_the_last_norm():
    model = GPT(GPTConfig(vocab_size=12))
    nn.init.normal_(model.embedding.weight)
    hidden = model.hidden(IDS)
    torch.testing.assert_close(F.layer_norm(hidden, (128,)), hidden, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("training", [True, False])
@every_kind
def test_no_position_sees_the_future(norm, positions, training):
    model = build(norm, positions, dropout=0.1).train(training)
    changed = IDS.clone()
    changed[:, 3] = 10
    logits = []
    for ids in (IDS, changed):
        torch.manual_seed(1)  # the same is dropped
        logits.append(model(ids))
    before, after = logits
    torch.testing.assert_close(before[:, :3], after[:, :3], rtol=0, atol=0)
    assert (before[:, 3:] != after[:, 3:]).any(-1).all()


@every_kind
def test_padding_at_the_end_changes_nothing(norm, positions):
    model, longer = build(norm, positions), torch.cat([IDS, torch.zeros(3, 4, dtype=torch.long)], dim=1)
    torch.testing.assert_close(model(longer)[:, :5], model(IDS))


@every_kind
def test_the_order_matters(norm, positions):
    model = build(norm, positions)
    assert not torch.allclose(model(IDS[:1, [1, 0, 2, 3, 4]])[:, 2:], model(IDS[:1])[:, 2:], atol=1e-3)


@pytest.mark.parametrize("read", [0, 1, 7])
@every_kind
def test_step_by_step_equals_forward(norm, positions, read):
    """Over up to 24 steps, past the caches' first buffers and to the last position."""
    model, ids = build(norm, positions), torch.randint(0, 12, (3, 24))
    steps = written(model, model.start(ids[:, :read]), ids[:, read:])
    torch.testing.assert_close(steps, model(ids)[:, read:])


@pytest.mark.parametrize("lengths", [(4, 2, 0), (3, 3, 1), (0, 4, 4), (4, 4, 4)])
@every_kind
def test_unequal_beginnings_go_on_as_each_alone(norm, positions, lengths):
    """Whatever stands in the padding at the left."""
    model, new = build(norm, positions), torch.randint(0, 12, (3, 19))
    beginnings = [torch.randint(0, 12, (n,)) for n in lengths]
    padding = torch.tensor([4 - n for n in lengths])
    for filler in (0, 7):
        ids = torch.stack([F.pad(row, (4 - len(row), 0), value=filler) for row in beginnings])
        steps = written(model, model.start(ids, padding), new)
        for row, beginning in enumerate(beginnings):
            alone = model(torch.cat([beginning, new[row]])[None])[0, len(beginning) :]
            torch.testing.assert_close(steps[row], alone)


def test_recorded_weights_are_none_at_padding_and_sum_to_one():
    model, padding = build(), torch.tensor([0, 2, 5])
    with record(model) as maps:
        _, state = model.step(IDS[:, 0], model.start(IDS, padding))
    for read, step in maps.values():
        for weights in (read, step):
            torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:3]))
        for row, n in enumerate(padding.tolist()):
            assert (read[row, :, n:, :n] == 0).all()
            assert (step[row, ..., :n] == 0).all()
    assert state.padding.tolist() == [0, 2, 5]


@every_kind
def test_reordered_states_keep_their_padding_and_go_on_alone(norm, positions):
    model, beginnings = build(norm, positions), [[5, 6, 7], [9], [11, 2]]
    ids = torch.tensor([[0] * (3 - len(row)) + row for row in beginnings])
    first = model.start(ids, torch.tensor([0, 2, 1]))
    rows = torch.tensor([1, 1, 2, 0])
    other = first.reorder(rows)
    for state, order in ((first, [0, 1, 2]), (other, rows.tolist())):
        new = torch.randint(0, 12, (len(order), 5))
        steps = written(model, state, new)
        for found, row, more in zip(steps, order, new, strict=True):
            n = len(beginnings[row])
            torch.testing.assert_close(found, model(torch.cat([torch.tensor(beginnings[row]), more])[None])[0, n:])


@pytest.mark.parametrize("seed", range(3))
def test_equals_transformers(seed):
    transformers = pytest.importorskip("transformers")
    sizes = {"vocab_size": 12, "n_embd": 16, "n_layer": 2, "n_head": 4, "n_inner": 24, "n_positions": 24}
    dropout = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    theirs = transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes, **dropout, activation_function="gelu_new"))
    torch.manual_seed(seed)
    ours = build()
    copy_weights(theirs.transformer, ours)
    torch.testing.assert_close(ours(IDS), theirs(IDS).logits, rtol=0, atol=1e-5)
    mask = torch.tensor([[1] * 5, [0, 0, 1, 1, 1], [0, 0, 0, 0, 1]])  # padding at the left
    places = (mask.cumsum(1) - 1).clamp(min=0)
    expected = theirs(IDS, attention_mask=mask, position_ids=places).logits[:, -1]
    found, _ = ours.step(IDS[:, -1], ours.start(IDS[:, :-1], torch.tensor([0, 2, 4])))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def copy_weights(theirs, ours):
    theirs.wte.weight.data = ours.embedding.weight.data
    theirs.wpe.weight.data = ours.positions.table.data
    theirs.ln_f.load_state_dict(ours.norm.state_dict())
    for layer, block in zip(theirs.h, ours.blocks, strict=True):
        layer.ln_1.load_state_dict(block.attention_norm.state_dict())
        layer.ln_2.load_state_dict(block.feed_forward_norm.state_dict())
        attention = [block.attention.query, block.attention.key_value]
        layer.attn.c_attn.weight.data = torch.cat([part.weight.T for part in attention], dim=1).detach()
        layer.attn.c_attn.bias.data = torch.cat([part.bias for part in attention]).detach()
        parts = [(layer.attn.c_proj, block.attention.out)]
        parts += [(layer.mlp.c_fc, block.feed_forward.inner), (layer.mlp.c_proj, block.feed_forward.out)]
        for their_part, part in parts:
            their_part.weight.data, their_part.bias.data = part.weight.T.detach(), part.bias.detach()


def test_dropout_in_train_mode_only():
    model, plain = build(dropout=0.5), build()
    plain.load_state_dict(model.state_dict())
    assert not torch.equal(model(IDS), model(IDS))
    torch.testing.assert_close(model.eval()(IDS), plain.eval()(IDS), rtol=0, atol=0)


@both_norms
def test_dropout_falls_on_words_and_positions_too(norm):
    logits = build(norm, dropout=1.0)(IDS)
    torch.testing.assert_close(logits, logits[:1, :1].expand_as(logits))


@every_kind
def test_gradients_reach_every_parameter(norm, positions):
    model = build(norm, positions, max_len=12)
    model(torch.arange(12).repeat(2, 1)).log_softmax(-1)[:, :, 4].sum().backward()
    for name, parameter in model.named_parameters():
        reached = parameter.grad.abs() > 1e-7
        if name.endswith("key_value.bias"):  # a key's bias moves all scores of a query alike: its gradient is noise
            reached = reached[16:]
        assert reached.float().mean() > 0.9, name


@pytest.mark.slow
@every_kind
def test_one_batch_can_be_overfitted(norm, positions):
    model = GPT(GPTConfig(vocab_size=12, d_model=32, n_layers=2, norm=norm, positions=positions, max_len=12))
    ids = torch.cat([torch.arange(8)[:, None], torch.randint(0, 12, (8, 12))], dim=1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    for _ in range(150):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
        loss.backward()
        optimizer.step()
    assert loss < 0.05


@pytest.mark.parametrize("n_layers", [1, 6])
def test_an_untrained_model_has_no_opinion(n_layers):
    """Its loss is nearly that of guessing; its weights begin as GPT-2's do, at GPT-2's width."""
    model = GPT(GPTConfig(vocab_size=50, n_layers=n_layers, d_model=768))
    ids = torch.randint(0, 50, (2, 100))
    loss = F.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
    assert loss.item() == pytest.approx(math.log(50), abs=0.3)
    for block in model.blocks:
        for part in (block.attention.out, block.feed_forward.out):
            assert part.weight.std().item() == pytest.approx(0.02 / (2 * n_layers) ** 0.5, rel=0.05)
            assert (part.bias == 0).all()


def test_the_vectors_of_tokens_serve_twice():
    model = build()
    before = model(IDS)
    with torch.no_grad():
        model.embedding.weight[10] += 1  # a token that IDS doesn't hold is scored anew, and nothing else moves
    assert (model(IDS) != before).any(1).any(0).nonzero().flatten().tolist() == [10]
    attention, feed_forward, norm = 4 * (16 * 16 + 16), 16 * 24 + 24 + 24 * 16 + 16, 2 * 16
    expected = (12 + 24) * 16 + 2 * (attention + feed_forward + 2 * norm) + norm
    assert sum(p.numel() for p in model.parameters()) == expected


def test_what_is_not_given():
    config = GPTConfig(vocab_size=12, d_model=16)
    assert config == GPTConfig(vocab_size=12, d_model=16, activation="gelu_tanh", norm="before", positions="learned")
    assert GPT(config).blocks[0].feed_forward.inner.out_features == 64


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[4, 12]], "ids has the id 12, outside the vocabulary of 12"),
        ([[4, -1]], "ids has the id -1, outside"),
        ([[4] * 25], "ids is 25 tokens long, .*max_len=24"),
    ],
)
@pytest.mark.parametrize("method", ["forward", "hidden", "start"])
def test_refuses_ids_by_name(method, rows, message):
    with pytest.raises(ValueError, match=message):
        getattr(build(), method)(torch.tensor(rows))


@pytest.mark.parametrize("method", ["forward", "hidden"])
def test_refuses_no_tokens_at_all(method):
    with pytest.raises(ValueError, match=r"ids has shape \(2, 0\)"):
        getattr(build(), method)(torch.zeros(2, 0, dtype=torch.long))


@pytest.mark.parametrize(("padding", "length"), [([0, 0, 6], 5), ([0, -1, 0], 5), ([0, 1, 0], 0)])
def test_refuses_padding_that_is_not_there(padding, length):
    with pytest.raises(ValueError, match=rf"padding=.* must be 0 to {length}, the number of positions"):
        build().start(IDS[:, :length], torch.tensor(padding))


@every_kind
def test_a_step_past_the_last_position_is_refused(norm, positions):
    model = build(norm, positions, max_len=5)
    state = model.start(IDS[:, :4])
    logits, state = model.step(IDS[:, 4], state)
    torch.testing.assert_close(logits, model(IDS)[:, -1])
    for _ in range(2):  # and nothing was written meanwhile
        with pytest.raises(ValueError, match="5 tokens are read: the model takes at most max_len=5"):
            model.step(IDS[:, 0], state)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocab_size": 0}, "vocab_size=0 must"),
        ({"d_model": 0}, "d_model=0 must"),
        ({"n_layers": 0}, "n_layers=0 must"),
        ({"n_heads": 0}, "n_heads=0 must"),
        ({"n_heads": 0, "positions": "rotary"}, "n_heads=0 must"),
        ({"d_ff": 0}, "d_ff=0 must"),
        ({"max_len": -1}, "max_len=-1 must"),
        ({"n_heads": 5}, "d_model=16 is not a multiple of n_heads=5"),
        ({"dropout": 1.5}, "1.5"),
        ({"norm": "between"}, "norm='between': choose one of before, after"),
        ({"activation": "step"}, "activation='step': choose one of relu, gelu, gelu_tanh, silu, tanh"),
        ({"positions": "rotary", "n_heads": 16}, "d_head=1 must be even"),
        ({"positions": "sinusoidal"}, "positions='sinusoidal': choose one of learned, rotary"),
    ],
)
def test_refuses_sizes_by_name(changes, message, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as readers have it: beartype would be the first
    with pytest.raises(ValueError, match=message):
        build(**changes)


@pytest.mark.slow
@every_kind
def test_exports_to_onnx(norm, positions, equals_its_export):
    sizes = {"d_model": 16, "n_layers": 1, "n_heads": 4, "d_ff": 24, "max_len": 24}
    equals_its_export("GPT", norm=norm, positions=positions, **sizes)
