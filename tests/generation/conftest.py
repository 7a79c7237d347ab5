"""What the tests of generation share."""

import pytest
import torch


@pytest.fixture
def source_ids():
    """Sources of 4, 2 and 1 tokens, for a vocabulary of 6."""
    return torch.tensor([[3, 4, 5, 2], [5, 3, 0, 0], [4, 0, 0, 0]])


@pytest.fixture
def given(source_ids):
    """What `prefill` of an encoder-decoder reads: the sources, and `<bos>` for each."""
    return source_ids, torch.ones(3, 1, dtype=torch.long)


@pytest.fixture
def prompts():
    """For a decoder. In these vocabularies, 0 and 2 are tokens like any other."""
    return [[5, 6, 7, 8], [9], [4, 0, 3], [11, 2]]
