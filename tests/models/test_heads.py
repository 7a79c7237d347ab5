import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seqbook.data.tokenizer import Tokenizer
from seqbook.models.gpt import GPT, GPTConfig
from seqbook.models.heads import FineTunedConfig
from seqbook.models.rnn import RNNConfig, RNNSeq2Seq
from seqbook.objectives.classification import DELIMITER, ClassificationConfig, MultipleChoice
from seqbook.objectives.classification import EXTRACT as EXTRACT_TOKEN

SIZES = {"vocab_size": 12, "d_model": 16, "n_layers": 2, "n_heads": 4, "d_ff": 24, "max_len": 24}
# Two examples of two rows; 11 is read by the head, what follows it is padding.
IDS = torch.tensor([[[1, 5, 6, 10, 7, 11], [1, 7, 10, 5, 6, 11]], [[1, 4, 10, 8, 11, 0], [1, 8, 10, 4, 11, 0]]])
EXTRACT = torch.tensor([[5, 5], [4, 4]])
# Two examples of three answers, of different lengths, after texts of different lengths: 10 is the delimiter.
ANSWERS = [
    ([[1, 5, 6, 7, 8, 10, 7, 11], [1, 5, 6, 7, 8, 10, 3, 4, 11], [1, 5, 6, 7, 8, 10, 9, 9, 9, 11]], 2),
    ([[1, 4, 10, 8, 2, 11], [1, 4, 10, 8, 11], [1, 4, 10, 8, 3, 11]], 0),  # these begin with the same word
]

every_head = pytest.mark.parametrize("head", ["classes", "choices"])
every_n = pytest.mark.parametrize("n", [1, 2])


def build(head="classes", **changes):
    model = FineTunedConfig(backbone=GPTConfig(**SIZES | changes), head=head, n_classes=3).build()
    for name, parameter in model.named_parameters():
        nn.init.normal_(parameter, mean=float("norm" in name and "weight" in name), std=0.3)
    return model.eval()


@pytest.fixture
def choice():
    """The objective whose tokenizer has the ids of `ANSWERS`, and their batch."""
    tokenizer = Tokenizer.train(["a b c d e f g h i j"], "word").with_special(DELIMITER, EXTRACT_TOKEN)
    objective = MultipleChoice(tokenizer, ClassificationConfig(lm_weight=0.5), max_len=24)
    return objective, objective.collate(ANSWERS)


# ---- Classes


@every_n
def test_one_score_per_class_and_the_logits_of_the_backbone(n):
    model, ids, extract = build(), IDS[:, :n], EXTRACT[:, :n]
    outputs = model(ids, extract)
    assert outputs.task.shape == (2, 3)
    for i in range(n):
        torch.testing.assert_close(outputs.lm[:, i], model.backbone(ids[:, i]))


@every_n
def test_the_head_reads_the_extract_token(n):
    model, ids, extract = build(), IDS[:, :n], EXTRACT[:, :n]
    before = model(ids, extract).task
    padded = torch.cat([ids, torch.full_like(ids[..., :2], 9)], dim=-1)
    torch.testing.assert_close(model(padded, extract).task, before)  # what stands after it changes nothing
    for b, position in enumerate(extract[:, 0].tolist()):
        read = sum(model.backbone.hidden(row[None])[0, position] for row in ids[b])
        torch.testing.assert_close(model.head(read), before[b])


def test_classes_do_not_depend_on_the_order_of_the_sequences():
    model = build()
    torch.testing.assert_close(model(IDS.flip(1), EXTRACT.flip(1)).task, model(IDS, EXTRACT).task)


# ---- Answers, after a text that is read once


def read_each(model, rows):
    """The hidden states of each answer's own sequence, read alone and without padding."""
    return [model.backbone.hidden(torch.tensor([row]))[0] for row in rows]


