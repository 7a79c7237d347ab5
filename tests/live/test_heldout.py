"""What the page gets to recompute a number is what the number was made of."""

import pytest
import torch
import torch.nn.functional as F

from seqbook import runs
from seqbook.data import corpora
from seqbook.data.tokenizer import Tokenizer
from seqbook.live import heldout
from seqbook.live.export import GRAPHS
from seqbook.objectives.causal import Causal

SHORT = {"steps": 2, "evaluations": 1, "warmup": 1}
SCORES = {  # of the whole test split: the entry of the result, and what the recipe gets to be trained in no time
    "bert": ("accuracy", {}),
    "gpt": ("loss", {}),
    "t5": ("loss", {}),
    "gpt-entailment": ("accuracy", {"pretrained": False, "size": 100}),
    "gpt-similarity": ("accuracy", {"pretrained": False, "size": 100}),
    "gpt-multiple-choice": ("accuracy", {"pretrained": False, "size": 100}),
}


def scored(name: str, **settings) -> tuple[runs.Run, dict]:
    """A run of two steps, and its held-out examples with the score."""
    run, graph = runs.run(name, **SHORT, **settings), GRAPHS[name]
    held = graph.heldout(run)
    return run, held | heldout.score(run, graph.module(run.model.cpu()).eval(), held)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCORES)
def test_all_held_out_examples_give_the_score_of_the_run(microworld_home, name):
    entry, settings = SCORES[name]
    run, held = scored(name, **settings)
    assert held["score"] / held["of"] == pytest.approx(run.result[entry], abs=1e-5)
    assert held["measure"] == ("loss" if entry == "loss" else "right")
    assert len(held["examples"]) == held["whole"]
    assert sum(len(example["labels"]) for example in held["examples"]) == held["of"]
    for example in held["examples"]:
        assert len(example["places"]) == len(example["labels"])
        assert max(example["places"]) < len(example["inputs"][-1])


@pytest.mark.slow
def test_a_text_is_right_if_all_its_tags_are(microworld_home):
    run, held = scored("bert-ner", pretrained=False, size=100)
    test = run.splits["test"]
    predicted = run.objective.predict(run.model, test["tokens"][:])
    assert held["score"] == sum(p == t for p, t in zip(predicted, test["tags"][:], strict=True)) > 0
    assert held["of"] == held["whole"] == len(held["examples"]) == len(test) > held["score"]


def test_each_token_of_an_answer_is_predicted_from_those_before_it(microworld_home, tmp_path):
    splits = corpora.load("prompting", size=60)
    tokenizer = Tokenizer.train(splits["train"]["text"][:], "word")
    run = runs.Run(torch.nn.Identity(), Causal(tokenizer, max_len=192), splits, [], {}, tmp_path)
    held = GRAPHS["gpt-prompting"].heldout(run)
    rows = [row for row in splits["test"] if row["task"] == "qa"]
    assert held["whole"] == len(held["examples"]) == len(rows) > 50
    for row, example in zip(rows, held["examples"], strict=True):
        (reads,), labels = example["inputs"], example["labels"]
        assert [*reads, labels[-1]] == [tokenizer.bos_id, *tokenizer.encode(f"{row['prompt']} {row['answer']}")]
        assert [[*reads, labels[-1]][place + 1] for place in example["places"]] == labels
        assert tokenizer.decode(labels) == row["answer"] or tokenizer.unknown([row["answer"]])


@pytest.mark.slow
def test_the_second_half_of_a_text_is_predicted_from_the_first(microworld_home):
    run, held = scored("prefix-lm", d_model=16, n_layers=1)
    total = 0.0
    for (ids,), example in zip(run.examples("test")[:200], held["examples"], strict=True):
        sequence = [run.objective.tokenizer.bos_id, *ids, run.objective.tokenizer.eos_id]
        begin = 1 + len(ids) // 2
        reads, prefix_length = example["inputs"]
        assert (reads, prefix_length, example["labels"]) == (sequence[:-1], begin, sequence[begin:])
        with torch.no_grad():
            logits = run.model(torch.tensor([reads]), torch.tensor([begin]))[0, begin - 1 :]
        total += F.cross_entropy(logits, torch.tensor(sequence[begin:]), reduction="sum").item()
    assert held["score"] == pytest.approx(total, rel=1e-5)
    assert held["of"] == sum(len(example["labels"]) for example in held["examples"])
