import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seqbook.models.gpt import GPT, GPTConfig
from seqbook.viz import record

NORMS = ("pre", "post")
POSITIONS = ("sinusoidal", "learned", "rotary")
IDS = torch.tensor([[5, 6, 7, 8, 0], [9, 4, 0, 3, 3], [11, 11, 1, 2, 0]])  # 0 is a token like any other

every_kind = pytest.mark.parametrize(("norm", "positions"), [(n, p) for n in NORMS for p in POSITIONS])


def build(norm="pre", positions="learned", **changes):
    sizes = {"vocab_size": 12, "d_model": 16, "n_layers": 2, "n_heads": 4, "d_ff": 24, "max_len": 24}
    model = GPT(GPTConfig(**sizes | {"norm": norm, "positions": positions} | changes))
    for name, parameter in model.named_parameters():
        # Biases of 0 and gains of 1 would hide a mistake, and so would vectors too small to differ.
        nn.init.normal_(parameter, mean=float("norm" in name and "weight" in name), std=0.3)
    return model


@every_kind
def test_logits_are_products_of_hidden_states_and_embeddings(norm, positions):
    model = build(norm, positions)
    hidden = model.hidden(IDS)
    assert hidden.shape == (3, 5, 16)
    torch.testing.assert_close(hidden @ model.embedding.tokens.weight.T, model(IDS))


def test_hidden_states_come_after_the_last_norm():
    model = GPT(GPTConfig(vocab_size=12))
    nn.init.normal_(model.embedding.tokens.weight)
    hidden = model.hidden(IDS)
    torch.testing.assert_close(F.layer_norm(hidden, (128,)), hidden, rtol=1e-3, atol=1e-3)


def test_recorded_weights_are_none_at_padding_and_sum_to_one():
    model, padding = build(), torch.tensor([0, 2, 4])
    with record(model) as maps:
        _, state = model.prefill(IDS, padding)
        model.decode(IDS[:, 0], state)
    for read, step in maps.values():
        for weights in (read, step):
            torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:3]))
        for row, n in enumerate(padding.tolist()):
            assert (read[row, :, n:, :n] == 0).all()
            assert (step[row, ..., :n] == 0).all()
    assert state.padding.tolist() == [0, 2, 4]


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
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    expected = theirs(IDS, attention_mask=mask, position_ids=positions).logits[:, -1]
    found, _ = ours.prefill(IDS, torch.tensor([0, 2, 4]))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    _, state = ours.prefill(IDS[:, :-1], torch.tensor([0, 2, 3]))  # a prompt has a token at least
    found, _ = ours.decode(IDS[:, -1], state)
    mask[2, 3], positions[2, 4] = 1, 1
    expected = theirs(IDS, attention_mask=mask, position_ids=positions).logits[:, -1]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def copy_weights(theirs, ours):
    theirs.wte.weight.data = ours.embedding.tokens.weight.data
    theirs.wpe.weight.data = ours.embedding.positions.table.data
    theirs.ln_f.load_state_dict(ours.stack.norm.state_dict())
    for layer, block in zip(theirs.h, ours.stack.blocks, strict=True):
        layer.ln_1.load_state_dict(block.attention_norm.state_dict())
        layer.ln_2.load_state_dict(block.feed_forward_norm.state_dict())
        attention = [block.attention.query, block.attention.key_value]
        layer.attn.c_attn.weight.data = torch.cat([part.weight.T for part in attention], dim=1).detach()
        layer.attn.c_attn.bias.data = torch.cat([part.bias for part in attention]).detach()
        parts = [(layer.attn.c_proj, block.attention.out)]
        parts += [(layer.mlp.c_fc, block.feed_forward.inner), (layer.mlp.c_proj, block.feed_forward.out)]
        for their_part, part in parts:
            their_part.weight.data, their_part.bias.data = part.weight.T.detach(), part.bias.detach()


