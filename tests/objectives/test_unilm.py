from collections import Counter

import pytest
import torch
from torch import nn

from seqbook.models import BERTConfig, PrefixLMConfig
from seqbook.nn import masks
from seqbook.objectives import unilm
from seqbook.objectives.batch import IGNORED
from seqbook.objectives.masked import MaskedConfig
from seqbook.objectives.unilm import MODES, UniLMConfig

TEXTS = ["a b. c d e! f g", "h i j k l m n o p"]
NO = IGNORED


def build(max_len=40, **settings):
    config = UniLMConfig(**settings)
    return config.build(config.tokenizers({"text": TEXTS}, {}), max_len)


def network(objective):
    sizes = {"d_model": 16, "n_layers": 2, "n_heads": 2, "max_len": objective.max_len}
    model = PrefixLMConfig(**objective.sizes() | sizes).build().eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.4)
    return model


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def rows_by_hand():
    """ "a b c d" cut after b, where b and d are chosen and masked, in each mode."""
    objective = build()
    ids = objective.tokenizer.encode("a b c d")
    a, c = ids[0], ids[2]
    corrupted, chosen = [a, objective.mask, c, objective.mask], [False, True, False, True]
    return objective, ids, {mode: objective.row_of(mode, ids, corrupted, chosen, 2) for mode in MODES}


def test_the_four_rows_of_a_text():
    objective, (a, b, c, d), rows = rows_by_hand()
    cls, sep, m = objective.cls, objective.sep, objective.mask
    pair, one = [cls, a, m, sep, c, m, sep], [cls, a, m, c, m, sep]
    row = rows["bidirectional"]
    assert row.ids == pair
    assert row.labels == [NO, NO, b, NO, NO, d, NO]
    assert row.prefix_length == 7
    assert row.position_ids == [0, 1, 2, 3, 4, 5, 6]
    assert row.segments == [0, 0, 0, 0, 1, 1, 1]
    assert rows["seq2seq"] == row._replace(prefix_length=4, segments=[4, 4, 4, 4, 5, 5, 5])
    row = rows["left_to_right"]
    assert (row.ids, row.labels, row.prefix_length) == (one, [NO, NO, b, NO, d, NO], 0)
    assert (row.position_ids, row.segments) == ([0, 1, 2, 3, 4, 5], [2] * 6)
    row = rows["right_to_left"]
    assert (row.ids, row.labels, row.prefix_length) == (one[::-1], [NO, d, NO, b, NO, NO], 0)
    assert (row.position_ids, row.segments) == ([5, 4, 3, 2, 1, 0], [3] * 6)
    assert all(objective.restore(row) == [a, b, c, d] for row in rows.values())
    assert (objective.longest_row(4), objective.shortest) == (7, 2)


def test_the_bidirectional_mode_is_bert():
    """With the same weights, and what stands around BERT's stack taken away."""
    objective, _, rows = rows_by_hand()
    model, row = network(objective), rows["bidirectional"]
    sizes = {"vocab_size": len(objective.tokenizer), "d_model": 16, "n_layers": 2, "n_heads": 2, "max_len": 40}
    bert = BERTConfig(**sizes, norm="pre", eps=1e-5, activation="gelu_tanh", n_segments=6).build().eval()
    bert.embedding.load_state_dict(model.embedding.state_dict())
    bert.stack.load_state_dict(model.stack.state_dict())
    bert.segments.load_state_dict(model.segments.state_dict())
    bert.embedding_norm = nn.Identity()
    ids, segments = torch.tensor([row.ids]), torch.tensor([row.segments])
    mask = masks.prefix(torch.tensor([7]), 7)
    found = model.hidden(ids, mask, torch.tensor([row.position_ids]), segments=segments)
    torch.testing.assert_close(found, bert.hidden(ids, segments))


def test_the_modes_have_their_shares():
    objective, draw = build(), generator()
    found = Counter(objective.row(list(range(8, 16)), draw).segments[0] for _ in range(3_000))
    assert set(found) == {0, 2, 3, 4}
    for segment, share in ((0, 1 / 3), (4, 1 / 3), (2, 1 / 6), (3, 1 / 6)):
        assert found[segment] == pytest.approx(3_000 * share, abs=4 * (3_000 * share * (1 - share)) ** 0.5)


@pytest.mark.parametrize("rate", [0.01, 0.15, 0.5, 1.0])
def test_the_number_of_chosen_tokens(rate):
    objective, draw = build(rate=rate), generator()
    for n in (2, 3, 7, 20):
        assert all(objective.choose(n, draw).sum() == max(1, round(rate * n)) for _ in range(20))


def test_a_fifth_of_the_choices_are_bigrams_and_trigrams():
    objective, draw, runs = build(rate=0.006), generator(), Counter()
    for _ in range(60):
        chosen = "".join(map(str, objective.choose(10_000, draw).int().tolist()))
        runs.update(len(run) for run in chosen.split("0") if run)  # 60 tokens of 10,000: they seldom touch
    assert runs[1] / runs.total() == pytest.approx(0.8, abs=0.04)
    assert runs[2] / (runs[2] + runs[3]) == pytest.approx(0.5, abs=0.1)
    assert sum(runs[n] for n in range(4, 9)) / runs.total() < 0.03


