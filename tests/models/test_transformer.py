import math

import jaxtyping
import pytest
import torch
from torch import nn

from seqbook.generate import greedy
from seqbook.models.transformer import Transformer, TransformerConfig
from seqbook.tokenizer import PAD

NORMS = ("before", "after")
POSITIONS = ("sinusoidal", "learned", "rotary")
SOURCE = torch.tensor([[5, 6, 7, 8], [9, 4, PAD, PAD], [11, PAD, PAD, PAD]])
TARGET = torch.tensor([[1, 5, 6, 7, 8], [1, 9, 4, 5, PAD], [1, 2, PAD, PAD, PAD]])

every_kind = pytest.mark.parametrize(("norm", "positions"), [(n, p) for n in NORMS for p in POSITIONS])
both_norms = pytest.mark.parametrize("norm", NORMS)


def build(norm="before", positions="sinusoidal", **changes):
    sizes = {"source_vocab_size": 12, "target_vocab_size": 10, "d_model": 16, "n_layers": 2, "n_heads": 4, "d_ff": 24}
    config = TransformerConfig(**{"max_len": 24} | sizes | {"norm": norm, "positions": positions} | changes)
    model = Transformer(config)
    for name, parameter in model.named_parameters():
        if parameter.dim() == 1:  # biases of 0 and gains of 1 would hide a mistake
            nn.init.normal_(parameter, mean=float("norm" in name and "weight" in name), std=0.3)
    return model


def written(model, source, target):
    """The logits of the target, one step after another."""
    state, steps = model.start(source), []
    for token_ids in target.unbind(1):
        logits, state = model.step(token_ids, state)
        steps.append(logits)
    return torch.stack(steps, dim=1)


@every_kind
def test_contract(norm, positions):
    logits = build(norm, positions)(SOURCE, TARGET)
    assert logits.shape == (3, 5, 10)
    assert logits.isfinite().all()


@pytest.fixture
def torch_transformer(copy_block):
    """Torch's Transformer with our weights. The norms that end its stacks are ours: none after norms "after"."""

    def build(model):
        sizes = {"dropout": 0.0, "batch_first": True, "norm_first": model.config.norm == "before"}
        ends = (model.encoder_norm, model.decoder_norm) if sizes["norm_first"] else (None, None)
        encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, 24, **sizes), 2, ends[0], False)
        decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(16, 4, 24, **sizes), 2, ends[1])
        # Draws all weights anew, those of the stacks it is given too: they are copied after it.
        made = nn.Transformer(16, 4, custom_encoder=encoder, custom_decoder=decoder, batch_first=True)
        for stack, blocks in ((encoder, model.encoder), (decoder, model.decoder)):
            for layer, block in zip(stack.layers, blocks, strict=True):
                copy_block(layer, block)
        return made

    return build


@pytest.mark.parametrize(("norm", "positions"), [(norm, kind) for norm in NORMS for kind in ("sinusoidal", "learned")])
def test_equals_torch(norm, positions, torch_transformer):
    model = build(norm, positions)
    source = math.sqrt(16) * model.source_embedding.weight[SOURCE] + model.source_positions.table[:4]
    target = math.sqrt(16) * model.target_embedding.weight[TARGET] + model.target_positions.table[:5]
    future = torch.ones(5, 5, dtype=torch.bool).triu(1)
    padding = {"src_key_padding_mask": SOURCE == PAD, "memory_key_padding_mask": SOURCE == PAD}
    y = torch_transformer(model)(source, target, tgt_mask=future, tgt_is_causal=False, **padding)
    torch.testing.assert_close(model(SOURCE, TARGET), y @ model.target_embedding.weight.T + model.out_bias)


@pytest.mark.parametrize("training", [True, False])
@both_norms
def test_no_position_sees_the_future(norm, training):
    model = build(norm, dropout=0.1).train(training)
    changed = TARGET.clone()
    changed[:, 3] = 3
    logits = []
    for target in (TARGET, changed):
        torch.manual_seed(1)  # the same is dropped
        logits.append(model(SOURCE, target))
    before, after = logits
    torch.testing.assert_close(before[:, :3], after[:, :3], rtol=0, atol=0)
    assert (before[:, 3:] != after[:, 3:]).any(-1).all()


@both_norms
def test_every_position_sees_the_whole_source(norm):
    model = build(norm)
    for row, n in enumerate((4, 2, 1)):
        for j in range(n):
            changed = SOURCE.clone()
            changed[row, j] = 3
            differs = (model(SOURCE, TARGET) != model(changed, TARGET)).any(-1)
            assert differs[row].all()
            assert not differs[[r for r in range(3) if r != row]].any()


