import pytest
import torch

from seqbook.nn import masks

PAD = 0


def table(rows):
    """One row per query, one letter per key: x may be attended to, a dot may not."""
    return torch.tensor([[letter == "x" for letter in row] for row in rows.split()])


CAUSAL = table("x... xx.. xxx. xxxx")


def test_causal_by_hand():
    assert torch.equal(masks.causal(4), CAUSAL[None, None])


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (0, "x... xx.. xxx. xxxx"),
        (1, "x... xx.. xxx. xxxx"),
        (2, "xx.. xx.. xxx. xxxx"),
        (3, "xxx. xxx. xxx. xxxx"),
        (4, "xxxx xxxx xxxx xxxx"),
    ],
)
def test_prefix_by_hand(length, expected):
    assert torch.equal(masks.prefix(torch.tensor([length]), 4), table(expected)[None, None])


def test_no_prefix_is_causal_and_a_full_one_hides_nothing():
    assert torch.equal(masks.prefix(torch.zeros(3, dtype=torch.long), 7), masks.causal(7).expand(3, 1, 7, 7))
    assert masks.prefix(torch.full((3,), 7), 7).all()


def test_a_prefix_for_each_row():
    together = masks.prefix(torch.tensor([0, 3, 4]), 4)
    assert together.shape == (3, 1, 4, 4)
    assert torch.equal(together[:, 0], torch.stack([CAUSAL, table("xxx. xxx. xxx. xxxx"), table("xxxx " * 4)]))


@pytest.mark.parametrize("offset", [0, 1, 4, 6])
def test_an_offset_leaves_the_last_rows(offset):
    assert torch.equal(masks.causal(7, offset), masks.causal(7)[:, :, offset:])
    lengths = torch.tensor([0, 2, 5, 7])
    assert torch.equal(masks.prefix(lengths, 7, offset), masks.prefix(lengths, 7)[:, :, offset:])
    assert torch.equal(masks.left_padding(lengths, 7, offset), masks.left_padding(lengths, 7)[:, :, offset:])


def test_padding_by_hand():
    ids = torch.tensor([[5, 6, 7, 8], [9, 4, PAD, PAD], [PAD, 3, PAD, 11]])
    assert torch.equal(masks.padding(ids, PAD), table("xxxx xx.. .x.x")[:, None, None, :])
    assert torch.equal(masks.padding(ids, 4), table("xxxx x.xx xxxx")[:, None, None, :])  # as the vocabulary has it


def test_left_padding_by_hand():
    found = masks.left_padding(torch.tensor([0, 1, 3]), 4)
    assert found.shape == (3, 1, 4, 4)
    expected = ["xxxx xxxx xxxx xxxx", "xxxx .xxx .xxx .xxx", "x..x .x.x ..xx ...x"]
    assert torch.equal(found[:, 0], torch.stack([table(rows) for rows in expected]))


def test_left_padding_attends_to_itself_and_no_token_attends_to_it():
    """A softmax over no key at all would not be a number."""
    found = masks.causal(4) & masks.left_padding(torch.tensor([0, 1, 3]), 4)
    expected = [CAUSAL, table("x... .x.. .xx. .xxx"), table("x... .x.. ..x. ...x")]
    assert torch.equal(found[:, 0], torch.stack(expected))
    assert found.any(-1).all()
    assert found.diagonal(dim1=2, dim2=3).all()


def test_left_padding_before_a_prefix():
    lengths = torch.tensor([0, 1])
    found = masks.prefix(torch.tensor([2, 3]), 4) & masks.left_padding(lengths, 4)
    assert torch.equal(found[:, 0], torch.stack([table("xx.. xx.. xxx. xxxx"), table("xxx. .xx. .xx. .xxx")]))


def test_kinds_combine():
    ids = torch.tensor([[5, 6, 7, 8], [9, 4, 7, PAD]])
    both = masks.prefix(torch.tensor([0, 2]), 4) & masks.padding(ids, PAD)
    assert torch.equal(both[:, 0], torch.stack([CAUSAL, table("xx.. xx.. xxx. xxx.")]))


def test_branches_by_hand():
    found = masks.branches(torch.tensor([[0, 0, 1, 1, 2, 2], [0, 1, 2, 2, 0, 0]]))  # the second row ends with padding
    assert found.shape == (2, 1, 6, 6)
    assert torch.equal(found[0, 0], table("x..... xx.... xxx... xxxx.. xx..x. xx..xx"))
    assert torch.equal(found[1, 0, :4], table("x..... xx.... x.x... x.xx.."))
    assert found.any(-1).all()
    assert torch.equal(masks.branches(torch.tensor([[0, 2, 1]]))[0, 0], table("x.. xx. x.x"))  # in any order


def test_masks_are_made_where_their_numbers_are():
    """The device "meta" stands for a GPU: it refuses to compute with numbers that are elsewhere."""
    meta = torch.device("meta")
    lengths, ids = torch.zeros(2, dtype=torch.long, device=meta), torch.zeros(2, 5, dtype=torch.long, device=meta)
    found = [masks.causal(5, device=meta), masks.prefix(lengths, 5), masks.left_padding(lengths, 5)]
    for mask in (*found, masks.padding(ids, PAD), masks.branches(ids)):
        assert mask.device == meta


def test_without_branches_the_mask_is_causal():
    assert torch.equal(masks.branches(torch.zeros(1, 4, dtype=torch.long)), masks.causal(4))


@pytest.mark.parametrize("mask", [None, True, "causal", [[True]], torch.ones(1, 2, dtype=torch.bool).numpy()])
def test_what_is_no_tensor_is_no_mask(mask):
    with pytest.raises(ValueError, match=f"the mask is {type(mask).__name__}, no tensor: give a boolean one"):
        masks.check(mask, 1, 2)


def test_a_mask_without_values_is_refused():
    with pytest.raises(ValueError, match="the mask is on the device meta, without values: give a boolean one"):
        masks.check(torch.ones(1, 2, dtype=torch.bool, device="meta"), 1, 2)


@pytest.mark.parametrize("shape", [(1,), (2,), (1, 3), (1, 1, 2), (2, 2)])
def test_a_mask_of_another_shape_is_refused_with_both(shape):
    mask = torch.ones(shape, dtype=torch.bool)
    with pytest.raises(ValueError, match=rf"shape \({', '.join(map(str, shape))},?\), .* broadcast to \(1, 2\)"):
        masks.check(mask, 1, 2)
    masks.check(torch.ones(1, 1, dtype=torch.bool), 1, 2)
