import torch

from seqbook.objectives.batch import IGNORED
from seqbook.objectives.rows import Row, collate, pad_left, row_of, sequence_of


def test_rows_become_a_batch():
    rows = [Row([5, 6, 7], [IGNORED, 7, 8], 2, segments=[1, 1, 2]), Row([9], [4], 0, segments=[3])]
    batch = collate(rows, pad_id=0)
    ids, prefixes, position_ids, block_position_ids, segments = batch.inputs
    assert ids.tolist() == [[5, 6, 7], [9, 0, 0]]
    assert prefixes.tolist() == [2, 0]
    assert position_ids is block_position_ids is None
    assert segments.tolist() == [[1, 1, 2], [3, 0, 0]]
    assert batch.labels.tolist() == [[IGNORED, 7, 8], [4, IGNORED, IGNORED]]
    assert batch.n_tokens == batch.n_labels == 3
    assert len(collate([row._replace(segments=None) for row in rows], 0).inputs) == 2
    assert batch.to(torch.device("meta")).inputs[4].is_meta


def test_prompts_are_padded_at_the_left():
    ids, padding = pad_left([[5, 6, 7], [9]], 1)
    assert ids.tolist() == [[5, 6, 7], [1, 1, 9]]
    assert padding.tolist() == [0, 2]


def test_a_row_has_the_mask_and_the_labels_that_it_should():
    assert row_of([1, 2, 3], [4, 5])[:3] == ([1, 2, 3, 4], [IGNORED, IGNORED, 4, 5], 3)
    assert row_of([1, 2, 3], [4, 5], bidirectional=False)[:3] == ([1, 2, 3, 4], [IGNORED, IGNORED, 4, 5], 0)
    assert row_of([1, 2, 3], [4, 5], bidirectional=False, whole=True)[:3] == ([1, 2, 3, 4], [2, 3, 4, 5], 0)
    assert sequence_of(row_of([1, 2, 3], [4, 5])) == [1, 2, 3, 4, 5]
