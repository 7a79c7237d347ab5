import itertools
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from seqbook.generate import beam, complete, greedy, log_likelihood, sample, translate
from seqbook.models import ARCHITECTURES
from seqbook.models.gpt import GPT, GPTConfig
from seqbook.tokenizer import BOS, EOS

SOURCE = torch.tensor([[3, 4, 5, 2], [5, 3, 0, 0], [4, 0, 0, 0]])


SIZES = {
    "RNNSeq2Seq": {"d_model": 8, "context": "dot"},
    "Transformer": {"d_model": 8, "n_layers": 1, "n_heads": 2, "d_ff": 16},
}
VARIANTS = {
    "RNNSeq2Seq": [{}, {"bidirectional": True, "n_layers": 2}],
    "Transformer": [{}, {"norm": "after", "n_layers": 2, "positions": "learned"}],
}
every_architecture = pytest.mark.parametrize("architecture", SIZES)


def random_model(architecture, seed, source_vocab_size=6, target_vocab_size=12, **changes):
    """Untrained, but with strong opinions, so that ties and near-ties are rare."""
    torch.manual_seed(seed)
    model, config = ARCHITECTURES[architecture]
    vocabularies = {"source_vocab_size": source_vocab_size, "target_vocab_size": target_vocab_size}
    model = model(config(**vocabularies | SIZES[architecture] | changes))
    if architecture == "RNNSeq2Seq":
        nn.init.normal_(model.out.weight, std=3.0)
        nn.init.normal_(model.embedding.weight, std=2.0)
        nn.init.normal_(model.encoder.embedding.weight, std=2.0)
    else:
        for name, parameter in model.named_parameters():
            if name.endswith("norm.weight"):  # of both signs: a token, scored by its own vector, would follow itself
                nn.init.normal_(parameter, std=3.0)
            elif parameter.dim() > 1 and "embedding" not in name:
                nn.init.normal_(parameter)
    return model


@every_architecture
@pytest.mark.parametrize("seed", range(8))
def test_one_beam_is_greedy(architecture, seed):
    model = random_model(architecture, seed, **VARIANTS[architecture][seed % 2])
    found = beam(model, SOURCE, 15, beams=1)
    assert [hypotheses[0].ids for hypotheses in found] == greedy(model, SOURCE, 15)


@every_architecture
def test_greedy_takes_the_likeliest_until_eos(architecture):
    model = random_model(architecture, 3)
    for source, ids in zip(SOURCE, greedy(model, SOURCE, 15), strict=True):
        logits = model(source[None], torch.tensor([[BOS, *ids]]))[0]
        written = [*ids, EOS] if len(ids) < 15 else ids
        assert logits.argmax(-1)[: len(written)].tolist() == written
        assert EOS not in ids


def every_ending(model, source, max_len, length_penalty):
    """All hypotheses of at most max_len tokens and their scores, by forward passes over each of them."""
    vocab = [i for i in range(model.config.target_vocab_size) if i != EOS]
    scores = {}
    for n in range(max_len + 1):
        every = list(itertools.product(vocab, repeat=n))
        written = torch.tensor([[*ids, EOS][:max_len] for ids in every])
        begun = torch.tensor([[BOS, *ids][: written.shape[1]] for ids in every])
        log_probs = model(source.expand(len(every), -1), begun).log_softmax(-1)
        total = log_probs.gather(2, written[:, :, None]).sum((1, 2)) / written.shape[1] ** length_penalty
        scores |= dict(zip(every, total.tolist(), strict=True))
    return sorted(scores.items(), key=lambda item: -item[1])


@every_architecture
@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 1.0])
def test_a_wide_beam_finds_what_brute_force_finds(architecture, length_penalty):
    model = random_model(architecture, 5, target_vocab_size=5)
    with torch.no_grad():
        found = beam(model, SOURCE, 3, beams=100, length_penalty=length_penalty)
        for source, hypotheses in zip(SOURCE, found, strict=True):
            expected = every_ending(model, source, 3, length_penalty)
            assert len(hypotheses) == len(expected) == 1 + 4 + 16 + 64
            assert [tuple(h.ids) for h in hypotheses[:10]] == [ids for ids, _ in expected[:10]]
            scores = torch.tensor([h.score for h in hypotheses])
            torch.testing.assert_close(scores, torch.tensor([score for _, score in expected]))


