from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seqbook.data.tokenizer import Tokenizer
from seqbook.models.bert import BERTConfig
from seqbook.models.gpt import GPT, GPTConfig
from seqbook.models.heads import FineTunedConfig
from seqbook.models.rnn import RNNConfig, RNNSeq2Seq
from seqbook.objectives.classification import ClassificationConfig, MultipleChoice
from seqbook.objectives.layouts import DELIMITER
from seqbook.objectives.layouts import EXTRACT as EXTRACT_TOKEN
from seqbook.training.optimizer import TrainingConfig, adamw

SIZES = {"vocab_size": 12, "d_model": 16, "n_layers": 2, "n_heads": 4, "d_ff": 24, "max_len": 24}
# Two examples of two rows; 11 is read by the head, what follows it is padding.
IDS = torch.tensor([[[1, 5, 6, 10, 7, 11], [1, 7, 10, 5, 6, 11]], [[1, 4, 10, 8, 11, 0], [1, 8, 10, 4, 11, 0]]])
EXTRACT = torch.tensor([[5, 5], [4, 4]])
# Two examples of three answers, of different lengths, after texts of different lengths: 10 is the delimiter.
ANSWERS = [
    ([[1, 5, 6, 7, 8, 10, 7, 11], [1, 5, 6, 7, 8, 10, 3, 4, 11], [1, 5, 6, 7, 8, 10, 9, 9, 9, 11]], 2),
    ([[1, 4, 10, 8, 2, 11], [1, 4, 10, 8, 11], [1, 4, 10, 8, 3, 11]], 0),  # these begin with the same word
]

SEGMENTS = torch.tensor([[0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 0]])
BACKBONES = {"GPT": GPTConfig(**SIZES), "BERT": BERTConfig(**SIZES, outputs="hidden")}
N_SCORES = {"classes": 3, "choices": 1, "tags": 3, "spans": 2}

every_backbone = pytest.mark.parametrize("family", BACKBONES)
every_head = pytest.mark.parametrize("head", N_SCORES)
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
    pretrained = GPT(GPTConfig(**SIZES | {"vocab_size": 10, "positions": positions, "dropout": 0.1})).eval()
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
        ({"max_len": 20}, r"embedding.positions.table is \(20, 16\) in pretraining, \(24, 16\) here"),
        ({"max_len": 28}, r"embedding.positions.table is \(28, 16\) in pretraining, \(24, 16\) here"),
    ],
)
def test_another_network_is_not_loaded(changes, message):
    model = build()
    before = {name: t.clone() for name, t in model.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        model.load_pretrained(GPT(GPTConfig(**SIZES | changes)))
    for name, t in model.state_dict().items():
        assert torch.equal(t, before[name])


@pytest.mark.parametrize("d_ff", [20, 28])
@pytest.mark.parametrize("name", ["inner", "out"])
def test_a_network_that_was_changed_after_it_was_built_is_not_loaded(name, d_ff):
    changed = GPT(GPTConfig(**SIZES))
    setattr(changed.stack.blocks[1].feed_forward, name, nn.Linear(*((16, d_ff) if name == "inner" else (d_ff, 16))))
    with pytest.raises(ValueError, match=rf"1.feed_forward.{name}.weight is .*{d_ff}.* in pretraining, .*24.* here"):
        build().load_pretrained(changed)


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
    assert build(head).head.out_features == N_SCORES[head]


# ---- Tags and spans, and BERT as the backbone


def with_backbone(family, head, **settings):
    torch.manual_seed(1)
    return FineTunedConfig(backbone=BACKBONES[family], head=head, n_classes=3, **settings).build()


def call(model, head, ids, family="GPT"):
    """The scores of the head. `ids`: (B, T)."""
    segments = () if family == "GPT" else (SEGMENTS[:, : ids.shape[1]],)
    if head == "classes":
        at = (ids != 0).sum(1, keepdim=True) - 1
        return model(ids[:, None], at, *(t[:, None] for t in segments)).task
    return model(ids) if head == "tags" else torch.stack(model(ids, *segments), dim=-1)


@every_backbone
def test_tags_are_a_linear_layer_on_every_token(family):
    model = with_backbone(family, "tags").eval()
    ids = IDS[:, 0]
    scores = model(ids)
    assert scores.shape == (2, 6, 3)
    torch.testing.assert_close(scores, model.head(model.backbone.hidden(ids)))


@every_backbone
def test_spans_are_two_scores_of_every_token(family):
    model = with_backbone(family, "spans").eval()
    ids, segments = IDS[:, 0], () if family == "GPT" else (SEGMENTS,)
    start, end = model(ids, *segments)
    h = model.backbone.hidden(ids, *segments)
    for scores, weight in ((start, model.head.weight[0]), (end, model.head.weight[1])):
        assert scores.shape == (2, 6)
        torch.testing.assert_close(scores, h @ weight)


@pytest.mark.parametrize("head", ["classes", "spans"])
def test_the_segments_reach_bert(head):
    model, ids = with_backbone("BERT", head).eval(), IDS[:, 0]
    without = model(ids[:, None], EXTRACT[:, :1]).task if head == "classes" else torch.stack(model(ids), dim=-1)
    assert not torch.allclose(call(model, head, ids, "BERT"), without)
    if head == "classes":
        h = model.backbone.hidden(ids, SEGMENTS)[torch.arange(2), EXTRACT[:, 0]]
        torch.testing.assert_close(call(model, head, ids, "BERT"), model.head(h))


@pytest.mark.parametrize("head", ["classes", "tags", "spans"])
def test_heads_of_both_families_begin_alike(head):
    """The same shape, the same spread of the weights, and no bias, at the width of the recipes."""
    heads = {}
    for family, backbone in BACKBONES.items():
        torch.manual_seed(0)
        wide = replace(backbone, d_model=256, n_layers=1)
        heads[family] = FineTunedConfig(backbone=wide, head=head, n_classes=9).build().head
    gpt, bert = heads["GPT"], heads["BERT"]
    assert gpt.weight.shape == bert.weight.shape
    for layer in (gpt, bert):
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.15)
        assert (layer.bias == 0).all()


