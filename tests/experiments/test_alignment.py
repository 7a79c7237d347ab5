"""Attention beside the true alignment: on systems whose answers are known."""

import pytest
import torch
from datasets import Dataset
from torch import nn

from seqbook import viz
from seqbook.experiments import alignment, recurrent


@pytest.mark.parametrize("cut", [False, True])
def test_states_contain_other_words_only_through_the_recurrence(make_run, cut):
    run = make_run(bidirectional=True)
    nn.init.normal_(run.model.encoder.embedding.weight)
    for lstm in run.model.encoder.layers[0] if cut else ():
        lstm.weight_hh_l0.data.zero_()
        lstm.bias_ih_l0.data[8:16] = -100.0  # the forget gates of 8 features are closed
    rows = run.splits["test"].select(range(12))
    first, *others = alignment.state_change_by_distance(run, rows, longest=3)
    assert first == 1
    assert len(others) == 3
    if cut:
        assert others == pytest.approx([0, 0, 0], abs=1e-6)
    else:
        assert others == sorted(others, reverse=True)
        assert others[-1] > 1e-3


@pytest.mark.parametrize("reverse_source", [False, True])
@pytest.mark.parametrize("context", ["dot", "additive"])
def test_attention_weights_are_those_of_each_sentence_alone(make_run, context, reverse_source):
    run = make_run(context=context, reverse_source=reverse_source)
    nn.init.normal_(run.model.encoder.embedding.weight)
    rows = run.splits["test"]
    maps = alignment.attention_weights(run, rows)
    assert len(maps) == len(rows)
    for number in (0, 7):
        x, y = run.examples("test")[number]
        with viz.record(run.model) as recorded, torch.no_grad():
            run.model(*run.objective.collate([(x, y)]).inputs)
        (alone,) = recorded["attention"][0]
        torch.testing.assert_close(maps[number], alone.flip(1) if reverse_source else alone)
        assert maps[number].shape == (len(y) + 1, len(x))
        assert maps[number].std() > 1e-3


def test_a_model_without_attention_has_no_weights(make_run):
    run = make_run(context="last")
    with pytest.raises(ValueError, match="RNNSeq2Seq has no attention of its own"):
        alignment.attention_weights(run, run.splits["test"])


ROWS = Dataset.from_dict({"alignment": [[[0, 1], [1, 2], [2, 2]], [[3, 0]]]})  # of 4 and 2 characters


def pointing(*words, n_words=4):
    """A map whose characters point to these words; its last row is that of <eos>."""
    return torch.cat([torch.eye(n_words)[list(words)], torch.ones(1, n_words) / n_words])


def test_links_of_attention_are_compared_with_the_true_ones():
    """Three characters have true links, four in all; so one link per character can have 3 of 4."""
    right = alignment.alignment_of_linked_characters(ROWS, [pointing(3, 0, 1, 3), pointing(3, 0)])
    assert right.loc["attention", "error"] == pytest.approx(1 - 2 * 3 / (3 + 4))
    assert right.loc["attention", "error_of_all"] == pytest.approx(1 - 2 * 3 / (6 + 4))
    assert right.loc["best", "error"] == right.loc["attention", "error"]
    assert right.loc["best", "error_of_all"] == right.loc["attention", "error_of_all"]
    assert right["beside"].isna()[["attention", "best"]].all()
    assert right.loc["diagonal", "error"] == pytest.approx(1 - 2 * 1 / (3 + 4))  # words 0 1 2 3 and 0 3
    assert right.loc["diagonal", "beside"] == 0.5


def test_wrong_links_are_beside_a_true_one_or_further_away():
    table = alignment.alignment_of_linked_characters(ROWS, [pointing(0, 1, 3, 0), pointing(0, 0)])
    assert table.loc["attention", "error"] == 1
    assert table.loc["attention", "beside"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("reverse_source", [False, True])
def test_replaced_weights_give_the_context_of_other_words(make_run, reverse_source):
    run = make_run(context="dot", bidirectional=True, reverse_source=reverse_source)
    for parameter in run.model.parameters():
        nn.init.normal_(parameter, std=0.5)
    rows = run.splits["test"].select(range(6))
    found = alignment.nll_with_weights(run, rows)
    losses = recurrent.token_nll(run)[:6]
    linked = [sorted({i for _, i in links}) for links in rows["alignment"]]
    own = torch.cat([loss[chosen] for loss, chosen in zip(losses, linked, strict=True)])
    assert found["learned"] == pytest.approx(own.mean().item(), rel=1e-4)
    for name in ("largest", "true alignment"):
        assert abs(found[name] - found["learned"]) > 1e-3
    maps = alignment.attention_weights(run, rows)

    class Given(nn.Module):  # the weights of the true alignment, for the sentence of this number
        def forward(self, s, h, mask):
            true = torch.zeros_like(maps[number])
            for j, i in rows["alignment"][number]:
                true[i, j] = 1.0
            return (true.flip(1) if reverse_source else true)[None] @ h

    run.model.attention, expected = Given(), []
    for number, example in enumerate(run.examples("test")[:6]):
        batch = run.objective.collate([example])
        with torch.no_grad():
            log_p = run.model(*batch.inputs)[0].log_softmax(-1)
        expected += [-log_p[i, batch.labels[0, i]] for i in linked[number]]
    assert found["true alignment"] == pytest.approx(torch.stack(expected).mean().item(), rel=1e-4)


def test_random_links_are_the_same_at_each_call():
    maps = [pointing(3, 0, 1, 3), pointing(3, 0)]
    first, second = (alignment.alignment_of_linked_characters(ROWS, maps) for _ in range(2))
    assert first.equals(second)


def test_sentences_without_a_known_alignment_are_refused(make_run):
    run = make_run()
    rows = run.splits["test"].remove_columns("alignment")
    for measure in (
        recurrent.influence_on_translations,
        lambda run, rows: alignment.alignment_of_linked_characters(rows, []),
    ):
        with pytest.raises(ValueError, match="no column `alignment`"):
            measure(run, rows)