@every_architecture
@pytest.mark.parametrize("beams", [2, 3, 5])
def test_a_narrow_beam_reports_true_scores_best_first(architecture, beams):
    model = random_model(architecture, 6, target_vocab_size=7)
    found = beam(model, SOURCE, 6, beams=beams, length_penalty=0.6)
    for source, hypotheses in zip(SOURCE, found, strict=True):
        assert len(hypotheses) == beams
        assert len({tuple(h.ids) for h in hypotheses}) == beams
        assert [h.score for h in hypotheses] == sorted((h.score for h in hypotheses), reverse=True)
        for ids, score in hypotheses:
            log_probs = model(source[None], torch.tensor([[BOS, *ids]])).log_softmax(-1)[0]
            endings = [ids] if len(ids) == 6 else [[*ids, EOS]]
            true = [sum(log_probs[t, i].item() for t, i in enumerate(y)) / len(y) ** 0.6 for y in endings]
            assert score == pytest.approx(true[0], abs=1e-4)


@every_architecture
@pytest.mark.parametrize("how", [greedy, lambda *a: beam(*a, beams=3)], ids=["greedy", "beam"])
def test_a_row_does_not_depend_on_its_batch(architecture, how):
    model = random_model(architecture, 7)
    together = how(model, SOURCE, 12)
    for row in range(3):
        (alone,) = how(model, SOURCE[row : row + 1, : int((SOURCE[row] != 0).sum())], 12)
        if how is greedy:
            assert alone == together[row]
        else:
            assert [h.ids for h in alone] == [h.ids for h in together[row]]


class Memory(NamedTuple):
    rows: Tensor


class Fixed(nn.Module):
    """The same logits at every step."""

    def __init__(self, logits):
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))

    def start(self, source_ids):
        return Memory(source_ids)

    def step(self, token_ids, state):
        return self.logits.expand(len(token_ids), -1), state


def test_sampling_follows_the_softmax():
    model, temperature = Fixed([0.0, -1.0, 0.5, 1.0, 2.0]), 1.5
    generator = torch.Generator().manual_seed(0)
    written = sample(model, torch.ones(40_000, 1).long(), 1, temperature=temperature, generator=generator)
    counts = torch.bincount(torch.tensor([row[0] if row else EOS for row in written]), minlength=5)
    expected = (model.logits.detach() / temperature).softmax(-1)
    torch.testing.assert_close(counts / 40_000, expected, rtol=0, atol=0.01)


@every_architecture
def test_sampling_is_reproducible(architecture):
    model = random_model(architecture, 2)
    draw = [sample(model, SOURCE, 12, generator=torch.Generator().manual_seed(seed)) for seed in (4, 4, 5)]
    assert draw[0] == draw[1]
    assert draw[0] != draw[2]


@every_architecture
def test_sampling_approaches_greedy(architecture):
    model = random_model(architecture, 2)
    assert sample(model, SOURCE, 12, temperature=1e-3) == greedy(model, SOURCE, 12)
    assert sample(model, SOURCE, 12, temperature=5.0) != greedy(model, SOURCE, 12)


@every_architecture
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("how", [greedy, beam, sample])
def test_dropout_is_off_and_the_mode_is_as_before(architecture, how, training):
    model = random_model(architecture, 1, dropout=0.5).train(training)
    torch.manual_seed(0)
    first = how(model, SOURCE, 10)
    assert model.training is training
    assert all(module.training is training for module in model.modules())
    torch.manual_seed(0)
    assert how(model.eval(), SOURCE, 10) == first


