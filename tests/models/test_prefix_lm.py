"""What a prefix decoder has beside the contract: GPT at one end, an encoder at the other, and inputs of GLM and UniLM."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seqbook.generation.beam import beam
from seqbook.generation.decoding import greedy
from seqbook.models import BERTConfig, GPTConfig, PrefixLMConfig, TransformerConfig
from seqbook.models.prefix_lm import PrefixState
from seqbook.nn import masks

SIZES = {"vocab_size": 12, "d_model": 16, "n_layers": 2, "n_heads": 4, "d_ff": 24, "max_len": 24}
EXTRAS = {"block_positions": True, "n_segments": 6}

# GLM's row of x0 … x5 with the blanks x2 and x4 x5: two tokens stand for themselves, 1 is [MASK], 2 is [sop]
GLM = {
    "ids": [4, 5, 1, 7, 1, 2, 8, 9, 2, 6],
    "position_ids": [0, 1, 2, 3, 4, 4, 4, 4, 2, 2],
    "block_position_ids": [0, 0, 0, 0, 0, 1, 2, 3, 1, 2],
    "segments": [4, 4, 4, 4, 4, 5, 5, 5, 5, 5],
}


def drawn(config):
    """A model in evaluation mode whose parameters are drawn at random."""
    model = config.build().eval()
    for name, parameter in model.named_parameters():
        nn.init.normal_(parameter, mean=float("norm" in name and "weight" in name), std=0.3)
    return model


def build(**changes):
    return drawn(PrefixLMConfig(**SIZES | changes))


def random_ids(batch, length):
    return torch.randint(0, 12, (batch, length))


def lengths(*n):
    return torch.tensor(n)


def glm(start=0, stop=None, rows=1):
    return {name: torch.tensor([row[start:stop]] * rows) for name, row in GLM.items()}


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary"])
def test_without_a_prefix_it_is_gpt(norm, positions):
    gpt = drawn(GPTConfig(**SIZES, norm=norm, positions=positions))
    model, ids = build(norm=norm, positions=positions), random_ids(3, 9)
    model.load_state_dict(gpt.state_dict())
    expected = gpt(ids)
    torch.testing.assert_close(model(ids, lengths(0, 0, 0)), expected)
    torch.testing.assert_close(model(ids, lengths(1, 1, 1)), expected)  # one token has no later one in its prefix
    torch.testing.assert_close(model(ids), expected, rtol=0, atol=0)
    torch.testing.assert_close(model.hidden(ids), gpt.hidden(ids), rtol=0, atol=0)
    for given in ((), (lengths(0, 2, 1),)):
        found, state = model.prefill(ids, *(given or (None,)), lengths(0, 0, 0))
        logits, others = gpt.prefill(ids, *given)
        torch.testing.assert_close(found, logits)
        for token in random_ids(4, 3):
            found, state = model.decode(token, state)
            logits, others = gpt.decode(token, others)
            torch.testing.assert_close(found, logits)


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_with_a_full_prefix_it_is_an_encoder(norm, positions):
    """BERT's, with what stands around its stack taken away: segments, and the norm of the embeddings."""
    model, ids = build(norm=norm, positions=positions), torch.randint(1, 12, (3, 9))
    bert = drawn(BERTConfig(**SIZES, norm=norm, positions=positions, eps=1e-5, activation="gelu_tanh"))
    bert.embedding.load_state_dict(model.embedding.state_dict())
    bert.stack.load_state_dict(model.stack.state_dict())
    bert.embedding_norm = nn.Identity()
    nn.init.zeros_(bert.segments.weight)
    ids[1, 6:] = ids[2, 1:] = 0  # padding
    found, expected = model.hidden(ids, masks.prefix(lengths(9, 6, 1), 9)), bert.hidden(ids)
    for row, n in enumerate((9, 6, 1)):
        torch.testing.assert_close(found[row, :n], expected[row, :n])