@every_backbone
@pytest.mark.parametrize("head", ["classes", "tags", "spans"])
def test_padding_changes_no_score(family, head):
    model, ids = with_backbone(family, head).eval(), IDS[:, 0]
    alone = call(model, head, ids, family)
    zeros = torch.zeros_like(ids[:, :2])
    padded, segments = torch.cat([ids, zeros], dim=1), torch.cat([SEGMENTS, zeros], dim=1)
    inputs = (padded, segments) if family == "BERT" and head == "spans" else (padded,)
    if head == "classes":
        at = (ids != 0).sum(1, keepdim=True) - 1
        extra = (segments[:, None],) if family == "BERT" else ()
        torch.testing.assert_close(model(padded[:, None], at, *extra).task, alone)
    else:
        found = model(*inputs) if head == "tags" else torch.stack(model(*inputs), dim=-1)
        torch.testing.assert_close(found[:, :6], alone)


@every_backbone
@pytest.mark.parametrize("head", ["classes", "tags", "spans"])
def test_a_frozen_backbone_does_not_move(family, head):
    model = with_backbone(family, head, frozen=True)
    before = {name: t.clone() for name, t in model.state_dict().items()}
    optimizer = adamw(model, TrainingConfig(steps=3, weight_decay=0.5))
    for _ in range(3):
        call(model, head, IDS[:, 0], family).log_softmax(-1)[..., 0].sum().neg().backward()
        optimizer.step()
        optimizer.zero_grad()
    moved = {name for name, t in model.state_dict().items() if not torch.equal(t, before[name])}
    assert moved == {"head.weight", "head.bias"}
    assert with_backbone(family, head).backbone.embedding.tokens.weight.requires_grad


def test_a_frozen_backbone_takes_the_pretrained_weights():
    pretrained = GPT(GPTConfig(**SIZES))
    model = with_backbone("GPT", "tags", frozen=True)
    model.load_pretrained(pretrained)
    assert torch.equal(
        model.backbone.stack.blocks[0].attention.query.weight, pretrained.stack.blocks[0].attention.query.weight
    )
    assert [name for name, p in model.named_parameters() if p.requires_grad] == ["head.weight", "head.bias"]


@every_backbone
@pytest.mark.parametrize("head", ["classes", "tags", "spans"])
def test_one_batch_is_learned_by_heart(family, head):
    model, ids = with_backbone(family, head), IDS[:, 0]
    labels = {"classes": [2, 0], "tags": [[0, 1, 2, 1, 0, 2], [2, 0, 1, 2, 1, 0]], "spans": [[1, 3], [2, 2]]}[head]
    labels, real = torch.tensor(labels), ids > 1  # both rows begin with the same token, so GPT cannot tell them apart

    def loss():
        scores = call(model, head, ids, family)
        if head == "tags":
            return F.cross_entropy(scores[real], labels[real])
        return F.cross_entropy(scores, labels)  # of spans: (B, T, 2) over the positions

    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    before = loss().item()
    for _ in range(150):
        found = loss()
        found.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert before > 0.8
    assert loss().item() < 0.02
