"""GLM's experiments: the same gap for all networks, the baselines, the orders of blanks, and counting taken away."""

from collections import Counter
from types import SimpleNamespace

import pytest
import torch
import transformers
from torch import nn

from seqbook.experiments import gaps, glm
from seqbook.experiments.gaps import Gap
from seqbook.models import GPT, BARTConfig, GPTConfig, PrefixLMConfig, T5Config
from seqbook.objectives import BlankInfillingConfig, CausalConfig, DenoisingConfig, SpanCorruptionConfig

TEXT = "Anna had a key . Ben took the key and gave the key to Anna ."
GAPS = [Gap(TEXT.split(), 2, 4), Gap("Clara ate a pear .".split(), 2, 4), Gap(TEXT.split(), 9, 11)]


def wild(model):
    """With weights so large that each input gives another answer."""
    torch.manual_seed(2)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5)
    return model.eval()


def system(texts, config, network, **sizes):
    objective = config.build(config.tokenizers({"text": texts}, {}), 64)
    sizes = {"d_model": 32, "n_layers": 2, "n_heads": 2, "max_len": 64} | sizes
    split = {"text": texts * 20}
    splits = {"train": split, "test": split}
    run = SimpleNamespace(model=wild(network(**objective.sizes() | sizes).build()), objective=objective, splits=splits)
    run.examples = lambda split: objective.encode(splits[split]["text"])
    return run


@pytest.fixture
def blanks(texts):
    return system(
        [*texts, f"{TEXT} {TEXT}"], BlankInfillingConfig(), PrefixLMConfig, positions="rotary", block_positions=True
    )


def written(gap, mark):
    return " ".join([*gap.words[: gap.start], mark, *gap.words[gap.stop :]])


def test_glm_fills_gaps_of_a_batch_as_its_objective_fills_them_one_by_one(blanks):
    found = gaps.fill_with_glm(blanks, GAPS)
    alone = blanks.objective.fill(blanks.model, [written(gap, "[MASK]") for gap in GAPS], top=1, max_new=gaps.MAX_NEW)
    tokenizer = blanks.objective.tokenizer
    shown = [tokenizer.decode([tokenizer.special_id(word) for word in answer]).strip() for answer in found]
    assert shown == [words[0][0] for _, (words,) in alone]
    assert len(set(shown)) == 3


def test_t5_reads_one_sentinel_and_its_answer_is_what_follows_it(texts, monkeypatch):
    t5 = system(texts, SpanCorruptionConfig(), T5Config)
    objective, read = t5.objective, {}
    a, key, dot = objective.tokenizer.encode("a key.")
    first = objective.sentinels[0]

    def greedy(model, given, *, max_new, stop):
        read.update(sources=given[0].tolist(), starts=given[1].tolist(), stop=stop)
        return [[first, a, key], [first], [a, key]]

    monkeypatch.setattr(gaps, "greedy", greedy)
    assert gaps.fill_with_t5(t5, GAPS) == [["a", "key"], [], []]
    before, after = (objective.tokenizer.encode(part) for part in ("Clara ate", "."))
    assert after == [dot]
    expected = [*before, first, *after, objective.eos]
    assert read["sources"][1] == expected + [objective.tokenizer.pad_id] * (len(read["sources"][1]) - len(expected))
    assert read["starts"] == [[objective.start]] * 3
    assert read["stop"] == [objective.eos, objective.sentinels[1]]


def test_barts_answer_is_what_it_writes_between_the_two_sides(texts, monkeypatch):
    bart = system(texts, DenoisingConfig(), BARTConfig)
    objective, read = bart.objective, {}
    ids = objective.tokenizer.encode

    def greedy(model, given, *, max_new, stop):
        read.update(sources=given[0].tolist(), starts=given[1].tolist(), stop=stop)
        return [ids("Anna had a pear. Ben took the key and gave the key to Anna."), ids("Clara had a key."), ids("Ben")]

    monkeypatch.setattr(gaps, "greedy", greedy)
    assert gaps.fill_with_bart(bart, GAPS) == [["a", "pear"], [], []]
    expected = [objective.bos, *ids("Clara ate"), objective.mask, *ids("."), objective.start]
    assert read["sources"][1][: len(expected)] == expected
    assert set(read["sources"][1][len(expected) :]) == {objective.tokenizer.pad_id}
    assert read["starts"] == [[objective.start, objective.bos]] * 3
    assert read["stop"] == [objective.start]