@both_norms
def test_every_source_position_sees_all_others(norm):
    model = build(norm)
    for j in range(4):
        changed = SOURCE[:1].clone()
        changed[0, j] = 3
        assert (model.encode(SOURCE[:1])[0] != model.encode(changed)[0]).any(-1).all()


@every_kind
def test_padding_changes_nothing(norm, positions):
    model = build(norm, positions)
    wider, longer = (torch.cat([ids, torch.full((3, 4), PAD)], dim=1) for ids in (SOURCE, TARGET))
    expected = model(SOURCE, TARGET)
    torch.testing.assert_close(model(wider, TARGET), expected)
    torch.testing.assert_close(model(SOURCE, longer)[:, :5], expected)
    for row in range(3):
        source, target = (ids[row : row + 1, : int((ids[row] != PAD).sum())] for ids in (SOURCE, TARGET))
        torch.testing.assert_close(model(source, target)[0], expected[row, : target.shape[1]])


@both_norms
def test_the_order_matters(norm):
    model = build(norm)
    logits = model(SOURCE[:1], TARGET[:1])
    assert not torch.allclose(model(SOURCE[:1].flip(1), TARGET[:1]), logits)
    swapped = TARGET[:1, [0, 2, 1, 3, 4]]
    assert not torch.allclose(model(SOURCE[:1], swapped)[:, 3:], logits[:, 3:])


@every_kind
def test_step_by_step_equals_forward(norm, positions):
    """Over 20 steps, past the cache's first buffers."""
    model, target = build(norm, positions), torch.randint(1, 10, (3, 20))
    torch.testing.assert_close(written(model, SOURCE, target), model(SOURCE, target))


@both_norms
def test_step_by_step_equals_forward_after_reorder(norm):
    model, source, target = build(norm), SOURCE, torch.tensor([[1, 5], [1, 9], [1, 2]])
    state = model.start(SOURCE).reorder(torch.arange(3))
    for token_ids in target.unbind(1):
        _, state = model.step(token_ids, state)
    for rows in (torch.tensor([2, 0, 0, 1]), torch.tensor([1, 1, 3, 0])):  # again and again, as a beam does
        source, state = source[rows], state.reorder(rows)
        token_ids = torch.randint(1, 10, (4,))
        target = torch.cat([target[rows], token_ids[:, None]], dim=1)
        logits, state = model.step(token_ids, state)
        torch.testing.assert_close(logits, model(source, target)[:, -1])


def test_reordered_states_go_on_alone():
    model = build()
    first = model.start(SOURCE)
    model.step(TARGET[:, 0], first)
    other = first.reorder(torch.arange(3))
    for target, state in ((TARGET, first), (TARGET.flip(1).clamp(min=3), other)):
        target[:, 0] = 1
        for t in range(1, 5):
            logits, state = model.step(target[:, t], state)
        torch.testing.assert_close(logits, model(SOURCE, target)[:, -1])


def test_dropout_in_train_mode_only():
    model, plain = build(dropout=0.5), build()
    plain.load_state_dict(model.state_dict())
    assert not torch.equal(model(SOURCE, TARGET), model(SOURCE, TARGET))
    torch.testing.assert_close(model.eval()(SOURCE, TARGET), plain.eval()(SOURCE, TARGET), rtol=0, atol=0)


@both_norms
def test_dropout_falls_on_words_and_positions_too(norm):
    logits = build(norm, dropout=1.0)(SOURCE, TARGET)
    torch.testing.assert_close(logits, logits[:1, :1].expand_as(logits))


@both_norms
def test_gradients_reach_every_parameter(norm):
    """All but the vector of padding in sources. (A key's bias moves all scores of a query alike: its gradient is noise.)"""
    model = build(norm, "learned", max_len=11)
    source, target = torch.arange(1, 12).repeat(2, 1), torch.tensor([[1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2], [1] * 11])
    model(source, target).log_softmax(-1)[:, :, 4].sum().backward()
    for name, parameter in model.named_parameters():
        reached = parameter.grad.abs() > 1e-7
        if name.endswith("key_value.bias"):
            assert reached[16:].all(), name  # the values'
        elif "positions" in name or "embedding" in name:
            assert reached.any(1).tolist() == [name != "source_embedding.weight" or i > 0 for i in range(len(reached))]
        elif parameter.dim() == 1 and "inner" not in name:
            assert reached.all(), name
        else:  # a unit of the feed-forward network may rest at all positions
            assert reached.float().mean() > 0.5, name