@every_kind
def test_gradients_reach_every_parameter(norm, positions):
    model = build(norm, positions, max_len=12)
    model(torch.arange(12).repeat(2, 1)).log_softmax(-1)[:, :, 4].sum().backward()
    for name, parameter in model.named_parameters():
        reached = parameter.grad.abs() > 1e-7
        if name.endswith("key_value.bias"):  # a key's bias moves all scores of a query alike: its gradient is noise
            reached = reached[16:]
        assert reached.float().mean() > 0.9, name


@pytest.mark.parametrize("n_layers", [1, 6])
def test_an_untrained_model_finds_all_tokens_about_equally_probable(n_layers):
    """Its loss is nearly that of guessing; its weights begin as GPT-2's do, at GPT-2's width."""
    model = GPT(GPTConfig(vocab_size=50, n_layers=n_layers, d_model=768))
    ids = torch.randint(0, 50, (2, 100))
    loss = F.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
    assert loss.item() == pytest.approx(math.log(50), abs=0.3)
    for block in model.stack.blocks:
        for part in (block.attention.out, block.feed_forward.out):
            assert part.weight.std().item() == pytest.approx(0.02 / (2 * n_layers) ** 0.5, rel=0.05)
            assert (part.bias == 0).all()


def test_the_embedding_is_the_output_weight_too():
    model = build()
    before = model(IDS)
    with torch.no_grad():
        model.embedding.tokens.weight[10] += 1  # not in IDS: only the scores of this token change
    assert (model(IDS) != before).any(1).any(0).nonzero().flatten().tolist() == [10]
    attention, feed_forward, norm = 4 * (16 * 16 + 16), 16 * 24 + 24 + 24 * 16 + 16, 2 * 16
    expected = (12 + 24) * 16 + 2 * (attention + feed_forward + 2 * norm) + norm
    assert sum(p.numel() for p in model.parameters()) == expected


def test_defaults():
    config = GPTConfig(vocab_size=12, d_model=16)
    assert config == GPTConfig(vocab_size=12, d_model=16, activation="gelu_tanh", norm="pre", positions="learned")
    assert GPT(config).stack.blocks[0].feed_forward.inner.out_features == 64


def test_dropout_reaches_the_embedding_and_every_block():
    model = build(dropout=0.3)
    assert [m.p for m in model.modules() if isinstance(m, nn.Dropout)] == [0.3] * 3


def test_all_rows_may_begin_with_padding():
    model, padding = build(), [1, 2, 4]
    found, _ = model.prefill(IDS, torch.tensor(padding))
    alone = torch.cat([model.prefill(IDS[row : row + 1, n:])[0] for row, n in enumerate(padding)])
    torch.testing.assert_close(found, alone)


def test_the_mask_of_padding_is_where_the_ids_are():
    """Whatever torch's default device is."""
    model, padding = build(), torch.tensor([0, 2, 4])
    with torch.device("meta"):
        found, _ = model.prefill(IDS, padding)
    assert torch.equal(found, model.prefill(IDS, padding)[0])


@pytest.mark.parametrize(("padding", "length"), [([0, 0, 5], 5), ([0, 7, 0], 5), ([0, -1, 0], 5), ([0, 1, 0], 1)])
def test_refuses_padding_that_leaves_no_token(padding, length):
    with pytest.raises(ValueError, match=rf"padding=.* must be 0 to {length - 1}: a prompt has {length} positions"):
        build().prefill(IDS[:, :length], torch.tensor(padding))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocab_size": 0}, "vocab_size=0 must"),
        ({"d_model": -1}, "d_model=-1 must"),
        ({"n_layers": 0}, "n_layers=0 must"),
        ({"max_len": 0}, "max_len=0 must"),
        ({"n_heads": 0, "positions": "rotary"}, "n_heads=0 must"),
        ({"n_heads": 5}, "d_model=16 is not a multiple of n_heads=5"),
        ({"positions": "rotary", "n_heads": 16}, "d_head=1 must be even"),
        ({"positions": "sinusoidal", "d_model": 15, "n_heads": 3}, "d_model=15 must be even"),
    ],
)
def test_refuses_sizes_that_do_not_fit_each_other(changes, message):
    with pytest.raises(ValueError, match=message):
        build(**changes)