def test_of_the_chosen_tokens_80_percent_are_masked_10_are_random_and_10_stay():
    objective, draw = build(rate=1.0, max_len=4_003), generator()
    ids = torch.randint(8, 20, (4_000,), generator=draw).tolist()
    row = objective.row(ids, draw)
    pairs = [(i, label) for i, label in zip(row.ids, row.labels, strict=True) if label != NO]
    assert len(pairs) == 4_000
    assert sum(i == objective.mask for i, _ in pairs) == pytest.approx(3_200, abs=110)
    vocabulary = len(objective.tokenizer) - 7
    assert sum(i == label for i, label in pairs) == pytest.approx(400 + 400 / vocabulary, abs=90)


def test_a_text_is_cut_after_a_sentence_or_anywhere_if_it_has_only_one():
    objective, draw = build(), generator()
    for text, expected in (("a b. c d e! f g", {3, 7}), ("a b.", {1, 2}), ("a b c d", {1, 2, 3}), ("a.", {1})):
        ids = objective.tokenizer.encode(text)
        found = Counter(objective.cut(ids, draw) for _ in range(300))
        assert found == pytest.approx(dict.fromkeys(expected, 300 / len(expected)), abs=45)


def test_the_vocabulary_is_berts_and_the_model_has_six_segments():
    objective = build()
    assert objective.tokenizer.backend.get_vocab() == (
        MaskedConfig().tokenizers({"text": TEXTS}, {})["tokenizer"].backend.get_vocab()
    )
    assert objective.sizes() == {"vocab_size": len(objective.tokenizer), "n_segments": 6}


def test_a_text_is_continued_by_filling_in_one_mask_after_another():
    objective = build()
    model, texts = network(objective), ["a b c", "h i", "d e f g", "j", "m n o", "p a"]
    never, avoided = [objective.mask, objective.cls, objective.tokenizer.pad_id], 0
    with torch.no_grad():
        model.embedding.tokens.weight[never] *= 4  # so that their logits are often the largest
    for text, found in zip(texts, objective.generate(model, texts, max_new=4, top_k=1), strict=True):
        source, new = [objective.cls, *objective.tokenizer.encode(text), objective.sep], []
        while len(new) < 4 and objective.sep not in new:
            ids = torch.tensor([[*source, *new, objective.mask]])
            segments = torch.tensor([[4] * len(source) + [5] * (len(new) + 1)])
            logits = model(ids, torch.tensor([len(source)]), None, None, segments)[0, -1]
            avoided += int(logits.argmax()) in never
            logits[never] = -torch.inf
            new.append(int(logits.argmax()))
        assert found == objective.tokenizer.decode(new)
    assert avoided
    with pytest.raises(ValueError, match=r"'a a .* is 35 tokens long, .* max_new=4: at most 34 fit under max_len=40"):
        objective.generate(model, ["a " * 35], max_new=4)
    assert len(objective.generate(model, ["a " * 34], max_new=4)) == 1
    with pytest.raises(ValueError, match="prompt 0 is empty"):
        objective.generate(model, [""])


def test_two_or_three_neighbours_are_chosen_wherever_they_fit(monkeypatch):
    monkeypatch.setattr(unilm, "SEVERAL", 1.0)
    objective, draw = build(rate=0.5), generator()
    found = {tuple(objective.choose(4, draw).nonzero().flatten().tolist()) for _ in range(300)}
    assert found == {(0, 1), (1, 2), (2, 3)}
    lengths, objective = set(), build(rate=0.4)
    for _ in range(300):
        runs = "".join(map(str, objective.choose(10, draw).int().tolist())).split("0")
        lengths.add(tuple(sorted(len(run) for run in runs if run)))
    assert lengths == {(2, 2), (1, 3), (4,)}  # 2 and 2, or 3 and what is left


class CountsItsMasks(nn.Module):
    """At a mask at position t, the token 8 + t is the most probable one; elsewhere, the token 7."""

    def __init__(self, objective):
        super().__init__()
        self.mask, self.zeros = objective.mask, nn.Parameter(torch.zeros(len(objective.tokenizer)))

    def forward(self, ids, *_):
        best = torch.where(ids == self.mask, 8 + torch.arange(ids.shape[1]), 7)
        return self.zeros + nn.functional.one_hot(best, len(self.zeros)) - 5.0


def test_the_mask_at_the_end_is_filled_in():
    objective = build()
    model = CountsItsMasks(objective)
    # [CLS] a b [SEP] [MASK]: position 4, then 5 and 6
    assert objective.generate(model, ["a b"], max_new=3, top_k=1) == [objective.tokenizer.decode([12, 13, 14])]
    with pytest.raises(ValueError, match="max_new=0 must be at least 1"):
        objective.generate(model, ["a b"], max_new=0)


class EndsAtOnce(nn.Module):
    """All tokens are equally probable, except that a text that begins with this token ends at once."""

    def __init__(self, objective, token):
        super().__init__()
        self.objective, self.token, self.bias = objective, token, nn.Parameter(torch.zeros(len(objective.tokenizer)))

    def forward(self, ids, *_):
        logits = self.bias.expand(*ids.shape, -1).clone()
        logits[ids[:, 1] == self.token, :, self.objective.sep] += 99
        return logits


def test_a_sample_does_not_depend_on_how_long_the_texts_before_it_become():
    objective = build()
    model = EndsAtOnce(objective, objective.tokenizer.encode("a")[0])
    (short, after_short), (long, after_long) = (objective.generate(model, [text, "b c"], max_new=8) for text in "ad")
    assert len(short) < len(long)
    assert after_short == after_long
    assert len(set(objective.generate(model, ["b c"] * 3, max_new=8))) == 3
