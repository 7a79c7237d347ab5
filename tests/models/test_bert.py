import inspect
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seqbook.models.bert import BERT, BERTConfig
from seqbook.models.gpt import GPTConfig
from seqbook.models.heads import FineTunedConfig
from seqbook.nn import masks
from seqbook.viz import record

SIZES = {"vocab_size": 12, "d_model": 16, "n_layers": 2, "n_heads": 4, "d_ff": 24, "max_len": 24}
IDS = torch.tensor([[5, 6, 7, 8, 9], [9, 4, 3, 0, 0], [11, 11, 1, 2, 0]])  # 0 is padding
SEGMENTS = torch.tensor([[0, 0, 1, 1, 1], [0, 1, 1, 0, 0], [0, 0, 0, 1, 0]])
CHOSEN = torch.tensor([[0, 1, 0, 0, 1], [0, 0, 0, 0, 0], [1, 0, 0, 0, 0]]).bool()


def build(**changes):
    model = BERT(BERTConfig(**SIZES | changes))
    for name, parameter in model.named_parameters():
        # Biases of 0 and gains of 1 would hide a mistake, and so would vectors too small to differ.
        nn.init.normal_(parameter, mean=float("norm" in name and "weight" in name), std=0.3)
    return model


def test_only_the_chosen_positions_are_scored_in_reading_order():
    model = build()
    everywhere = model(IDS, torch.ones_like(CHOSEN), SEGMENTS).view(3, 5, 12)
    found = model(IDS, CHOSEN, SEGMENTS)
    torch.testing.assert_close(found, torch.stack([everywhere[0, 1], everywhere[0, 4], everywhere[2, 0]]))
    assert model(IDS, torch.zeros_like(CHOSEN)).shape == (0, 12)


def test_the_head_over_tokens_is_that_of_the_paper():
    """norm(gelu(h W + b)) W_eᵀ + b', with the exact GELU: the one with tanh differs by up to 5e-4."""
    model, x = build(), torch.linspace(-4, 4, 33)
    head, h = model.masked_head, model.hidden(IDS)[CHOSEN]
    y = F.layer_norm(F.gelu(head.dense(h)), (16,), head.norm.weight, head.norm.bias, eps=1e-12)
    torch.testing.assert_close(model(IDS, CHOSEN), y @ model.embedding.tokens.weight.T + head.bias)
    torch.testing.assert_close(head.activation(x), 0.5 * x * (1 + torch.erf(x / 2**0.5)), rtol=0, atol=1e-6)


def test_the_pooler_and_the_next_sentence_read_the_first_token():
    model = build(outputs="pretraining")
    pooled = torch.tanh(model.pooler(model.hidden(IDS, SEGMENTS)[:, 0]))
    torch.testing.assert_close(model.pooled(IDS, SEGMENTS), pooled)
    found = model(IDS, CHOSEN, SEGMENTS)
    torch.testing.assert_close(found.next_sentence, model.next_sentence(pooled))
    alone = build(outputs="masked")
    alone.load_state_dict({k: v for k, v in model.state_dict().items() if k in alone.state_dict()})
    torch.testing.assert_close(found.tokens, alone(IDS, CHOSEN, SEGMENTS))


def test_every_norm_has_the_eps_of_the_configuration():
    for eps in (1e-12, 1e-5):
        assert {m.eps for m in build(eps=eps).modules() if isinstance(m, nn.LayerNorm)} == {eps}
    assert BERTConfig().eps == 1e-12
    assert BERTConfig().norm == "post"


def test_attention_is_full_except_at_padding():
    model = build()
    with record(model) as maps:
        model.hidden(IDS)
    for (weights,) in maps.values():
        expected = masks.padding(IDS, 0).expand(3, 4, 5, 5)
        assert torch.equal(weights > 0, expected)


def test_a_mask_hides_more_than_padding():
    model, mask = build(), ~torch.eye(5, dtype=torch.bool)[None, None]
    with record(model) as maps:
        model.hidden(IDS, mask=mask)
    for (weights,) in maps.values():
        assert torch.equal(weights > 0, (masks.padding(IDS, 0) & mask).expand(3, 4, 5, 5))


def test_segments_are_added_to_the_tokens():
    model = build()
    first = model.hidden(IDS)
    torch.testing.assert_close(model.hidden(IDS, torch.zeros_like(IDS)), first)
    assert not torch.isclose(model.hidden(IDS, SEGMENTS)[0], first[0]).all(-1).any()
    with torch.no_grad():
        model.segments.weight[1] = model.segments.weight[0]
    torch.testing.assert_close(model.hidden(IDS, SEGMENTS), first)
    with torch.no_grad():
        model.embedding.tokens.weight += model.segments.weight[0]
        model.segments.weight.zero_()
    torch.testing.assert_close(model.hidden(IDS, SEGMENTS), first)