@every_architecture
def test_the_mode_is_as_before_after_an_error(architecture):
    model = random_model(architecture, 1).train()
    with pytest.raises(ValueError, match="id 99"):
        greedy(model, torch.tensor([[99]]), 5)
    assert model.training


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_bad_temperature(temperature):
    with pytest.raises(ValueError, match=f"temperature={temperature} must"):
        sample(random_model("RNNSeq2Seq", 0), SOURCE, 5, temperature=temperature)


@pytest.mark.parametrize("how", [greedy, beam, sample])
def test_a_bad_max_len(how):
    with pytest.raises(ValueError, match="max_len=0 must"):
        how(random_model("RNNSeq2Seq", 0), SOURCE, 0)


def test_no_beams():
    with pytest.raises(ValueError, match="beams=0 must"):
        beam(random_model("RNNSeq2Seq", 0), SOURCE, 5, beams=0)


@every_architecture
@pytest.mark.parametrize("beams", [1, 3])
def test_translations_come_in_the_order_of_the_texts(architecture, toy, pairs, beams):
    model = random_model(architecture, 1, source_vocab_size=12, max_len=12)
    texts = [row["de"] for row in pairs[:30]]
    one_by_one = [translate(model, toy.objective, [text], beams=beams)[0] for text in texts]
    assert translate(model, toy.objective, texts, beams=beams, batch_size=7) == one_by_one
    assert len(set(one_by_one)) > 1


def test_a_text_that_can_not_be_translated_is_named(toy):
    with pytest.raises(ValueError, match=r"'ein ein .* is 13 tokens long: it must have 1 to 12"):
        translate(toy.model(), toy.objective, ["hund", "ein " * 13])
    with pytest.raises(ValueError, match="'' is 0 tokens long"):
        translate(toy.model(), toy.objective, ["hund", ""])


PROMPTS = [[5, 6, 7, 8], [9], [4, 0, 3], [11, 2]]  # in these vocabularies 0 and 2 may stand in a text


def random_gpt(seed, **changes):
    """Untrained, with strong opinions."""
    torch.manual_seed(seed)
    sizes = {"vocab_size": 12, "d_model": 16, "n_layers": 2, "n_heads": 2, "max_len": 24}
    model = GPT(GPTConfig(**sizes | changes))
    for name, parameter in model.named_parameters():
        nn.init.normal_(parameter, std=3.0 if name.startswith("norm") else 0.5)
    return model.eval()


every_gpt = pytest.mark.parametrize(
    "changes", [{}, {"positions": "rotary"}, {"positions": "rotary", "norm": "after"}, {"norm": "after"}], ids=str
)


def test_the_first_token_is_bos_unless_another_is_given():
    model, first = random_model("RNNSeq2Seq", 3), torch.tensor([4, 5, 6])
    bos = torch.full((3,), BOS)
    assert greedy(model, SOURCE, 9) == greedy(model, SOURCE, 9, first=bos) != greedy(model, SOURCE, 9, first=first)
    for row, ids in enumerate(greedy(model, SOURCE, 9, first=first)):
        logits = model(SOURCE[row : row + 1], torch.tensor([[*first[row : row + 1].tolist(), *ids]]))[0]
        assert logits.argmax(-1)[: len(ids)].tolist() == ids
    assert sample(model, SOURCE, 9, first=first, top_k=1) == greedy(model, SOURCE, 9, first=first)
    best = [hypotheses[0].ids for hypotheses in beam(model, SOURCE, 9, beams=1, first=first)]
    assert best == greedy(model, SOURCE, 9, first=first)


def test_a_beam_goes_on_from_a_prompt():
    """A decoder-only model reads all but the prompt's last token, and begins with that one."""
    model, ids = random_gpt(1), torch.tensor([[5, 6, 7], [9, 4, 3]])
    for row, hypotheses in enumerate(beam(model, ids[:, :-1], 6, beams=3, first=ids[:, -1])):
        for new, score in hypotheses:
            ending = new if len(new) == 6 else [*new, EOS]
            (expected,) = log_likelihood(model, [ids[row].tolist()], [ending])
            assert score == pytest.approx(expected / len(ending), abs=1e-4)