@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_each_row_has_its_own_prefix(positions):
    model, ids, prefixes = build(positions=positions), random_ids(1, 7).expand(8, 7), torch.arange(8)
    together = model(ids, prefixes)
    for n in range(8):
        torch.testing.assert_close(together[n : n + 1], model(ids[n : n + 1], prefixes[n : n + 1]))
        query, key = torch.arange(7)[:, None], torch.arange(7)
        may_attend = ((key <= query) | (key < n))[None, None]
        x = model.stack(model.embedding(ids[:1]), may_attend)
        torch.testing.assert_close(together[n : n + 1], model.embedding.logits(x))
    assert not torch.allclose(together[2], together[5], atol=1e-3)


def test_glms_positions_and_unilms_segments_are_added_to_the_tokens_vectors():
    model, row = build(**EXTRAS), glm()
    vectors = [
        model.embedding.tokens.weight[row["ids"]],
        model.embedding.positions.table[row["position_ids"]],
        model.block_positions.weight[row["block_position_ids"]],
        model.segments.weight[row["segments"]],
    ]
    expected = model.embedding.logits(model.stack(sum(vectors), masks.prefix(lengths(5), 10)))
    torch.testing.assert_close(model(prefix_lengths=lengths(5), **row), expected)
    for name in ("position_ids", "block_position_ids", "segments"):
        changed = row | {name: torch.full_like(row[name], 3)}
        assert not torch.allclose(model(prefix_lengths=lengths(5), **changed), expected, atol=1e-3)
    plain = model(row["ids"], lengths(5))
    torch.testing.assert_close(plain, model(row["ids"], lengths(5), torch.arange(10)[None]))
    assert not torch.allclose(plain, expected, atol=1e-3)


def test_positions_that_count_backwards_read_backwards():
    """UniLM's right-to-left mask: each token attends to itself and to later ones."""
    for positions in ("learned", "rotary"):
        model, ids = build(positions=positions), random_ids(2, 6)
        backwards = model(ids.flip(1), lengths(0, 0), torch.arange(6).flip(0).expand(2, 6)).flip(1)
        mask = torch.ones(6, 6, dtype=torch.bool).triu()[None, None]
        torch.testing.assert_close(backwards, model.embedding.logits(model.stack(model.embedding(ids), mask)))


@pytest.mark.parametrize("positions", ["learned", "rotary"])
@pytest.mark.parametrize("split", [6, 7, 8])
def test_a_blank_is_written_as_it_is_read(split, positions):
    """After [sop], the position stays and the block position grows."""
    model, row = build(positions=positions, **EXTRAS), glm(stop=8)
    expected = model(prefix_lengths=lengths(5), **row)[0, split - 1 :]
    prompt = {name: t[:, :split] for name, t in row.items()}
    logits, state = model.prefill(prefix_lengths=lengths(5), **prompt)
    found = [logits[0]]
    for token in GLM["ids"][split:8]:
        logits, state = model.decode(torch.tensor([token]), state)
        found.append(logits[0])
    torch.testing.assert_close(torch.stack(found), expected)


def test_a_prompt_that_ends_with_a_prefix_of_its_own_is_not_all_prefix():
    """GLM's [sop] follows the prefix, which must not attend to it."""
    model, row = build(**EXTRAS), glm(stop=6)
    own, _ = model.prefill(prefix_lengths=lengths(5), **row)
    whole, _ = model.prefill(**row)
    torch.testing.assert_close(own, model(prefix_lengths=lengths(5), **row)[:, -1])
    torch.testing.assert_close(whole, model(prefix_lengths=lengths(6), **row)[:, -1])
    assert not torch.allclose(own, whole, atol=1e-3)


