from pathlib import Path

import pytest
import torch
from jaxtyping import TypeCheckError

from seqbook.nn.checks import check_ids, check_positive, check_room


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[4, 12]], r"source_ids has the id 12, outside the vocabulary of 12 \(0 to 11\)"),
        ([[4, 14]], r"source_ids has the id 14, outside the vocabulary of 12"),
        ([[4, -1]], r"source_ids has the id -1, outside the vocabulary of 12"),
        ([[4, 5, 6, 7, 8, 9]], r"source_ids is 6 tokens long, .* max_len=5"),
        ([[4, 5], [0, 0], [0, 0]], r"source_ids has empty sequences .* in rows \[1, 2\]"),
        ([[], []], r"source_ids has shape \(2, 0\)"),
        ([], r"source_ids has shape \(0, 4\)"),
    ],
)
def test_refuses_ids_by_name(rows, message):
    ids = torch.tensor(rows, dtype=torch.long) if rows else torch.zeros(0, 4, dtype=torch.long)
    with pytest.raises(ValueError, match=message):
        check_ids(ids, vocab_size=12, max_len=5, name="source_ids", pad_id=0)


def test_takes_what_fits_to_the_last_id_and_the_last_position():
    check_ids(torch.tensor([[11, 0, 0, 0, 1]]), vocab_size=12, max_len=5, name="source_ids", pad_id=0)


def test_without_padding_every_row_is_a_sequence():
    ids = torch.tensor([[0, 0], [3, 5]])
    check_ids(ids, vocab_size=12, max_len=5, name="ids")
    check_ids(ids, vocab_size=12, max_len=5, name="ids", pad_id=1)
    with pytest.raises(ValueError, match=r"ids has empty sequences .* in rows \[0\]"):
        check_ids(ids, vocab_size=12, max_len=5, name="ids", pad_id=0)
    with pytest.raises(ValueError, match=r"ids has empty sequences .* in rows \[1\]"):
        check_ids(torch.tensor([[0, 0], [1, 1]]), vocab_size=12, max_len=5, name="ids", pad_id=1)
    with pytest.raises(ValueError, match="ids has the id 5, outside"):
        check_ids(ids, vocab_size=5, max_len=5, name="ids")


def test_refuses_sizes_below_one():
    check_positive(d_model=1, n_layers=1)
    with pytest.raises(ValueError, match="n_layers=0 must be at least 1"):
        check_positive(d_model=1, n_layers=0)


@pytest.mark.parametrize("length", [5, 7])
def test_refuses_to_decode_past_the_last_position(length):
    check_room(4, max_len=5)
    with pytest.raises(ValueError, match=f"{length} tokens have been read: the model takes at most max_len=5"):
        check_room(length, max_len=5)


def test_every_shape_is_checked(pytestconfig):
    """Under pytest, beartype holds each file with jaxtyping's shapes to them."""
    import seqbook

    checked = tuple(pytestconfig.getoption("jaxtyping_packages").split(","))
    for file in Path(seqbook.__file__).parent.rglob("*.py"):
        if "from jaxtyping import" in file.read_text(encoding="utf-8"):
            module = ".".join(file.relative_to(Path(seqbook.__file__).parents[1]).with_suffix("").parts)
            assert module.startswith(checked), f"add {module} to --jaxtyping-packages in pyproject.toml"
    with pytest.raises(TypeCheckError, match="ids"):
        check_ids(torch.zeros(3), vocab_size=12, max_len=5, name="source_ids")