def loss_of_each(model, examples, lm_weight):
    """The scores, and L_task + λ·L_LM, by reading the text again for each answer. L_LM counts the text once."""
    scores, loss = [], 0.0
    for rows, label in examples:
        states = read_each(model, rows)
        scores.append(torch.cat([model.head(h[-1]) for h in states]))
        common = next(i for i, ids in enumerate(zip(*rows, strict=False)) if len(set(ids)) > 1)
        nats = []
        for n, (h, row) in enumerate(zip(states, rows, strict=True)):
            nll = F.cross_entropy(model.backbone.embedding.logits(h[:-1]), torch.tensor(row[1:]), reduction="none")
            nats.append(nll if n == 0 else nll[common - 1 :])
        loss = loss + F.cross_entropy(scores[-1], torch.tensor(label)) + lm_weight * torch.cat(nats).mean()
    return torch.stack(scores), loss


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary"])
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_reading_the_text_once_equals_reading_it_for_each_answer(choice, positions, norm, training):
    """Scores, loss and gradients, at different lengths of texts and answers."""
    objective, batch = choice
    model = build("choices", positions=positions, norm=norm).train(training)
    expected, total = loss_of_each(model, ANSWERS, objective.config.lm_weight)
    total.backward()
    gradients = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()

    outputs = model(*batch.inputs)
    loss = objective.loss(outputs, batch.labels)
    loss.backward()
    assert batch.inputs[0].shape == (2, 5 + 3 + 4 + 5)  # the second example has padding
    torch.testing.assert_close(outputs.task, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(loss, total, rtol=1e-5, atol=1e-5)
    for name, p in model.named_parameters():
        torch.testing.assert_close(p.grad, gradients[name], rtol=1e-4, atol=1e-5, msg=name)
        # The bias of the head is added to the score of each answer, so it changes nothing.
        assert p.grad.abs().sum() > 0 or name == "head.bias", name


def test_no_answer_attends_to_another(choice):
    objective, batch = choice
    model = build("choices", positions="rotary")
    before = model(*batch.inputs).task
    rows, label = ANSWERS[0]
    changed = objective.collate([([rows[0], [*rows[1][:-1], 4, 4, 11], rows[2]], label), ANSWERS[1]])
    after = model(*changed.inputs).task
    torch.testing.assert_close(after[:, [0, 2]], before[:, [0, 2]])
    assert not torch.isclose(after[0, 1], before[0, 1])
    torch.testing.assert_close(after[1], before[1])


def test_answers_may_be_in_any_order(choice):
    objective, batch = choice
    model = build("choices")
    turned = objective.collate([(rows[::-1], label) for rows, label in ANSWERS])
    torch.testing.assert_close(model(*turned.inputs).task, model(*batch.inputs).task.flip(1))


def test_a_row_may_be_longer_than_any_of_its_sequences(choice):
    """max_len counts positions: the longest sequence has 10, the row 17."""
    _, batch = choice
    for positions in ("learned", "rotary"):
        assert build("choices", positions=positions, max_len=10)(*batch.inputs).task.isfinite().all()
        with pytest.raises(ValueError, match="ids is 10 tokens long, the model takes at most max_len=9"):
            build("choices", positions=positions, max_len=9)(*batch.inputs)


# ---- Both


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
    model = FineTunedConfig(backbone=GPTConfig(**SIZES), n_classes=3).build()
    torch.testing.assert_close(model(IDS, EXTRACT).task.softmax(-1), torch.full((2, 3), 1 / 3), rtol=0, atol=0.1)
    assert (model.head.bias == 0).all()


@every_n
def test_gradients_reach_every_parameter(n):
    model = build()
    outputs = model(IDS[:, :n], EXTRACT[:, :n])
    (outputs.task.logsumexp(-1).sum() + outputs.lm.logsumexp(-1).sum()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@every_head
def test_each_head_has_its_scores(head):
    assert build(head).head.out_features == {"classes": 3, "choices": 1}[head]