def test_the_examples_have_one_mark_for_a_gap_or_one_for_a_word(blanks, masked, texts, monkeypatch):
    marked = {}
    for run in (blanks, masked, system(texts, CausalConfig(), GPTConfig)):
        kind = type(run.model)

        def fill(model, *given, kind=kind):
            (text,) = given[-1]
            marked.setdefault(kind.__name__, []).append(text)
            return [("filled", [[("word", 0.25)]] * text.count("[MASK]"))]

        monkeypatch.setattr(run.objective, "fill", fill, raising=False) if kind is not GPT else None
        monkeypatch.setitem(gaps.FILLING, kind, fill)
        assert [len(shares.split("·")) for _, shares in gaps.fill_examples(run)] == (
            [1, 1] if run is blanks else [1, 3]
        )
    assert marked["PrefixLM"][1] == "Clara was hungry, so [MASK] pear."
    assert marked["BERT"][1] == marked["GPT"][1] == "Clara was hungry, so [MASK] [MASK] [MASK] pear."


def test_bert_is_told_the_length_or_takes_the_one_whose_words_are_most_probable(masked):
    answers, log_ps = gaps.fill_with_bert(masked, GAPS, 1)
    alone = masked.objective.fill(masked.model, [written(gap, "[MASK]") for gap in GAPS], top=1)
    assert [answer[0] for answer in answers] == [words[0][0] for _, (words,) in alone]
    for log_p, (_, (words,)) in zip(log_ps, alone, strict=True):
        assert torch.tensor(log_p).exp().item() == pytest.approx(words[0][1], rel=1e-4)

    tried = {n: gaps.fill_with_bert(masked, GAPS, n) for n in gaps.LENGTHS}
    assert all(len(answer) == n for n, (answers, _) in tried.items() for answer in answers)
    for i, guessed in enumerate(gaps.fill_with_bert_and_guess(masked, GAPS)):
        best = max(tried, key=lambda n: tried[n][1][i])
        assert guessed == tried[best][0][i]


def test_the_surest_mask_is_filled_first(masked):
    (gap,) = GAPS[:1]
    ids = [masked.objective.cls, *gap.around(masked, *[masked.objective.mask] * 2), masked.objective.sep]
    row = torch.tensor([ids])
    never, total = sorted(masked.objective.special), 0.0
    for _ in range(2):
        masks = row == masked.objective.mask
        logits = masked.model(row, masks)
        logits[:, never] = -torch.inf
        best = logits.log_softmax(-1).max(-1)
        which = int(best.values.argmax())
        total += best.values[which].item()
        row[0, masks[0].nonzero()[which, 0]] = best.indices[which]
    answers, log_ps = gaps.fill_with_bert(masked, [gap], 2)
    assert answers == [masked.objective.tokenizer.tokens(row[0, 3:5].tolist())]
    assert log_ps == [pytest.approx(total / 2, rel=1e-4)]


def test_an_answer_is_right_if_all_its_words_are(blanks):
    found = {2: GAPS[:2], 3: []}
    answers = {tuple(GAPS[0].words): ["a", "key"], tuple(GAPS[1].words): ["a", "key"]}
    (row,) = gaps.scores({2: found[2]}, lambda some: [answers[tuple(gap.words)] for gap in some], "a way")
    assert row == {"way": "a way", "length": 2, "gaps": 2, "right": 0.5, "right_length": 1.0}


def test_gaps_have_a_word_on_each_side_and_are_always_the_same(blanks):
    found = gaps.gaps(blanks, 12)
    assert found == gaps.gaps(blanks, 12)
    assert {length: Counter(gap.stop - gap.start for gap in some) for length, some in found.items()} == {
        length: {length: 12} for length in gaps.LENGTHS
    }
    assert all(0 < gap.start < gap.stop < len(gap.words) for some in found.values() for gap in some)


