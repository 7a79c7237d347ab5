"""What the experiments of part 3 measure, on models whose answer is known."""

from contextlib import nullcontext
from types import SimpleNamespace

import pandas as pd
import pytest
import torch

from seqbook.experiments import gpt
from seqbook.nn.record import record
from seqbook.objectives.recall import Rows


@pytest.fixture
def recalling():
    """A small untrained GPT with two heads in each of its two layers, and its objective."""
    return gpt.build_recall(seed=0, n_words=10, n_heads=2, d_model=16)


def test_a_head_that_is_switched_off_adds_nothing_and_the_others_stay(recalling):
    model, objective = recalling
    batch = objective.collate(list(Rows(4, objective.config)))
    attention = model.stack.blocks[1].attention
    x = torch.randn(2, 5, 16)
    with gpt.without_heads(model, [(1, 1)]):
        off, logits = attention(x, mask="causal"), model(*batch.inputs)
    assert not torch.allclose(logits, model(*batch.inputs))
    with torch.no_grad():
        attention.out.weight[:, 8:] = 0  # what reads the second head
    torch.testing.assert_close(attention(x, mask="causal"), off)
    torch.testing.assert_close(model(*batch.inputs), logits)


def test_several_heads_are_switched_off_at_once_and_on_again(recalling):
    model, _ = recalling
    attention, x = model.stack.blocks[0].attention, torch.randn(2, 5, 16)
    before = attention(x, mask="causal")
    with gpt.without_heads(model, [(0, 0), (0, 1)]):
        torch.testing.assert_close(attention(x, mask="causal"), attention.out.bias.expand(2, 5, 16))
    torch.testing.assert_close(attention(x, mask="causal"), before)


def test_heads_are_switched_off_by_their_scores(recalling, monkeypatch):
    off = []
    monkeypatch.setattr(gpt, "without_heads", lambda model, heads: off.append(heads) or nullcontext())
    scores = [(0, 0, 0.9, 0.1), (0, 1, 0.2, 0.1), (1, 0, 0.3, 0.8), (1, 1, 0.1, 0.7)]
    found = pd.DataFrame(scores, columns=["layer", "head", "previous", "induction"])
    recalls = gpt.without_kinds(*recalling, found, n_rows=2)
    assert off == [[(0, 0)], [(1, 0), (1, 1)], [(0, 1)]]
    assert list(recalls) == ["without_previous", "without_induction", "without_others"]


def test_scores_of_heads_are_shares_of_attention_summed_by_hand(recalling):
    model, objective = recalling
    found = gpt.heads(model, objective, n_rows=3)
    assert found[["layer", "head"]].to_numpy().tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    batch = objective.collate(list(Rows(3, objective.config, seed=1, held_out=True)))
    (ids,) = batch.inputs
    with torch.no_grad(), record(model) as maps:
        model(ids)
    weights = maps["stack.blocks.1.attention"][0][:, 1]  # of the last head
    previous, induction = [], []
    for row, of_row in zip(ids.tolist(), weights, strict=True):
        for t, token in enumerate(row):
            if t % 2:
                previous.append(of_row[t, t - 1])
            elif token in row[:t]:
                induction.append(sum(of_row[t, j + 1] for j in range(0, t, 2) if row[j] == token))
    last = found.iloc[-1]
    assert last["previous"] == pytest.approx(float(torch.stack(previous).mean()), rel=1e-4)
    assert last["induction"] == pytest.approx(float(torch.stack(induction).mean()), rel=1e-4)
    assert 0 <= last["without"] <= 1


def test_training_stops_where_enough_is_recalled():
    model, objective = gpt.build_recall(seed=0, n_words=6, d_model=16)
    curve = gpt.train_recall(model, objective, steps=40, every=10, enough=0.0)
    assert [row["step"] for row in curve] == [10]
    curve = gpt.train_recall(model, objective, steps=20, every=10, enough=1.01)
    assert [row["step"] for row in curve] == [10, 20]


def test_the_row_of_the_sweep_says_when_half_is_recalled(monkeypatch):
    curve = [{"step": step, "loss": 1.0, "recall": recall} for step, recall in ((25, 0.1), (50, 0.5), (75, 0.9))]
    monkeypatch.setattr(gpt, "train_recall", lambda *args, **how: curve)
    row = gpt.recall(seed=0, n_words=6, d_model=16)
    assert (row["half"], row["recall"], row["curve"][1]) == (50, 0.9, [50, 1.0, 0.5])
    monkeypatch.setattr(gpt, "train_recall", lambda *args, **how: curve[:1])
    assert gpt.recall(seed=0, n_words=6, d_model=16)["half"] is None


class Copying(torch.nn.Module):
    """A token is probable after a window that contains it, wherever it stands in the window."""

    def __init__(self, vocab_size):
        super().__init__()
        self.bias = torch.nn.Parameter(torch.zeros(vocab_size))

    def forward(self, ids):
        said = torch.zeros(len(ids), len(self.bias)).scatter(1, ids, 5.0)  # (B, V)
        return (said + self.bias)[:, None].expand(-1, ids.shape[1], -1)


@pytest.fixture
def told():
    """A run with one long test text: words 10 to 49 in order, and then the same words again; 1 and 2 are <bos>, <eos>."""
    ids = {"train": list(range(4, 260)), "test": [1, 5, 2, 1, *range(10, 50), *range(10, 50), 2]}
    of_split = {split: SimpleNamespace(ids=row) for split, row in ids.items()}
    objective = SimpleNamespace(tokenizer=SimpleNamespace(bos_id=1))
    return SimpleNamespace(model=Copying(260), objective=objective, examples=of_split.get)


def test_words_are_far_if_their_own_text_has_them_and_new_if_not(told):
    kinds = gpt.by_mention(told, 4)
    assert kinds["all"] == list(range(4, 85))
    assert kinds["new"] == list(range(28, 44))  # with more than 24 tokens of the text before them
    assert kinds["far"] == list(range(44, 84))  # 40 tokens after the same word; <eos> is no word
    told.examples("test").ids[44] = 49  # the word directly before it
    assert 44 not in gpt.by_mention(told, 4)["far"]
    told.examples("train").ids.extend([20] * 50)  # now a very frequent word
    assert not {4 + 50, 4 + 10} & {p for kind in ("far", "new") for p in gpt.by_mention(told, 4)[kind]}


def test_only_a_window_that_reaches_the_word_lowers_the_loss_of_far_words(told):
    found = gpt.by_window(told, windows=(1, 39, 40))
    assert found["window"] == [1, 39, 40]
    assert found["far"][1] > found["far"][2] + 4  # one token more, and it is the word
    assert found["far"][1] > found["far"][0]  # other words only mislead
    assert found["new"][2] > found["new"][0]


def test_only_what_follows_the_opening_of_a_story_is_read():
    opening = "Anna had a key."
    right = f"{opening} On Monday, she went to the kitchen and put it on the table."
    found = gpt.read_continuations([f"{right} Ben went to the kitchen. He took the key from the shelf. He"], [opening])
    assert (found["sentences"], found["parsed"]) == (3, 1)  # without the unfinished sentence
    assert 0 < found["kept"] < 1
    good = gpt.read_continuations([right], [opening])
    assert (good["sentences"], good["kept"], good["has_kept"]) == (1, 1, 1)
    nothing = gpt.read_continuations([opening], [opening])
    assert (nothing["sentences"], nothing["parsed"], nothing["claims"]) == (0, 0, 0)
    nonsense = gpt.read_continuations([f"{opening} Key a had she."], [opening])
    assert (nonsense["sentences"], nonsense["parsed"]) == (1, 0)