def test_robertas_positions_start_after_the_id_of_padding():
    ids = torch.tensor([[0, 5, 6, 2], [0, 7, 2, 1]])  # <s> is 0, <pad> is 1, </s> is 2
    model = build(pad_id=1, first_position=2, n_segments=1)
    assert model.embedding.positions.table.shape == (26, 16)
    bert = build(pad_id=1, n_segments=1)
    weights = model.state_dict()
    weights["embedding.positions.table"] = weights["embedding.positions.table"][2:]
    bert.load_state_dict(weights)
    torch.testing.assert_close(model.hidden(ids), bert.hidden(ids))
    full = torch.full((1, 24), 5)
    torch.testing.assert_close(model.hidden(full), bert.hidden(full))


def test_the_embedding_is_the_output_weight_too():
    model = build(outputs="pretraining")
    before = model(IDS, CHOSEN).tokens
    with torch.no_grad():
        model.embedding.tokens.weight[10] += 1  # not in IDS: only the scores of this token change
    assert (model(IDS, CHOSEN).tokens != before).any(0).nonzero().flatten().tolist() == [10]
    attention, feed_forward, norm = 4 * (16 * 16 + 16), 16 * 24 + 24 + 24 * 16 + 16, 2 * 16
    embeddings, dense = (12 + 24 + 2) * 16 + norm, 16 * 16 + 16
    expected = embeddings + 2 * (attention + feed_forward + 2 * norm)
    counts = {"hidden": 0, "pooled": dense, "masked": dense + norm + 12}
    counts["pretraining"] = counts["pooled"] + counts["masked"] + 2 * 16 + 2
    for outputs, more in counts.items():
        assert sum(p.numel() for p in build(outputs=outputs).parameters()) == expected + more


def test_as_an_input_padding_is_not_trained():
    model = build()
    model.embedding(IDS).sum().backward()
    assert not model.embedding.tokens.weight.grad[0].any()


def test_gradients_reach_every_parameter():
    model = build(outputs="pretraining")
    ids = torch.randint(1, 12, (8, 24))
    found = model(ids, torch.rand(8, 24) < 0.5, torch.randint(2, (8, 24)))
    (found.tokens.log_softmax(-1)[:, 4].sum() + found.next_sentence.log_softmax(-1)[:, 0].sum()).backward()
    for name, parameter in model.named_parameters():
        reached = parameter.grad.abs() > 1e-7
        if name.endswith("key_value.bias"):  # a key's bias moves all scores of a query alike: its gradient is noise
            reached = reached[16:]
        if name == "embedding.tokens.weight":  # padding has no vector to learn as input; as output it is never right
            reached = reached[1:]
        assert reached.float().mean() > 0.9, name


def test_an_untrained_model_finds_all_tokens_about_equally_probable():
    model, ids = BERT(BERTConfig(vocab_size=50, d_model=768, n_layers=2)), torch.randint(1, 50, (2, 100))
    logits = model(ids, torch.ones_like(ids).bool())
    assert F.cross_entropy(logits, ids.flatten()).item() == pytest.approx(math.log(50), abs=0.3)
    assert model.stack.blocks[0].attention.out.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert not any(p.any() for name, p in model.named_parameters() if name.endswith("bias"))
    assert (model.embedding.tokens.weight[0] == 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["post", "pre"])
def test_one_batch_can_be_overfitted(norm):
    model, n = BERT(BERTConfig(**SIZES | {"d_model": 32, "norm": norm, "outputs": "pretraining"})), 6
    labels, next_sentence = torch.randint(4, 12, (n, 9)), torch.arange(n) % 2
    ids, chosen = labels.clone(), torch.zeros(n, 9, dtype=torch.bool)
    ids[:, 1] = torch.arange(n) + 4
    chosen[:, [3, 6]] = True
    ids[chosen] = 3  # the mask token
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    for _ in range(200):
        optimizer.zero_grad()
        found = model(ids, chosen)
        loss = F.cross_entropy(found.tokens, labels[chosen]) + F.cross_entropy(found.next_sentence, next_sentence)
        loss.backward()
        optimizer.step()
    assert loss < 0.05


# ---- What is refused


