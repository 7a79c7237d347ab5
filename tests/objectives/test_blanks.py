import pytest
import torch
from torch import nn

from seqbook.models import PrefixLMConfig
from seqbook.objectives.batch import IGNORED
from seqbook.objectives.blanks import blank_out, positions, put
from seqbook.objectives.drawing import scatter
from seqbook.objectives.rows import collate

X0, X1, X2, X3, X4, X5 = X = [10, 11, 12, 13, 14, 15]
M, S, E = 1, 2, 3
NO = IGNORED


def test_the_papers_example():
    """Positions counted from 0, as in GLM's code; the figure in the paper counts from 1."""
    row = blank_out(X, [(2, 3), (4, 6)], [1, 0], M, S, E)
    assert positions(6, [(2, 3), (4, 6)]) == [0, 1, 2, 3, 4, 4]
    assert row.ids == [X0, X1, M, X3, M, S, X4, X5, S, X2]
    assert row.position_ids == [0, 1, 2, 3, 4, 4, 4, 4, 2, 2]
    assert row.block_position_ids == [0, 0, 0, 0, 0, 1, 2, 3, 1, 2]
    assert row.labels == [NO] * 5 + [X4, X5, E, X2, E]
    assert row.prefix_length == 5
    assert row.segments is None


def test_without_shuffling_the_spans_follow_as_in_the_text():
    row = blank_out(X, [(2, 3), (4, 6)], [0, 1], M, S, E)
    assert row.ids[5:] == [S, X2, S, X4, X5]
    assert row.position_ids[5:] == [2, 2, 4, 4, 4]
    assert row.block_position_ids[5:] == [1, 2, 1, 2, 3]


def test_the_end_of_a_text_is_a_prefix_and_its_continuation():
    """No [eop]: the text's own last token is the last label."""
    row = blank_out(X, [(2, 6)], [0], M, S, None)
    assert row.ids == [X0, X1, M, S, X2, X3, X4]
    assert row.labels == [NO, NO, NO, X2, X3, X4, X5]
    assert row.position_ids == [0, 1, 2, 2, 2, 2, 2]
    assert row.block_position_ids == [0, 0, 0, 1, 2, 3, 4]
    assert row.prefix_length == 3


def test_positions_are_glms_cumulative_sum():
    """p = 1 everywhere, 0 in each blank after its first token; the position is the sum up to there, minus 1."""
    draw = torch.Generator().manual_seed(0)
    for n in range(1, 30):
        spans = scatter([1 + n % 3] * (n // 8) or [1], n, draw)
        p = torch.ones(n, dtype=torch.long)
        for start, stop in spans:
            p[start + 1 : stop] = 0
        assert positions(n, spans) == (p.cumsum(0) - 1).tolist()


def test_the_mask_is_open_on_part_a_and_causal_on_part_b():
    """GLM's code: mask[i, j] = j ≤ i or j < length of part A. Here by what moves the logits."""
    sizes = {"d_model": 16, "n_layers": 2, "n_heads": 2, "max_len": 12}
    model = PrefixLMConfig(vocab_size=16, block_positions=True, **sizes).build().eval()
    row = blank_out(X, [(2, 3), (4, 6)], [1, 0], M, S, E)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.4)
    batch = collate([row] * 11, 0)
    batch.inputs[0][torch.arange(1, 11), torch.arange(10)] = 9
    logits = model(*batch.inputs)
    moved = (logits[1:] != logits[:1]).any(-1).T
    i, j = torch.arange(10)[:, None], torch.arange(10)
    assert torch.equal(moved, (j <= i) | (j < 5))


def test_blanks_may_touch_and_may_be_the_whole_text():
    row = blank_out(X, [(0, 2), (2, 3)], [0, 1], M, S, E)
    assert row.ids == [M, M, X3, X4, X5, S, X0, X1, S, X2]
    assert row.position_ids == [0, 1, 2, 3, 4, 0, 0, 0, 1, 1]
    assert blank_out(X, [(0, 6)], [0], M, S, None).ids == [M, S, *X[:-1]]


@pytest.mark.parametrize(
    ("spans", "order", "end", "message"),
    [
        ([], [], E, "do not fit a text of 6 tokens"),
        ([(2, 2)], [0], E, "do not fit"),
        ([(3, 2)], [0], E, "do not fit"),
        ([(2, 3)], [1], E, r"in the order \[1\] do not fit"),
        ([(-1, 2)], [0], E, "do not fit"),
        ([(4, 7)], [0], E, "do not fit"),
        ([(0, 1), (2, 3)], [0, 0], E, r"in the order \[0, 0\] do not fit"),
        ([(0, 3), (2, 4)], [0, 1], E, "overlap or are not in the order of the text"),
        ([(4, 5), (0, 1)], [0, 1], E, "overlap or are not in the order"),
        ([(1, 3)], [0], None, "need an end"),
        ([(0, 1), (5, 6)], [0, 1], None, "need an end"),
    ],
)
def test_refuses_blanks_that_do_not_fit(spans, order, end, message):
    with pytest.raises(ValueError, match=message):
        blank_out(X, spans, order, M, S, end)


def test_answers_replace_their_blanks():
    assert put([5, M, 6, M], {1: [7, 8], 3: []}, frozenset({M})) == [5, 7, 8, 6]
    with pytest.raises(ValueError, match="position 3 of part A has no answer"):
        put([5, M, 6, M], {1: [7]}, frozenset({M}))
    with pytest.raises(ValueError, match="position 2 of part A is not a blank"):
        put([5, M, 6], {1: [7], 2: [8]}, frozenset({M}))