@pytest.mark.parametrize(("top_k", "top_p"), [(1, None), (3, None), (None, 0.4), (2, 0.9)])
def test_sampling_draws_from_the_likely_alone(top_k, top_p):
    model = Fixed([0.0, -1.0, 0.5, 1.0, 2.0])
    written = sample(model, torch.ones(2_000, 1).long(), 1, top_k=top_k, top_p=top_p)
    drawn = {row[0] if row else EOS for row in written}
    assert drawn == {(1, None): {4}, (3, None): {4, 3, 2}, (None, 0.4): {4}, (2, 0.9): {4, 3}}[top_k, top_p]


@every_gpt
def test_each_completion_takes_the_likeliest_and_stops(changes):
    model = random_gpt(0, **changes)
    together = complete(model, PROMPTS, 12, top_k=1, stop=(3, 7))
    assert any(len(ids) == 12 for ids in together) or len({len(ids) for ids in together}) > 1
    for prompt, ids in zip(PROMPTS, together, strict=True):
        logits = model(torch.tensor([prompt + ids]))[0, len(prompt) - 1 :]
        best = logits.argmax(-1).tolist()
        assert best[: len(ids)] == ids
        assert not {3, 7} & set(ids)
        assert len(ids) == 12 or best[len(ids)] in (3, 7)
        assert complete(model, [prompt], 12, top_k=1, stop=(3, 7)) == [ids]


@pytest.mark.parametrize("seed", range(4))
def test_completions_equal_transformers(seed, tmp_path):
    transformers = pytest.importorskip("transformers")
    from seqbook.pretrained import from_pretrained

    torch.manual_seed(seed)
    sizes = {"vocab_size": 40, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 24, "initializer_range": 0.5}
    theirs = transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes, bos_token_id=0, eos_token_id=0)).eval()
    theirs.save_pretrained(tmp_path)
    width = max(map(len, PROMPTS))
    ids = torch.tensor([[0] * (width - len(row)) + row for row in PROMPTS])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in PROMPTS])
    found = theirs.generate(
        ids, attention_mask=mask, do_sample=False, max_new_tokens=15, eos_token_id=0, pad_token_id=0
    )
    expected = [row[: row.index(0)] if 0 in row else row for row in found[:, width:].tolist()]
    assert complete(from_pretrained(tmp_path), PROMPTS, 15, top_k=1, stop=(0,)) == expected


def test_stops():
    model = random_gpt(0)
    (endless,) = complete(model, PROMPTS[:1], 15, top_k=1, stop=())
    assert len(endless) == 15
    for token in set(endless):
        assert complete(model, PROMPTS[:1], 15, top_k=1, stop={token}) == [endless[: endless.index(token)]]
    assert complete(model, PROMPTS[:1], 15, top_k=1) == complete(model, PROMPTS[:1], 15, top_k=1, stop=(EOS,))


@every_gpt
def test_completions_follow_the_softmax_and_repeat_with_their_seed(changes):
    model = random_gpt(3, **changes)
    prompts = [[5, 6, 7, 8], [9]] * 5_000
    draws = [
        complete(model, prompts, 1, temperature=2.0, top_k=6, generator=torch.Generator().manual_seed(seed), stop=())
        for seed in (4, 4, 5)
    ]
    assert draws[0] == draws[1] != draws[2]
    for row in range(2):
        logits = model(torch.tensor([prompts[row]]))[0, -1].detach() / 2.0
        expected = logits.masked_fill(logits < logits.topk(6).values[-1], -torch.inf).softmax(-1)
        counts = torch.bincount(torch.tensor(draws[0][row::2]).flatten(), minlength=12)
        torch.testing.assert_close(counts / 5_000, expected, rtol=0, atol=0.03)


@pytest.mark.parametrize("training", [True, False])
def test_completing_and_scoring_leave_dropout_out_and_the_mode_as_it_was(training):
    model = random_gpt(0, dropout=0.5)
    expected = complete(model, PROMPTS, 8, top_k=1), log_likelihood(model, PROMPTS, PROMPTS)
    model.train(training)
    assert (complete(model, PROMPTS, 8, top_k=1), log_likelihood(model, PROMPTS, PROMPTS)) == expected
    assert all(module.training is training for module in model.modules())