@pytest.mark.parametrize(
    ("outputs", "call", "needed"),
    [
        ("hidden", lambda model: model(IDS, CHOSEN), "'pretraining' or 'masked'"),
        ("pooled", lambda model: model(IDS, CHOSEN), "'pretraining' or 'masked'"),
        ("hidden", lambda model: model.pooled(IDS), "'pretraining' or 'pooled'"),
        ("masked", lambda model: model.pooled(IDS), "'pretraining' or 'pooled'"),
    ],
)
def test_a_head_that_is_not_there_is_said(outputs, call, needed):
    with pytest.raises(ValueError, match=f"this BERT has outputs='{outputs}', here it needs {needed}"):
        call(build(outputs=outputs))


def test_segments_outside_their_table():
    with pytest.raises(ValueError, match="segments has the id 2, outside the vocabulary of 2"):
        build()(IDS, CHOSEN, SEGMENTS * 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_heads": 5}, "d_model=16 is not a multiple of n_heads=5"),
        ({"positions": "rotary", "n_heads": 16}, "d_head=1 must be even"),
        ({"first_position": -1}, "first_position=-1 must be at least 0"),
        ({"pad_id": 12}, "pad_id=12 is outside the vocabulary of 12"),
        ({"pad_id": 14}, "pad_id=14 is outside the vocabulary of 12"),
        ({"pad_id": -1}, "pad_id=-1 is outside the vocabulary of 12"),
    ],
)
def test_refuses_sizes_that_do_not_fit_each_other(changes, message):
    with pytest.raises(ValueError, match=message):
        build(**changes)


# ---- Fine-tuning from a pretrained one


def backbone(**changes):
    return FineTunedConfig(backbone=BERTConfig(**SIZES | {"vocab_size": 14} | changes), n_classes=3).build()


@pytest.mark.parametrize("outputs", ["masked", "pretraining", "pooled", "hidden"])
def test_a_backbone_leaves_out_the_heads_of_pretraining_alone(outputs):
    pretrained, model = build(outputs=outputs), backbone(outputs="hidden")
    model.load_pretrained(pretrained)
    torch.testing.assert_close(model.backbone.hidden(IDS, SEGMENTS), pretrained.hidden(IDS, SEGMENTS))
    assert len(model.backbone.embedding.tokens.weight) == 14


def test_the_pooler_is_loaded_where_both_have_it():
    pretrained, model = build(outputs="pretraining"), backbone(outputs="pooled")
    model.load_pretrained(pretrained)
    torch.testing.assert_close(model.backbone.pooled(IDS), pretrained.pooled(IDS))


def test_a_pooler_that_was_not_pretrained_is_not_invented():
    model = backbone(outputs="pooled")
    before = model.backbone.state_dict()["pooler.weight"].clone()
    with pytest.raises(ValueError, match=r"lacks pooler\.bias, pooler\.weight: build the backbone without them"):
        model.load_pretrained(build(outputs="masked"))
    assert torch.equal(model.backbone.pooler.weight, before)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"eps": 1e-5}, "eps=1e-05 in pretraining, 1e-12 here"),
        ({"pad_id": 1}, "pad_id=1 in pretraining, 0 here"),
        ({"first_position": 1}, "first_position=1 in pretraining, 0 here"),
        ({"n_segments": 1}, "n_segments=1 in pretraining, 2 here"),
        ({"max_len": 30}, r"positions\.table is \(30, 16\) in pretraining, \(24, 16\) here"),
    ],
)
def test_another_bert_is_not_loaded(changes, message):
    with pytest.raises(ValueError, match=message):
        backbone(outputs="hidden").load_pretrained(build(**changes))


def test_a_bert_is_not_loaded_into_a_gpt():
    gpt = FineTunedConfig(backbone=GPTConfig(**SIZES), n_classes=3).build()
    with pytest.raises(ValueError, match="the pretrained network is a BERT, not GPT"):
        gpt.load_pretrained(build())


@pytest.mark.parametrize("kind", [torch.long, torch.float32, torch.uint8])
def test_positions_are_chosen_by_a_boolean_mask(kind):
    """Numbers would choose rows of the batch, and give other logits."""
    model = BERTConfig(vocab_size=9, d_model=8, n_layers=1, n_heads=2, outputs="masked").build()
    forward = inspect.unwrap(BERT.forward)  # without the check of types that the tests add
    with pytest.raises(ValueError, match="the mask has dtype"):
        forward(model, torch.tensor([[5, 6, 7]]), torch.tensor([[0, 1, 0]], dtype=kind))