@pytest.mark.parametrize("positions", ["learned", "rotary"])
@pytest.mark.parametrize("filler", [0, 7])
def test_prompts_of_unequal_length_with_their_own_prefixes(positions, filler):
    model, new = build(positions=positions), random_ids(4, 5)
    prompts, prefixes = [random_ids(1, n) for n in (5, 3, 1, 4)], (2, 3, 0, 4)
    padding = lengths(0, 2, 4, 1)
    ids = torch.cat([F.pad(p, (5 - p.shape[1], 0), value=filler) for p in prompts])
    logits, state = model.prefill(ids, padding, lengths(*prefixes))
    found = [logits]
    for token in new.T:
        logits, state = model.decode(token, state)
        found.append(logits)
    found = torch.stack(found, dim=1)
    for row, (prompt, n) in enumerate(zip(prompts, prefixes, strict=True)):
        alone = model(torch.cat([prompt, new[row : row + 1]], dim=1), lengths(n))
        torch.testing.assert_close(found[row], alone[0, prompt.shape[1] - 1 :])


def test_padding_that_all_rows_share_changes_nothing():
    model, ids = build(), random_ids(2, 5)
    found, _ = model.prefill(F.pad(ids, (3, 0)), lengths(3, 3))
    torch.testing.assert_close(found, model.prefill(ids)[0])


def test_positions_are_counted_where_the_ids_are():
    """The device "meta" stands for one that is the default, but holds neither model nor ids."""
    model, ids = build(), random_ids(2, 5)
    with torch.device("meta"):
        found, _ = model.prefill(ids)
    torch.testing.assert_close(found, model.prefill(ids)[0])


def test_selected_rows_keep_their_places():
    model, row, order = build(**EXTRAS), glm(stop=6, rows=3), torch.tensor([2, 0, 0])
    for name, shift in (("position_ids", 1), ("segments", -1)):  # a place of its own for each row
        row[name] = row[name] + shift * torch.arange(3)[:, None]
    row["block_position_ids"][:, -1] += torch.arange(3)
    _, state = model.prefill(prefix_lengths=lengths(5, 5, 5), **row)
    chosen = state.select(order)
    token = torch.tensor([3, 3, 9])
    found, _ = model.decode(token, chosen)
    for i, source in enumerate(order):
        alone = {name: t[source : source + 1] for name, t in row.items()}
        _, state = model.prefill(prefix_lengths=lengths(5), **alone)
        expected, _ = model.decode(token[i : i + 1], state)
        torch.testing.assert_close(found[i : i + 1], expected)


def test_a_beam_of_one_is_greedy_in_both_directions():
    model, ids, padding = build(), random_ids(3, 5), lengths(0, 2, 4)
    for prefixes in (lengths(5, 3, 1), lengths(0, 0, 0)):
        expected = greedy(model, (ids, padding, prefixes), max_new=6, stop=())
        found = beam(model, (ids, padding, prefixes), max_new=6, stop=(), beams=1)
        assert [hypotheses[0].ids for hypotheses in found] == expected


def test_continues_from_a_gpt():
    gpt, model = drawn(GPTConfig(**SIZES)), build(vocab_size=15, **EXTRAS)
    new, blocks = model.embedding.tokens.weight[12:].clone(), model.block_positions.weight.clone()
    model.load_pretrained(gpt)
    ids = random_ids(3, 9)
    torch.testing.assert_close(model(ids, lengths(0, 0, 0))[..., :12], gpt(ids))
    assert torch.equal(model.embedding.tokens.weight[12:], new)
    assert torch.equal(model.block_positions.weight, blocks)
    again = build(vocab_size=15, **EXTRAS)
    again.load_pretrained(model)
    assert torch.equal(again(ids, lengths(2, 5, 9)), model(ids, lengths(2, 5, 9)))


