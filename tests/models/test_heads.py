import jaxtyping
import pytest
import torch
from torch import nn

from seqbook.models.finetuned import FineTunedConfig, FineTunedGPT
from seqbook.models.gpt import GPT, GPTConfig

SIZES = {"vocab_size": 12, "d_model": 16, "n_layers": 2, "n_heads": 4, "d_ff": 24, "max_len": 24}
# Two examples of two rows; 11 is read by the head, what follows it is padding.
IDS = torch.tensor([[[1, 5, 6, 10, 7, 11], [1, 7, 10, 5, 6, 11]], [[1, 4, 10, 8, 11, 0], [1, 8, 10, 4, 11, 0]]])
EXTRACT = torch.tensor([[5, 5], [4, 4]])
HEADS = {"classification": 1, "similarity": 2, "multiple_choice": 2}

every_head = pytest.mark.parametrize("head", HEADS)


def build(head="similarity", **changes):
    model = FineTunedGPT(FineTunedConfig(**SIZES | {"head": head, "n_classes": 3} | changes))
    for name, parameter in model.named_parameters():
        nn.init.normal_(parameter, mean=float("norm" in name and "weight" in name), std=0.3)
    return model.eval()


def given(head):
    return IDS[:, : HEADS[head]], EXTRACT[:, : HEADS[head]]


@every_head
def test_contract(head):
    model = build(head)
    ids, extract = given(head)
    outputs = model(ids, extract)
    assert outputs.task.shape == (2, 2 if head == "multiple_choice" else 3)
    for n in range(ids.shape[1]):
        torch.testing.assert_close(outputs.lm[:, n], model.gpt(ids[:, n]))


@every_head
def test_the_head_reads_the_extract_token(head):
    model = build(head)
    ids, extract = given(head)
    before = model(ids, extract).task
    padded = torch.cat([ids, torch.full_like(ids[..., :2], 9)], dim=-1)
    torch.testing.assert_close(model(padded, extract).task, before)  # what stands after it is not seen
    for b, position in enumerate(extract[:, 0].tolist()):
        h = [model.gpt.hidden(row[None])[0, position] for row in ids[b]]
        read = torch.stack(h) if head == "multiple_choice" else sum(h)
        torch.testing.assert_close(model.head.out(read).flatten(), before[b])


def test_similarity_does_not_know_which_text_is_first():
    model = build("similarity")
    torch.testing.assert_close(model(IDS.flip(1), EXTRACT.flip(1)).task, model(IDS, EXTRACT).task)


def test_answers_of_multiple_choice_may_be_shuffled():
    model = build("multiple_choice")
    torch.testing.assert_close(model(IDS.flip(1), EXTRACT.flip(1)).task, model(IDS, EXTRACT).task.flip(1))


@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_it_begins_with_what_was_pretrained(positions):
    pretrained = GPT(GPTConfig(**SIZES | {"vocab_size": 10, "positions": positions}))
    nn.init.normal_(pretrained.embedding.weight)
    model = build(positions=positions)
    new = model.gpt.embedding.weight[10:].clone()
    model.take_over(pretrained)
    torch.testing.assert_close(model.gpt.embedding.weight[10:], new)
    ids = torch.randint(10, (3, 7))
    torch.testing.assert_close(model.gpt(ids)[..., :10], pretrained(ids))


def test_longer_rows_than_in_pretraining_are_read_with_rotary_positions():
    model = build(positions="rotary", max_len=40)
    model.take_over(GPT(GPTConfig(**SIZES | {"vocab_size": 10, "positions": "rotary"})))
    assert model.gpt(torch.randint(10, (1, 40))).isfinite().all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"d_model": 32}, "d_model=32 in pretraining, 16 here"),
        ({"n_layers": 1}, "n_layers=1 in pretraining, 2 here"),
        ({"positions": "rotary"}, "positions=rotary in pretraining, learned here"),
        ({"vocab_size": 13}, "the pretrained vocabulary has 13 tokens, this one only 12"),
    ],
)
def test_another_network_is_not_taken_over(changes, message):
    model = build()
    before = {name: t.clone() for name, t in model.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        model.take_over(GPT(GPTConfig(**SIZES | changes)))
    for name, t in model.state_dict().items():
        assert torch.equal(t, before[name])


def test_mistakes_are_named(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as readers have it: beartype would be the first
    with pytest.raises(ValueError, match="head='regression': choose one of classification"):
        FineTunedGPT(FineTunedConfig(**SIZES, head="regression"))
    with pytest.raises(ValueError, match="n_classes=0"):
        FineTunedGPT(FineTunedConfig(**SIZES, n_classes=0))
    with pytest.raises(ValueError, match="ids has the id 12, outside the vocabulary of 12"):
        build()(IDS + 1, EXTRACT)


@pytest.mark.slow
@pytest.mark.parametrize("head", ["similarity", "multiple_choice"])
def test_exports_to_onnx(head, equals_its_export):
    sizes = {name: size for name, size in SIZES.items() if name != "vocab_size"}
    equals_its_export("FineTunedGPT", **sizes, head=head, n_classes=3)


@every_head
def test_gradients_reach_every_parameter(head):
    model = build(head)
    outputs = model(*given(head))
    (outputs.task.logsumexp(-1).sum() + outputs.lm.logsumexp(-1).sum()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