def test_the_baselines_count_words_and_words_between_neighbours(blanks):
    found = {1: [Gap("ate a pear".split(), 1, 2), Gap("took my key".split(), 1, 2), Gap("a red key".split(), 1, 2)]}
    frequent, between = gaps.most_frequent(blanks, found)
    # "key" and "." are the most frequent words, three times each
    assert (frequent["right"], frequent["right_length"]) == (0.0, 1.0)
    # "ate a pear" was read; "took the key", and nothing between "a" and "key"
    assert (between["right"], between["right_length"]) == (pytest.approx(1 / 3), pytest.approx(2 / 3))


def test_blanks_are_read_forwards_or_backwards_and_each_token_is_predicted_once(blanks):
    examples = glm.several_blanks(blanks, 4, n_blanks=2, length=2)
    assert all(len(spans) == 2 for _, spans in examples)
    rows = {back: glm.Ordered(blanks.objective, back).collate(examples) for back in (False, True)}
    for forwards, backwards in zip(rows[False].labels.tolist(), rows[True].labels.tolist(), strict=True):
        assert sorted(forwards) == sorted(backwards)
        f, b = ([i for i in row if i != -100] for row in (forwards, backwards))
        assert f == [*b[3:], *b[:3]]  # two words and the end of the piece
    found = glm.by_order(blanks, 4)
    assert found["forwards"] != found["backwards"]


def test_without_counting_all_block_positions_are_alike(blanks):
    ids = blanks.objective.encode([TEXT])[0][0]
    row = glm.Uncounted(blanks.objective.tokenizer, blanks.objective.config, max_len=64).row(
        ids, torch.Generator().manual_seed(0), "document"
    )
    assert set(row.block_position_ids) == {0, 1}
    with_numbers = [0] * row.prefix_length + list(range(1, len(row.ids) - row.prefix_length + 1))
    inputs = (torch.tensor([row.ids]), torch.tensor([row.prefix_length]), torch.tensor([row.position_ids]))
    without = glm.uncounted_model(blanks.model)
    torch.testing.assert_close(
        without(*inputs, torch.tensor([with_numbers])), blanks.model(*inputs, torch.tensor([row.block_position_ids]))
    )
    assert not torch.allclose(
        blanks.model(*inputs, torch.tensor([with_numbers])), without(*inputs, torch.tensor([with_numbers]))
    )


def test_the_shares_of_a_row_are_those_of_glm():
    parts = [{"way": "GLM", "right": 0.5, "right_length": 1.0}, {"way": "GLM", "right": 0.1, "right_length": 0.6}]
    row = glm.with_shares({"seed": 1, "filled": [*parts, {"way": "other", "right": 1.0, "right_length": 0.0}]})
    assert (row["seed"], row["right"], row["right_length"]) == (1, pytest.approx(0.3), pytest.approx(0.8))


def test_a_unigram_model_knows_the_labels_frequencies(blanks):
    nats = glm.unigram(blanks, 40)
    assert 1 < nats < torch.tensor(float(len(blanks.objective.tokenizer))).log()


def test_an_unknown_network_is_refused():
    with pytest.raises(ValueError, match="unknown name 'GPT': choose one of GLM, "):
        glm.trained("GPT", 0)


def test_transformers_glm_4_is_causal_also_in_its_prompt():
    """C28: no earlier state moves if a token is exchanged."""
    sizes = {"vocab_size": 20, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "head_dim": 8}
    config = transformers.GlmConfig(**sizes, num_attention_heads=4, num_key_value_heads=2, pad_token_id=0)
    model = transformers.GlmModel(config).eval()
    ids = torch.randint(1, 20, (1, 9))
    other = ids.clone()
    other[0, 4] = ids[0, 4] % 19 + 1
    with torch.no_grad():
        moved = (model(ids).last_hidden_state != model(other).last_hidden_state).any(-1)[0]
    assert moved.tolist() == [False] * 4 + [True] * 5