@pytest.mark.slow
@both_norms
def test_one_batch_can_be_overfitted(norm, toy):
    sizes = {"source_vocab_size": 12, "target_vocab_size": 12, "d_model": 32, "n_layers": 1, "n_heads": 4, "d_ff": 64}
    model = Transformer(TransformerConfig(norm=norm, max_len=12, **sizes))
    batch = toy.objective.collate(toy.train[:6])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    for _ in range(100):
        optimizer.zero_grad()
        loss = toy.objective.loss(model(*batch.inputs), batch.labels) / batch.n_tokens
        loss.backward()
        optimizer.step()
    assert loss < 0.05
    assert greedy(model, batch.inputs[0], 12) == [target for _, target in toy.train[:6]]


def test_target_vectors_serve_twice():
    model = build()
    before = model(SOURCE, TARGET)
    with torch.no_grad():
        model.target_embedding.weight[3] += 1  # a token that TARGET doesn't hold is scored anew, and nothing else moves
    moved = model(SOURCE, TARGET) != before
    assert 3 not in TARGET
    assert moved[..., 3].all()
    assert not moved[..., torch.arange(10) != 3].any()
    attention, feed_forward, norm = 4 * (16 * 16 + 16), 16 * 24 + 24 + 24 * 16 + 16, 2 * 16
    encoder = 2 * (attention + feed_forward + 2 * norm) + norm
    decoder = 2 * (2 * attention + feed_forward + 3 * norm) + norm
    embeddings, out_bias = (12 + 10) * 16, 10
    assert sum(p.numel() for p in model.parameters()) == encoder + decoder + embeddings + out_bias


def test_learned_positions_are_the_only_difference_in_size():
    assert not [name for name in build().state_dict() if "positions" in name]
    learned, fixed = (sum(p.numel() for p in build(positions=kind).parameters()) for kind in ("learned", "sinusoidal"))
    assert learned - fixed == 2 * 24 * 16


def test_refuses_ids_by_name(refused_ids):
    source_ids, target_ids, message = refused_ids
    with pytest.raises(ValueError, match=message):
        build(max_len=9)(source_ids, target_ids)


@pytest.mark.parametrize("positions", POSITIONS)
def test_a_step_past_the_last_position_is_refused(positions):
    model = build(positions=positions, max_len=6)
    state, target = model.start(SOURCE), torch.randint(1, 10, (3, 6))
    for token_ids in target.unbind(1):
        logits, state = model.step(token_ids, state)
    torch.testing.assert_close(logits, model(SOURCE, target)[:, -1])
    for _ in range(2):  # and nothing was written meanwhile
        with pytest.raises(ValueError, match="6 tokens are written: the model takes at most max_len=6"):
            model.step(target[:, 0], state)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"d_model": 0}, "d_model=0 must"),
        ({"n_layers": 0}, "n_layers=0 must"),
        ({"n_heads": 0}, "n_heads=0 must"),
        ({"d_ff": 0}, "d_ff=0 must"),
        ({"max_len": -1}, "max_len=-1 must"),
        ({"source_vocab_size": 0}, "source_vocab_size=0 must"),
        ({"target_vocab_size": 0}, "target_vocab_size=0 must"),
        ({"d_model": 15, "n_heads": 3}, "d_model=15 must be even"),
        ({"n_heads": 5}, "d_model=16 is not a multiple of n_heads=5"),
        ({"dropout": 1.5}, "1.5"),
        ({"norm": "between"}, "norm='between': choose one of before, after"),
        ({"positions": "rotary", "n_heads": 16}, "d_head=1 must be even"),
        ({"positions": "none"}, "positions='none': choose one of sinusoidal, learned, rotary"),
    ],
)
def test_refuses_sizes_by_name(changes, message, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as readers have it: beartype would be the first
    with pytest.raises(ValueError, match=message):
        build(**changes)


@pytest.mark.slow
@pytest.mark.parametrize(("norm", "positions"), [("after", "sinusoidal"), ("before", "rotary")])
def test_exports_to_onnx(norm, positions, equals_its_export):
    sizes = {"d_model": 16, "n_layers": 1, "n_heads": 4, "d_ff": 24, "max_len": 24}
    equals_its_export("Transformer", norm=norm, positions=positions, **sizes)
