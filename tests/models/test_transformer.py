import math

import pytest
import torch
from torch import nn

from seqbook.models.transformer import Transformer, TransformerConfig

PAD = 0
NORMS = ("pre", "post")
SOURCE = torch.tensor([[5, 6, 7, 8], [9, 4, PAD, PAD], [11, PAD, PAD, PAD]])
TARGET = torch.tensor([[1, 5, 6, 7, 8], [1, 9, 4, 5, PAD], [1, 2, PAD, PAD, PAD]])

both_norms = pytest.mark.parametrize("norm", NORMS)


def build(norm="pre", positions="sinusoidal", **changes):
    sizes = {"source_vocab_size": 12, "target_vocab_size": 10, "d_model": 16, "n_layers": 2, "n_heads": 4, "d_ff": 24}
    config = TransformerConfig(**{"max_len": 24} | sizes | {"norm": norm, "positions": positions} | changes)
    model = Transformer(config)
    for name, parameter in model.named_parameters():
        if parameter.dim() == 1:  # biases of 0 and gains of 1 would hide a mistake
            nn.init.normal_(parameter, mean=float("norm" in name and "weight" in name), std=0.3)
    return model


@pytest.fixture
def torch_transformer(copy_block):
    """Torch's Transformer with our weights. The norms that end its stacks are ours: none after post-norm."""

    def build(model):
        sizes = {"dropout": 0.0, "batch_first": True, "norm_first": model.config.norm == "pre"}
        ends = (model.encoder.norm, model.decoder.norm) if sizes["norm_first"] else (None, None)
        encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, 24, **sizes), 2, ends[0], False)
        decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(16, 4, 24, **sizes), 2, ends[1])
        # It initialises all weights, also those of the stacks that it is given: they are copied after it.
        made = nn.Transformer(16, 4, custom_encoder=encoder, custom_decoder=decoder, batch_first=True)
        for stack, blocks in ((encoder, model.encoder.blocks), (decoder, model.decoder.blocks)):
            for layer, block in zip(stack.layers, blocks, strict=True):
                copy_block(layer, block)
        return made

    return build


@pytest.mark.parametrize(("norm", "positions"), [(norm, kind) for norm in NORMS for kind in ("sinusoidal", "learned")])
def test_equals_torch(norm, positions, torch_transformer):
    model = build(norm, positions)
    source = math.sqrt(16) * model.source_embedding.tokens.weight[SOURCE] + model.source_embedding.positions.table[:4]
    target = math.sqrt(16) * model.target_embedding.tokens.weight[TARGET] + model.target_embedding.positions.table[:5]
    future = torch.ones(5, 5, dtype=torch.bool).triu(1)
    padding = {"src_key_padding_mask": SOURCE == PAD, "memory_key_padding_mask": SOURCE == PAD}
    y = torch_transformer(model)(source, target, tgt_mask=future, tgt_is_causal=False, **padding)
    torch.testing.assert_close(model(SOURCE, TARGET), y @ model.target_embedding.tokens.weight.T + model.out_bias)


@both_norms
def test_every_source_position_sees_all_others(norm):
    model = build(norm)
    for j in range(4):
        changed = SOURCE[:1].clone()
        changed[0, j] = 3
        assert (model.encode(SOURCE[:1])[0] != model.encode(changed)[0]).any(-1).all()


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
        elif "embedding" in name:
            padding = name == "source_embedding.tokens.weight"
            assert reached.any(1).tolist() == [not padding or i > 0 for i in range(len(reached))], name
        elif parameter.dim() == 1 and "inner" not in name:
            assert reached.all(), name
        else:  # a unit of the feed-forward network may rest at all positions
            assert reached.float().mean() > 0.5, name


def test_the_target_embedding_is_the_output_weight_too():
    model = build()
    before = model(SOURCE, TARGET)
    with torch.no_grad():
        model.target_embedding.tokens.weight[3] += 1  # not in TARGET: only the scores of this token change
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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"d_model": 15, "n_heads": 3}, "d_model=15 must be even"),
        ({"n_heads": 5}, "d_model=16 is not a multiple of n_heads=5"),
        ({"positions": "rotary", "n_heads": 16}, "d_head=1 must be even"),
    ],
)
def test_refuses_sizes_that_do_not_fit_each_other(changes, message):
    with pytest.raises(ValueError, match=message):
        build(**changes)


def test_weights_begin_as_xavier_and_only_those_of_the_stacks():
    model = TransformerConfig(source_vocab_size=300, target_vocab_size=300, d_model=64, n_heads=4, n_layers=1).build()
    for stack in (model.encoder, model.decoder):
        for name, parameter in stack.named_parameters():
            if name.endswith("weight") and parameter.dim() == 2:
                bound = (6 / sum(parameter.shape)) ** 0.5
                assert 0.95 * bound < parameter.abs().max().item() <= bound, name
    for embedding in (model.source_embedding, model.target_embedding):
        assert embedding.tokens.weight[1:].std().item() == pytest.approx(1 / 8, rel=0.05)
        assert (embedding.tokens.weight[PAD] == 0).all()
