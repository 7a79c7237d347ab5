"""What the page gets to recompute a number is what the number was made of."""

import pytest

from seqbook import runs
from seqbook.live import heldout


@pytest.mark.slow
def test_all_held_out_windows_give_the_score_of_the_run(microworld_home):
    run = runs.run("bert", steps=2, evaluations=1, warmup=1)
    found = heldout.masked_words(run)
    assert found["right"] / found["of"] == pytest.approx(run.result["accuracy"])
    assert len(found["examples"]) == found["whole"] == len(run.examples("test"))
    for example in found["examples"]:
        assert len(example["places"]) == len(example["labels"])
        assert max(example["places"]) < len(example["reads"])