@pytest.mark.parametrize(
    ("pretrained", "message"),
    [
        (BERTConfig(**SIZES), "the pretrained network is a BERT: give a GPT or a PrefixLM"),
        (GPTConfig(**SIZES | {"n_layers": 1}), "n_layers=1 in pretraining, 2 here"),
        (GPTConfig(**SIZES, positions="rotary"), "positions=rotary in pretraining, learned here"),
        (GPTConfig(**SIZES | {"vocab_size": 13}), "the pretrained vocabulary has 13 tokens, this one only 12"),
        (GPTConfig(**SIZES | {"max_len": 23}), r"embedding.positions.table is \(23, 16\) in pretraining, \(24, 16\)"),
        (GPTConfig(**SIZES | {"max_len": 25}), r"embedding.positions.table is \(25, 16\) in pretraining, \(24, 16\)"),
        (PrefixLMConfig(**SIZES, n_segments=2), "this model lacks segments.weight"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refuses_other_networks_by_name(pretrained, message):
    model = build()
    before = {name: t.clone() for name, t in model.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        model.load_pretrained(pretrained.build())
    assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())


def test_refuses_a_network_of_another_kind():
    two = TransformerConfig(source_vocab_size=12, target_vocab_size=12, d_model=16, n_heads=4).build()
    with pytest.raises(ValueError, match="the pretrained network is a Transformer"):
        build().load_pretrained(two)


def test_refuses_prefixes_that_do_not_fit():
    model, ids = build(), random_ids(2, 5)
    with pytest.raises(ValueError, match="prefix_lengths has 6 in row 1, which has 5 tokens: give 0 to 5"):
        model(ids, lengths(5, 6))
    with pytest.raises(ValueError, match="prefix_lengths has -1 in row 0"):
        model(ids, lengths(-1, 0))
    with pytest.raises(ValueError, match="prefix_lengths has 4 in row 1, which has 3 tokens"):
        model.prefill(ids, lengths(0, 2), lengths(5, 4))
    with pytest.raises(ValueError, match="prefix_lengths has -2 in row 1"):
        model.prefill(ids, None, lengths(5, -2))
    for padding in (lengths(0, 5), lengths(0, 6), lengths(-1, 0)):
        with pytest.raises(ValueError, match=r"padding=\[.*\] must be 0 to 4"):
            model.prefill(ids, padding)


def test_refuses_ids_before_it_reads_them():
    model = build()
    for read in (model, model.hidden, model.prefill):
        with pytest.raises(ValueError, match="ids has the id 12, outside the vocabulary of 12"):
            read(torch.tensor([[4, 12]]))
    with pytest.raises(ValueError, match=r"ids has shape \(1, 0\)"):  # not that its prefix is too long
        model(torch.zeros(1, 0, dtype=torch.long), lengths(1))


def test_refuses_places_outside_its_tables():
    plain, full, row = build(), build(**EXTRAS), glm()
    for name, how in (("block_position_ids", "block_positions=True"), ("segments", "n_segments")):
        with pytest.raises(ValueError, match=f"no vectors for {name}: build it with {how}"):
            plain(row["ids"], lengths(5), **{name: row[name]})
        with pytest.raises(ValueError, match=f"no vectors for {name}"):
            plain.prefill(row["ids"], **{name: row[name]})
    for name, last in (("position_ids", 23), ("block_position_ids", 23), ("segments", 5)):
        for wrong in (-1, last + 1, last + 2):
            changed = row | {name: torch.full_like(row[name], wrong)}
            with pytest.raises(ValueError, match=f"{name} has the value {wrong}: this model has 0 to {last}"):
                full(prefix_lengths=lengths(5), **changed)


def test_the_tables_of_further_inputs_begin_as_wide_as_gpts():
    model = PrefixLMConfig(vocab_size=200, d_model=64, n_layers=1, n_heads=4, max_len=200, **EXTRAS).build()
    expected = model.embedding.tokens.weight.std().item()
    assert expected == pytest.approx(0.554 / 8, rel=0.05)
    for table in (model.block_positions, model.segments):
        assert table.weight.std().item() == pytest.approx(expected, rel=0.25)


def test_a_state_takes_its_places_by_name():
    place = torch.tensor([3])
    state = PrefixState([], position=place)
    assert (state.position, state.block_position, state.segment) == (place, None, None)
    with pytest.raises(TypeError, match="positional"):
        PrefixState([], place)
    with pytest.raises(TypeError, match="positional"):
        PrefixState([], place, position=place)