@every_gpt
def test_prompts_may_fill_the_model_to_the_last_position(changes):
    model = random_gpt(0, **changes)
    assert [len(ids) for ids in complete(model, [[5] * 20, [6]], 5, stop=())] == [5, 5]
    (ids,) = complete(model, [[5] * 24], 1, top_k=1, stop=())
    assert ids == model(torch.full((1, 24), 5))[0, -1:].argmax(-1).tolist()


@pytest.mark.parametrize(
    ("prompts", "options", "message"),
    [
        ([], {}, "there are no prompts"),
        ([[5], []], {}, "prompt 1 is empty: give at least one token"),
        ([[5], [5] * 21], {}, "prompt 1 has 21 tokens, .* no room for max_new=5: at most 20 fit under .*max_len=24"),
        ([[5]], {"max_new": 26}, "prompt 0 has 1 tokens, .* no room for max_new=26: at most 0 fit"),
        ([[5]], {"max_new": 0}, "max_new=0 must be at least 1"),
        ([[5, 12]], {}, "prompts has the id 12, outside the vocabulary of 12"),
        ([[-1]], {}, "prompts has the id -1, outside"),
        ([[5]], {"temperature": 0.0}, "temperature=0.0 must be above 0: top_k=1"),
        ([[5]], {"top_k": 0}, "top_k=0 must be at least 1"),
        ([[5]], {"top_p": 0.0}, "top_p=0.0 must be above 0 and at most 1"),
    ],
)
def test_completing_refuses_by_name(prompts, options, message):
    with pytest.raises(ValueError, match=message):
        complete(random_gpt(0), prompts, **{"max_new": 5} | options)


@every_gpt
@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_log_likelihoods_are_sums_of_log_probabilities(changes, batch_size):
    model, continuations = random_gpt(0, **changes), [[1], [2, 0, 4, 4, 9], [5, 5], [7, 1, 0]]
    found = log_likelihood(model, PROMPTS, continuations, batch_size=batch_size)
    for score, prompt, continuation in zip(found, PROMPTS, continuations, strict=True):
        expected = 0.0
        for i, token in enumerate(continuation):
            expected += model(torch.tensor([prompt + continuation[:i]]))[0, -1].log_softmax(-1)[token].item()
        assert score == pytest.approx(expected, abs=1e-3)


def test_the_likelihoods_of_all_continuations_sum_to_one():
    model = random_gpt(2, vocab_size=5)
    every = [list(ids) for ids in itertools.product(range(5), repeat=3)]
    total = torch.tensor(log_likelihood(model, [[3, 1]] * len(every), every)).exp().sum()
    assert total.item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("prompts", "continuations", "message"),
    [
        ([[5]], [[5], [6]], "1 prompts and 2 continuations: give one for each"),
        ([], [], "there are no prompts"),
        ([[5], []], [[5], [5]], "prompt 1 is empty"),
        ([[5], [6]], [[5], []], "continuation 1 is empty"),
        ([[5], [6] * 20], [[5], [5] * 6], "prompt 1 and its continuation have 26 tokens: at most 25 fit"),
        ([[5]], [[12]], "prompts and continuations has the id 12, outside the vocabulary of 12"),
        ([[5]], [[6, -100]], "prompts and continuations has the id -100, outside"),
    ],
)
def test_scoring_refuses_by_name(prompts, continuations, message):
    model = random_gpt(0)
    with pytest.raises(ValueError, match=message):
        log_likelihood(model, prompts, continuations)
    assert log_likelihood(model, [[6] * 20], [[5] * 5])[0] < 0


def test_scoring_refuses_no_batch():
    with pytest.raises(ValueError, match="batch_size=0 must"):
        log_likelihood(random_gpt(0), [[5]], [[6]], batch_size=0)
