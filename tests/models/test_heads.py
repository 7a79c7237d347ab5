import pytest
import torch
from torch import nn

from seqbook.models.gpt import GPT, GPTConfig
from seqbook.models.heads import FineTuned, FineTunedConfig
from seqbook.models.rnn import RNNConfig, RNNSeq2Seq

SIZES = {"vocab_size": 12, "d_model": 16, "n_layers": 2, "n_heads": 4, "d_ff": 24, "max_len": 24}
# Two examples of two rows; 11 is read by the head, what follows it is padding.
IDS = torch.tensor([[[1, 5, 6, 10, 7, 11], [1, 7, 10, 5, 6, 11]], [[1, 4, 10, 8, 11, 0], [1, 8, 10, 4, 11, 0]]])
EXTRACT = torch.tensor([[5, 5], [4, 4]])
HEADS = [("classes", 1), ("classes", 2), ("choices", 2)]  # with how many sequences per example

every_head = pytest.mark.parametrize(("head", "n"), HEADS)


def build(head="classes", **changes):
    model = FineTuned(FineTunedConfig(backbone=GPTConfig(**SIZES | changes), head=head, n_classes=3))
    for name, parameter in model.named_parameters():
        nn.init.normal_(parameter, mean=float("norm" in name and "weight" in name), std=0.3)
    return model.eval()


def given(n):
    return IDS[:, :n], EXTRACT[:, :n]


@every_head
def test_one_score_per_class_or_choice_and_the_logits_of_the_backbone(head, n):
    model = build(head)
    ids, extract = given(n)
    outputs = model(ids, extract)
    assert outputs.task.shape == (2, 2 if head == "choices" else 3)
    for i in range(n):
        torch.testing.assert_close(outputs.lm[:, i], model.backbone(ids[:, i]))


@every_head
def test_the_head_reads_the_extract_token(head, n):
    model = build(head)
    ids, extract = given(n)
    before = model(ids, extract).task
    padded = torch.cat([ids, torch.full_like(ids[..., :2], 9)], dim=-1)
    torch.testing.assert_close(model(padded, extract).task, before)  # what stands after it changes nothing
    for b, position in enumerate(extract[:, 0].tolist()):
        h = [model.backbone.hidden(row[None])[0, position] for row in ids[b]]
        read = torch.stack(h) if head == "choices" else sum(h)
        torch.testing.assert_close(model.head(read).flatten(), before[b])


def test_classes_do_not_depend_on_the_order_of_the_sequences():
    model = build("classes")
    torch.testing.assert_close(model(IDS.flip(1), EXTRACT.flip(1)).task, model(IDS, EXTRACT).task)


def test_choices_may_be_in_any_order():
    model = build("choices")
    torch.testing.assert_close(model(IDS.flip(1), EXTRACT.flip(1)).task, model(IDS, EXTRACT).task.flip(1))


@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_it_begins_with_the_pretrained_weights(positions):
    pretrained = GPT(GPTConfig(**SIZES | {"vocab_size": 10, "positions": positions}))
    nn.init.normal_(pretrained.embedding.tokens.weight)
    model = build(positions=positions)
    new = model.backbone.embedding.tokens.weight[10:].clone()
    model.load_pretrained(pretrained)
    torch.testing.assert_close(model.backbone.embedding.tokens.weight[10:], new)
    ids = torch.randint(10, (3, 7))
    torch.testing.assert_close(model.backbone(ids)[..., :10], pretrained(ids))


def test_longer_sequences_than_in_pretraining_are_read_with_rotary_positions():
    model = build(positions="rotary", max_len=40)
    model.load_pretrained(GPT(GPTConfig(**SIZES | {"vocab_size": 10, "positions": "rotary"})))
    assert model.backbone(torch.randint(10, (1, 40))).isfinite().all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"d_model": 32}, "d_model=32 in pretraining, 16 here"),
        ({"n_layers": 1}, "n_layers=1 in pretraining, 2 here"),
        ({"positions": "rotary"}, "positions=rotary in pretraining, learned here"),
        ({"vocab_size": 13}, "the pretrained vocabulary has 13 tokens, this one only 12"),
    ],
)
def test_another_network_is_not_loaded(changes, message):
    model = build()
    before = {name: t.clone() for name, t in model.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        model.load_pretrained(GPT(GPTConfig(**SIZES | changes)))
    for name, t in model.state_dict().items():
        assert torch.equal(t, before[name])


def test_another_kind_of_network_is_not_loaded():
    with pytest.raises(ValueError, match="the pretrained network is a RNNSeq2Seq, not GPT"):
        build().load_pretrained(RNNSeq2Seq(RNNConfig(source_vocab_size=12, target_vocab_size=12)))


def test_at_first_all_classes_are_about_equally_probable():
    model = FineTuned(FineTunedConfig(backbone=GPTConfig(**SIZES), n_classes=3))
    torch.testing.assert_close(model(IDS, EXTRACT).task.softmax(-1), torch.full((2, 3), 1 / 3), rtol=0, atol=0.1)
    assert (model.head.bias == 0).all()


@every_head
def test_gradients_reach_every_parameter(head, n):
    model = build(head)
    outputs = model(*given(n))
    (outputs.task.logsumexp(-1).sum() + outputs.lm.logsumexp(-1).sum()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
