"""One suite for all models: what each of them must keep, whatever its parts are.

A new model is one line in `CASES`. Its family says how it is called; its configuration builds it.
"""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from itertools import product
from typing import Any, Literal, get_args, get_origin, get_type_hints

import jaxtyping
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from seqbook import viz
from seqbook.generation.decoding import greedy
from seqbook.models import (
    BARTConfig,
    BERTConfig,
    FineTunedConfig,
    GPTConfig,
    PrefixLMConfig,
    RNNConfig,
    T5Config,
    TransformerConfig,
)
from seqbook.nn import masks
from seqbook.nn.attention import Attention
from seqbook.nn.block import Block
from seqbook.nn.checks import check_ids, check_positive, check_room
from seqbook.nn.layers import Embedding
from seqbook.nn.stack import Stack

# ---- Toy models: what the families to come need of nn


@dataclass(frozen=True, kw_only=True)
class PartsConfig:
    """Sizes of a `PartsLM`."""

    vocab_size: int
    d_model: int = 16
    n_layers: int = 2
    dropout: float = 0.0
    max_len: int = 24

    def build(self) -> nn.Module:
        return PartsLM(self)


class ToyLM(nn.Module):
    """A causal decoder that is composed from nn. Its subclass chooses the parts."""

    def __init__(self, config: PartsConfig, embedding: Embedding, stack: Stack):
        super().__init__()
        self.config, self.embedding, self.stack = config, embedding, stack

    def check(self, ids):
        check_ids(ids, self.config.vocab_size, self.config.max_len, "ids")

    def prefill(self, ids, padding=None):
        self.check(ids)
        batch, length = ids.shape
        state = self.stack.new_state(padding=torch.zeros(batch, dtype=torch.long) if padding is None else padding)
        mask = masks.causal(length) & masks.left_padding(state.padding, length)
        return self.proceed(ids, mask, state), state

    def decode(self, token_ids, state):
        check_room(state.length, self.config.max_len)
        mask = masks.left_padding(state.padding, state.length + 1, offset=state.length)
        return self.proceed(token_ids[:, None], mask, state), state

    def proceed(self, ids, mask, state):
        h = self.stack(self.embedding(ids, state.length - state.padding), mask, state=state)
        return self.embedding.logits(h[:, -1])


class PartsLM(ToyLM):
    """A causal decoder with the parts of T5 and LLaMA: RMSNorm, gated feed-forward networks, no biases, unscaled scores
    with a relative bias that all blocks share, fewer heads of keys than of queries, heads wider than d_model / n_heads."""

    def __init__(self, config):
        check_positive(vocab_size=config.vocab_size, d_model=config.d_model)
        check_positive(n_layers=config.n_layers, max_len=config.max_len)
        d_model, dropout, norm = config.d_model, config.dropout, partial(nn.RMSNorm, config.d_model, eps=1e-3)
        blocks = (
            Block(
                Attention(d_model, 4, n_kv_heads=2, d_head=6, bias=False, scale=1.0),
                Gated(d_model, 24),
                norm,
                placement="pre",
                dropout=dropout,
            )
            for _ in range(config.n_layers)
        )
        embedding = Embedding(config.vocab_size, d_model, dropout=dropout)
        super().__init__(config, embedding, Stack(blocks, norm(), relative=Relative(4, config.max_len)))

    def forward(self, ids):
        self.check(ids)
        return self.embedding.logits(self.stack(self.embedding(ids), "causal"))


class Gated(nn.Module):
    """(silu(x W) ⊙ x V) W₂."""

    def __init__(self, d_model, d_ff):
        super().__init__()
        self.gate, self.inner = (nn.Linear(d_model, d_ff, bias=False) for _ in range(2))
        self.out = nn.Linear(d_ff, d_model, bias=False)

    def forward(self, x):
        return self.out(F.silu(self.gate(x)) * self.inner(x))


class Relative(nn.Module):
    """One number per head and distance of query and key."""

    def __init__(self, n_heads, max_len):
        super().__init__()
        self.table = nn.Parameter(torch.randn(n_heads, max_len))

    def forward(self, n_queries, n_keys):
        query, key = torch.arange(n_keys - n_queries, n_keys)[:, None], torch.arange(n_keys)
        return self.table[:, (query - key).clamp(min=0)][None]  # what follows the query is masked


# ---- How the models of each family are called


class Seq2SeqFamily:
    """forward(source_ids, target_ids)."""

    ids = (4, 10)  # tokens are drawn from these, so that any other id can be padding
    fixed = ()  # dimensions of the inputs that an exported graph does not leave open
    refused = (
        ([[4, 12]], [[1, 4]], "source_ids has the id 12, outside the vocabulary of 12"),
        ([[4, -1]], [[1, 4]], "source_ids has the id -1, outside"),
        ([[4, 11]], [[1, 10]], "target_ids has the id 10, outside the vocabulary of 10"),
        ([[4, 11]], [[1, -7]], "target_ids has the id -7, outside"),
        ([[4] * 25], [[1, 4]], "source_ids is 25 tokens long, .*max_len=24"),
        ([[4]], [[1] * 25], "target_ids is 25 tokens long, .*max_len=24"),
        ([[4], [0]], [[1], [1]], r"source_ids has empty sequences .*rows \[1\]"),
        ([[4], [5]], [[0], [1]], r"target_ids has empty sequences .*rows \[0\]"),
        ([[]], [[1]], r"source_ids has shape \(1, 0\)"),
        ([[4]], [[]], r"target_ids has shape \(1, 0\)"),
    )

    def inputs(self, source_ids: Tensor, ids: Tensor, prompt: int = 1) -> dict[str, Tensor]:
        return {"source_ids": source_ids, "target_ids": ids}

    def logits(self, outputs: Any) -> Tensor:
        return outputs

    def given(self, source_ids: Tensor, ids: Tensor) -> tuple[Tensor, ...]:
        return source_ids, ids


class OneVocabularyFamily(Seq2SeqFamily):
    """The same with one vocabulary for both sides, and with targets that may begin with padding's id."""

    ids = (4, 12)
    refused = (
        *(refused for refused in Seq2SeqFamily.refused if "target_ids has" not in refused[2]),
        ([[4, 11]], [[1, 12]], "target_ids has the id 12, outside the vocabulary of 12"),
        ([[4, 11]], [[1, -7]], "target_ids has the id -7, outside"),
        ([[4]], [[]], r"target_ids has shape \(1, 0\)"),
    )


class DecoderFamily:
    """forward(ids)."""

    ids = (0, 12)  # 0 is a token like any other
    fixed = ()
    refused = (
        ([[4]], [[4, 12]], "ids has the id 12, outside the vocabulary of 12"),
        ([[4]], [[4, -1]], "ids has the id -1, outside"),
        ([[4]], [[4] * 25], "ids is 25 tokens long, .*max_len=24"),
        ([[4]], [[]], r"ids has shape \(1, 0\)"),
    )

    def inputs(self, source_ids: Tensor, ids: Tensor, prompt: int = 1) -> dict[str, Tensor]:
        return {"ids": ids}

    def logits(self, outputs: Any) -> Tensor:
        return outputs

    def given(self, source_ids: Tensor, ids: Tensor) -> tuple[Tensor, ...]:
        return (ids,)


class PrefixFamily(DecoderFamily):
    """forward(ids, prefix_lengths)."""

    def inputs(self, source_ids: Tensor, ids: Tensor, prompt: int = 1) -> dict[str, Tensor]:
        return {"ids": ids, "prefix_lengths": torch.full((len(ids),), prompt)}


class EncoderFamily(DecoderFamily):
    """forward(ids, chosen, segments). It writes nothing; the chosen positions are those from the prompt's last one on."""

    ids = (4, 12)  # tokens are drawn from these, so that any other id can be padding
    refused = (*DecoderFamily.refused, ([[4], [4]], [[5], [0]], r"ids has empty sequences .*rows \[1\]"))

    def inputs(self, source_ids: Tensor, ids: Tensor, prompt: int = 1) -> dict[str, Tensor]:
        batch, length = ids.shape
        chosen = (torch.arange(length) >= prompt - 1).expand(batch, length)
        return {"ids": ids, "chosen": chosen, "segments": (torch.arange(length) % 3 // 2).expand(batch, length)}

    def logits(self, outputs: Any) -> Tensor:
        return getattr(outputs, "tokens", outputs)


class HeadFamily(DecoderFamily):
    """forward(ids, extract) with two sequences per example. It writes nothing; the logits are those of the first one."""

    fixed = (1,)  # the sequences of an example
    refused = tuple((source, ids, message.replace("1, 0", "2, 0")) for source, ids, message in DecoderFamily.refused)

    def inputs(self, source_ids: Tensor, ids: Tensor, prompt: int = 1) -> dict[str, Tensor]:
        extract = torch.arange(len(ids))[:, None] + torch.arange(2)
        return {"ids": torch.stack([ids, ids.flip(1)], dim=1), "extract": extract % max(1, ids.shape[1])}

    def logits(self, outputs: Any) -> Tensor:
        return outputs.lm[:, 0]


class AnswersFamily(DecoderFamily):
    """forward(ids, extract, branches, position_ids) with two answers after the first token. It writes nothing; the logits
    are those of the first token and the first answer, which the second answer must not change."""

    def inputs(self, source_ids: Tensor, ids: Tensor, prompt: int = 1) -> dict[str, Tensor]:
        batch, length = ids.shape
        places = torch.arange(length).expand(batch, length)
        return {
            "ids": torch.cat([ids, ids[:, 1:].flip(1)], dim=1),
            "extract": (torch.arange(batch)[:, None] + torch.arange(2)) % max(1, length),
            "branches": torch.cat([places.clamp(max=1), torch.full((batch, max(0, length - 1)), 2)], dim=1),
            "position_ids": torch.cat([places, places[:, 1:]], dim=1),
        }

    def logits(self, outputs: Any) -> Tensor:
        return outputs.lm[:, : (outputs.lm.shape[1] + 1) // 2]


# ---- The table


@dataclass(frozen=True)
class Case:
    family: Any
    config: Any

    def build(self, **changes: Any) -> nn.Module:
        """A model whose parameters are drawn at random: biases of 0, gains of 1, vectors of padding that are 0 and vectors
        too small to differ would hide mistakes."""
        model = self.initial(**changes)
        for name, parameter in model.named_parameters():
            nn.init.normal_(parameter, mean=float("norm" in name and "weight" in name), std=0.3)
        return model

    def initial(self, **changes: Any) -> nn.Module:
        return change(self.config, **changes).build()

    def forward(self, model: nn.Module, source_ids: Tensor, ids: Tensor, prompt: int = 1) -> Tensor:
        """The logits after each token, or of each token. prompt: how many tokens `prefill` would read."""
        logits = self.family.logits(model(*self.family.inputs(source_ids, ids, prompt).values()))
        return logits.reshape(*ids.shape, -1)

    def written(self, model: nn.Module, given: tuple[Tensor, ...], new: Tensor) -> Tensor:
        """The logits after the last token of the prompt and after each new token, with a state."""
        logits, state = model.prefill(*given)
        return torch.stack([logits, *proceed(model, state, new)], dim=1)

    def random_ids(self, batch: int, length: int) -> Tensor:
        return torch.randint(*self.family.ids, (batch, length))


def change(config: Any, **changes: Any) -> Any:
    """A copy of a configuration with settings changed, also those of the configuration inside it."""
    inner = {f.name: change(value, **changes) for f in fields(config) if is_dataclass(value := getattr(config, f.name))}
    return replace(config, **inner, **{name: value for name, value in changes.items() if hasattr(config, name)})


def proceed(model: nn.Module, state: Any, new: Tensor) -> Iterator[Tensor]:
    """The logits after each new token."""
    for token_ids in new.unbind(1):
        logits, state = model.decode(token_ids, state)
        yield logits


def variants(family: Any, config: Any, **choices: tuple) -> dict[str, Case]:
    """One case for each combination of the choices."""
    name, found = type(config).__name__.removesuffix("Config"), {}
    for values in product(*choices.values()):
        chosen = dict(zip(choices, values, strict=True))
        found["-".join([name, *(f"{key}={value}" for key, value in chosen.items())])] = Case(
            family(), change(config, **chosen)
        )
    return found


LENGTH = 24
VOCABULARIES = {"source_vocab_size": 12, "target_vocab_size": 10}
SIZES = {"d_model": 16, "n_layers": 2, "n_heads": 4, "d_ff": 24, "max_len": LENGTH}
NORMS, POSITIONS, CONTEXTS = ("pre", "post"), ("sinusoidal", "learned", "rotary"), ("last", "mean", "additive", "dot")
RNN = RNNConfig(**VOCABULARIES, d_model=16, max_len=LENGTH)
SHORTCUT = replace(RNN, bidirectional=True)
TRANSFORMER, GPT = TransformerConfig(**VOCABULARIES, **SIZES), GPTConfig(vocab_size=12, **SIZES)
BERT = BERTConfig(vocab_size=12, **SIZES)
T5, BART = T5Config(vocab_size=12, n_buckets=8, **SIZES), BARTConfig(vocab_size=12, **SIZES)

CASES: dict[str, Case] = (
    variants(Seq2SeqFamily, RNN, context=CONTEXTS, bidirectional=(False, True), n_layers=(1, 2))
    | variants(Seq2SeqFamily, SHORTCUT, context=("mean", "dot"), n_layers=(1, 2), embedding_shortcut=(True,))
    | variants(Seq2SeqFamily, TRANSFORMER, norm=NORMS, positions=POSITIONS)
    | variants(OneVocabularyFamily, T5, gated=(False, True), tied=(True, False))
    | variants(OneVocabularyFamily, replace(T5, n_decoder_layers=1, d_head=6), max_distance=(6,))
    | variants(OneVocabularyFamily, BART, n_decoder_layers=(None, 1))
    | variants(DecoderFamily, GPT, norm=NORMS, positions=POSITIONS)
    | variants(EncoderFamily, BERT, norm=NORMS, positions=POSITIONS)
    | variants(EncoderFamily, BERT, outputs=("pretraining",), first_position=(0, 1))
    | variants(HeadFamily, FineTunedConfig(backbone=GPT, n_classes=3), head=("classes",))
    | variants(
        AnswersFamily, FineTunedConfig(backbone=GPT, n_classes=3), head=("choices",), positions=("learned", "rotary")
    )
    | variants(PrefixFamily, PrefixLMConfig(vocab_size=12, **SIZES), norm=NORMS, positions=POSITIONS)
    | variants(DecoderFamily, PartsConfig(vocab_size=12))
)


def cases(keep=lambda case: True):
    chosen = {name: case for name, case in CASES.items() if keep(case)}
    return pytest.mark.parametrize("case", chosen.values(), ids=chosen)


def is_an_encoder(case: Case) -> bool:
    return isinstance(case.family, EncoderFamily)


def generates(case: Case) -> bool:
    return not isinstance(case.config, FineTunedConfig) and not is_an_encoder(case)


def reads_a_source(case: Case) -> bool:
    return isinstance(case.family, Seq2SeqFamily)


def is_a_decoder(case: Case) -> bool:
    return generates(case) and not reads_a_source(case)


def is_made_of_stacks(case: Case) -> bool:
    return not isinstance(case.config, RNNConfig)


def is_thorough(case: Case) -> bool:
    """Of the recurrent networks, the simplest and the one with most parts: they are trained in the slow tests."""
    if is_an_encoder(case):  # it predicts masked tokens, not the next one: test_bert.py trains it
        return False
    return is_made_of_stacks(case) or case.config.bidirectional == (case.config.n_layers == 2)


every_case = cases()
every_writer = cases(generates)
every_decoder = cases(is_a_decoder)
every_seq2seq = cases(reads_a_source)
ONE_EACH = {type(case.config): case for case in CASES.values()}

SOURCES = [[5, 6, 7, 8], [9, 4], [11]]


def padded(rows: list[list[int]], pad_id: int = 0, more: int = 0) -> Tensor:
    width = max(map(len, rows)) + more
    return torch.tensor([row + [pad_id] * (width - len(row)) for row in rows], dtype=torch.long)


SOURCE = padded(SOURCES)


# ---- What a forward gives


@every_case
def test_logits_are_finite(case):
    ids = case.random_ids(3, 5)
    logits = case.forward(case.build(), SOURCE, ids)
    assert logits.shape == (3, 5, case.family.ids[1])
    assert logits.isfinite().all()


@cases(lambda case: not is_an_encoder(case))
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_no_position_sees_the_future(case, training):
    model, ids = case.build(dropout=0.1).train(training), case.random_ids(3, 7)
    low, high = case.family.ids
    changed = ids.clone()
    changed[:, 3] = low + (ids[:, 3] - low + 1) % (high - low)
    logits = []
    for given in (ids, changed):
        torch.manual_seed(1)  # the same is dropped
        logits.append(case.forward(model, SOURCE, given, prompt=2))
    before, after = logits
    torch.testing.assert_close(before[:, :3], after[:, :3], rtol=0, atol=0)
    assert (before[:, 3:] != after[:, 3:]).any(-1).all()


@cases(is_an_encoder)
def test_every_position_of_an_encoder_sees_its_whole_sequence_and_no_other_one(case):
    model, ids = case.build(), case.random_ids(3, 5)
    before = case.forward(model, SOURCE, ids)
    for j in range(5):
        changed = ids.clone()
        changed[1, j] = 3
        differs = (case.forward(model, SOURCE, changed) != before).any(-1)
        assert differs[1].all()
        assert not differs[[0, 2]].any()


@every_seq2seq
def test_every_position_sees_the_whole_source_and_no_other_one(case):
    model, ids = case.build(), case.random_ids(3, 5)
    before = case.forward(model, SOURCE, ids)
    for row, source in enumerate(SOURCES):
        for j in range(len(source)):
            changed = SOURCE.clone()
            changed[row, j] = 3
            differs = (case.forward(model, changed, ids) != before).any(-1)
            assert differs[row].all()
            assert not differs[[r for r in range(3) if r != row]].any()


@every_case
def test_the_order_matters(case):
    model, ids = case.build(), torch.tensor([[1, 5, 6, 7, 8]])
    logits = case.forward(model, SOURCE[:1], ids)
    swapped = case.forward(model, SOURCE[:1], ids[:, [0, 2, 1, 3, 4]])
    assert not torch.allclose(swapped[:, 3:], logits[:, 3:], atol=1e-3)
    if reads_a_source(case):
        assert not torch.allclose(case.forward(model, SOURCE[:1].flip(1), ids), logits, atol=1e-3)


@every_case
@pytest.mark.parametrize("filler", [0, 3])
def test_padding_at_the_right_changes_nothing(case, filler):
    """Whatever id the vocabulary has for it."""
    model, ids = case.build(pad_id=filler), case.random_ids(3, 5)
    ids[1, 3:] = ids[2, 1:] = filler
    source, wider = padded(SOURCES, filler), padded(SOURCES, filler, more=4)
    longer = torch.cat([ids, torch.full((3, 4), filler)], dim=1)
    expected = case.forward(model, source, ids)
    torch.testing.assert_close(case.forward(model, wider, ids), expected)
    torch.testing.assert_close(case.forward(model, source, longer)[:, :5], expected)


@every_case
def test_a_row_does_not_depend_on_its_batch(case):
    model, ids = case.build(), case.random_ids(3, 5)
    ids[1, 3:] = ids[2, 1:] = 0  # padding, which no encoder attends to; what a decoder reads later is nothing to it
    expected = case.forward(model, SOURCE, ids, prompt=1)
    for row, (source, n) in enumerate(zip(SOURCES, (5, 3, 1), strict=True)):
        alone = case.forward(model, torch.tensor([source]), ids[row : row + 1, :n], prompt=1)
        torch.testing.assert_close(alone[0], expected[row, :n])


@every_case
def test_dropout_in_train_mode_only(case):
    model, plain, ids = case.build(dropout=0.5), case.build(), case.random_ids(3, 5)
    plain.load_state_dict(model.state_dict())
    assert not torch.equal(case.forward(model, SOURCE, ids), case.forward(model, SOURCE, ids))
    model, plain = model.eval(), plain.eval()
    assert torch.equal(case.forward(model, SOURCE, ids), case.forward(plain, SOURCE, ids))


@cases(is_made_of_stacks)
def test_dropout_falls_on_tokens_and_positions_too(case):
    logits = case.forward(case.build(dropout=1.0), SOURCE, case.random_ids(3, 5))
    torch.testing.assert_close(logits, logits[:1, :1].expand_as(logits))


# ---- Generation: prefill, decode, select


@every_writer
def test_cached_equals_uncached_at_every_split(case):
    model, ids = case.build().eval(), case.random_ids(3, 8)
    for split in range(1, 8):
        found = case.written(model, case.family.given(SOURCE, ids[:, :split]), ids[:, split:])
        torch.testing.assert_close(found, case.forward(model, SOURCE, ids, split)[:, split - 1 :])


@every_writer
@pytest.mark.parametrize("split", [1, 7, LENGTH])
def test_cached_equals_uncached_to_the_last_position(case, split):
    """Past the first buffers of the caches, and those that follow."""
    model, ids = case.build(), case.random_ids(3, LENGTH)
    found = case.written(model, case.family.given(SOURCE, ids[:, :split]), ids[:, split:])
    torch.testing.assert_close(found, case.forward(model, SOURCE, ids, split)[:, split - 1 :])


@every_decoder
@pytest.mark.parametrize("lengths", [(5, 3, 1), (4, 4, 2), (1, 5, 5), (5, 5, 5)], ids=str)
def test_prompts_of_unequal_length_continue_as_each_alone(case, lengths):
    """Whatever stands in the padding at the left."""
    model, new, width = case.build().eval(), case.random_ids(3, LENGTH - 5), max(lengths)
    prompts = [case.random_ids(1, n) for n in lengths]
    padding = torch.tensor([width - n for n in lengths])
    for filler in (0, 7):
        ids = torch.cat([F.pad(row, (width - row.shape[1], 0), value=filler) for row in prompts])
        found = case.written(model, (ids, padding), new)
        for row, n in enumerate(lengths):
            alone = torch.cat([prompts[row], new[row : row + 1]], dim=1)
            torch.testing.assert_close(found[row], case.forward(model, SOURCE[:1], alone, n)[0, n - 1 :])


@every_writer
def test_selected_rows_continue_in_their_new_order(case):
    """Repeated, reordered and dropped, again and again, as a beam does."""
    model, source, ids = case.build(), SOURCE, case.random_ids(3, 2)
    _, state = model.prefill(*case.family.given(source, ids))
    for rows in ([0, 1, 2], [2, 0, 0, 1], [1, 1, 3, 0], [3], [0, 0]):
        chosen, state = torch.tensor(rows), state.select(torch.tensor(rows))
        source, ids = source[chosen], torch.cat([ids[chosen], case.random_ids(len(rows), 1)], dim=1)
        logits, state = model.decode(ids[:, -1], state)
        torch.testing.assert_close(logits, case.forward(model, source, ids, 2)[:, -1])


@every_writer
def test_a_state_and_its_copies_continue_on_their_own(case):
    """Copies are made after a step, when the caches have room to spare that could be shared by mistake."""
    model, ids, order = case.build(), case.random_ids(3, 3), torch.arange(3)
    _, state = model.prefill(*case.family.given(SOURCE, ids[:, :2]))
    _, state = model.decode(ids[:, 2], state)
    states = [state, state.select(order), state.select(order)]
    texts = [torch.cat([ids, case.random_ids(3, 4)], dim=1) for _ in states]
    for step in range(3, 7):  # in turn
        for i, text in enumerate(texts):
            logits, states[i] = model.decode(text[:, step], states[i])
            torch.testing.assert_close(logits, case.forward(model, SOURCE, text[:, : step + 1], 2)[:, -1])


@every_decoder
def test_selected_rows_keep_their_padding(case):
    model, prompts, rows = case.build(), [[5, 6, 7], [9], [11, 2]], [1, 1, 2, 0]
    ids = torch.tensor([[0] * (3 - len(row)) + row for row in prompts])
    _, first = model.prefill(ids, torch.tensor([0, 2, 1]))
    for state, order in ((first.select(torch.tensor(rows)), rows), (first, [0, 1, 2])):
        new = case.random_ids(len(order), 5)
        steps = torch.stack(list(proceed(model, state, new)), dim=1)
        for found, row, more in zip(steps, order, new, strict=True):
            text, n = torch.cat([torch.tensor(prompts[row]), more])[None], len(prompts[row])
            torch.testing.assert_close(found, case.forward(model, SOURCE[:1], text, n)[0, n:])


@cases(lambda case: generates(case) and is_made_of_stacks(case))
def test_a_token_past_the_last_position_is_refused(case):
    model, ids = case.build(max_len=6), case.random_ids(3, 6)
    _, state = model.prefill(*case.family.given(SOURCE, ids[:, :5]))
    logits, state = model.decode(ids[:, 5], state)
    torch.testing.assert_close(logits, case.forward(model, SOURCE, ids, 5)[:, -1])
    for _ in range(2):  # and nothing was written meanwhile
        with pytest.raises(ValueError, match="6 tokens have been read: the model takes at most max_len=6"):
            model.decode(ids[:, 0], state)
    assert state.length == 6


# ---- A prefix decoder reads its prompt in both directions


def first_position(model, ids):
    """What later tokens find at the first position: its keys and values in the last block."""
    _, state = model.prefill(ids)
    return torch.stack([t[:, :, 0] for t in state.caches[-1][0].read()])


def test_the_prompts_last_token_moves_its_first_position_in_a_prefix_decoder_alone():
    ids, changed = torch.tensor([[5, 6, 7, 8]]), torch.tensor([[5, 6, 7, 9]])
    for case in (ONE_EACH[PrefixLMConfig], ONE_EACH[GPTConfig]):
        model, is_prefix = case.build(), case is ONE_EACH[PrefixLMConfig]
        moved = first_position(model, ids) != first_position(model, changed)
        assert moved.all() if is_prefix else not moved.any()
        before, after = (case.forward(model, SOURCE[:1], text, prompt=4) for text in (ids, changed))
        assert (before[:, 0] != after[:, 0]).any().item() is is_prefix


def test_after_its_prompt_a_prefix_decoder_is_causal():
    model = ONE_EACH[PrefixLMConfig].build()
    with viz.record(model) as maps:
        _, state = model.prefill(torch.tensor([[5, 6, 7]]))
        model.decode(torch.tensor([8]), state)
        model(torch.tensor([[5, 6, 7, 8, 9]]), torch.tensor([3]))
    for prompt, step, at_once in maps.values():
        assert (prompt > 0).all()
        assert step.shape == (1, 4, 1, 4)
        assert torch.equal(at_once[0, 0] > 0, masks.prefix(torch.tensor([3]), 5)[0, 0])
        torch.testing.assert_close(at_once[:, :, :3, :3], prompt)
        torch.testing.assert_close(at_once[:, :, 3:4, :4], step)


def test_another_prefix_would_say_something_else():
    """So that the tests of the cache can tell one mask from another."""
    case = ONE_EACH[PrefixLMConfig]
    model, ids = case.build(), case.random_ids(3, 8)
    found = case.written(model, (ids[:, :4],), ids[:, 4:])
    for prompt in (1, 3, 5, 8):
        assert not torch.allclose(found, case.forward(model, SOURCE, ids, prompt)[:, 3:], atol=1e-3)


# ---- The parts of other families


def test_recorded_weights_are_a_softmax_with_the_shared_bias():
    model, ids = ONE_EACH[PartsConfig].build(), torch.tensor([[5, 6, 7, 8, 0], [9, 4, 0, 3, 3]])
    with viz.record(model) as maps:
        model(ids)
        _, state = model.prefill(ids[:, :3])
        model.decode(ids[:, 3], state)
    bias = model.stack.relative.table
    x, causal = model.embedding(ids), masks.causal(5)
    for block, (at_once, prompt, step) in zip(model.stack.blocks, maps.values(), strict=True):
        y, attention = block.attention_norm(x), block.attention
        q = attention.query(y).unflatten(-1, (4, 6))
        k = attention.key_value(y)[..., :12].unflatten(-1, (2, 6))
        expected = torch.zeros(2, 4, 5, 5)
        for head, i in product(range(4), range(5)):
            scores = torch.stack(
                [(q[:, i, head] * k[:, j, head // 2]).sum(-1) + bias[head, i - j] for j in range(i + 1)]
            )
            expected[:, head, i, : i + 1] = scores.softmax(0).T
        torch.testing.assert_close(at_once, expected)
        torch.testing.assert_close(prompt, expected[:, :, :3, :3])
        torch.testing.assert_close(step, expected[:, :, 3:4, :4])
        x = block(x, causal, bias=model.stack.relative(5, 5))


def test_parts_of_other_families_have_no_biases_and_share_what_they_should():
    model = ONE_EACH[PartsConfig].build()
    names = {name for name, _ in model.named_parameters()}
    assert not [name for name in names if "bias" in name]
    assert [name for name in names if "relative" in name] == ["stack.relative.table"]
    assert {norm.eps for norm in model.modules() if isinstance(norm, nn.RMSNorm)} == {1e-3}


# ---- What is refused


ONE_OF_EACH_FAMILY = {(type(case.family), type(case.config)): case for case in CASES.values()}.values()
REFUSED_IDS = [(case, *refused) for case in ONE_OF_EACH_FAMILY for refused in case.family.refused]


@pytest.mark.parametrize(
    ("case", "source", "ids", "message"),
    REFUSED_IDS,
    ids=[f"{type(c.config).__name__}-{type(c.family).__name__}-{m}" for c, *_, m in REFUSED_IDS],
)
def test_refuses_ids_by_name(case, source, ids, message):
    source, ids, model = torch.tensor(source).long(), torch.tensor(ids).long(), case.build()
    with pytest.raises(ValueError, match=message):
        case.forward(model, source, ids)
    if generates(case):
        with pytest.raises(ValueError, match=message):
            model.prefill(*case.family.given(source, ids))
    if hasattr(model, "hidden") and not hasattr(
        model, "encode"
    ):  # where both stacks read the text, its name is the source's
        with pytest.raises(ValueError, match=message):
            model.hidden(ids)
    if hasattr(model, "encode") and "source" in message:
        with pytest.raises(ValueError, match=message):
            model.encode(source)


def wrong_sizes(config: Any) -> Iterator[tuple[dict, str]]:
    """Sizes below one, choices that do not exist, and a dropout that is not a probability."""
    for name, kind in get_type_hints(type(config)).items():
        if get_origin(kind) is Literal:
            yield {name: "none"}, f"{name}='none': choose one of {', '.join(get_args(kind))}"
        elif name == "dropout":
            yield {name: 1.5}, r"1\.5"
        elif (kind is int or int in get_args(kind)) and name not in ("pad_id", "first_position"):
            yield {name: 0}, f"{name}=0 must be at least 1"
            yield {name: -1}, f"{name}=-1 must be at least 1"


WRONG_SIZES = [(case, *wrong) for case in ONE_EACH.values() for wrong in wrong_sizes(case.config)]


@pytest.mark.parametrize(
    ("case", "changes", "message"),
    WRONG_SIZES,
    ids=[f"{type(c.config).__name__}-{wrong}" for c, wrong, _ in WRONG_SIZES],
)
def test_refuses_sizes_by_name(case, changes, message, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as readers have it: beartype would be the first
    with pytest.raises(ValueError, match=message):
        case.initial(**changes)


# ---- Kept, trained, exported


@every_case
def test_the_initial_weights_round_trip(case, tmp_path):
    model, ids = case.initial(), case.random_ids(3, 5)
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    again = case.build()
    again.load_state_dict(load_file(tmp_path / "model.safetensors"))
    assert torch.equal(case.forward(again, SOURCE, ids), case.forward(model, SOURCE, ids))


@pytest.mark.slow
@cases(is_thorough)
def test_one_batch_can_be_overfitted(case):
    model, n = case.initial(d_model=32), 6
    source, ids = torch.stack([torch.randperm(8)[:4] + 4 for _ in range(n)]), case.random_ids(n, 9)
    ids[:, 0] = 1  # not drawn: from relative positions alone, one token cannot be told from two of its kind
    ids[:, 1] = 4 if reads_a_source(case) else torch.arange(n) + 4
    labels = torch.arange(n) % 2
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    for _ in range(200):
        optimizer.zero_grad()
        if generates(case):  # the prompt has 2 tokens; what a prefix decoder says inside it is not a prediction
            loss = F.cross_entropy(
                case.forward(model, source, ids[:, :-1], 2)[:, 1:].flatten(0, 1), ids[:, 2:].flatten()
            )
        else:
            loss = F.cross_entropy(model(*case.family.inputs(source, ids).values()).task, labels)
        loss.backward()
        optimizer.step()
    assert loss < 0.05
    if generates(case):
        given = case.family.given(source, ids[:, :2])
        assert greedy(model, given, max_new=7, stop=()) == ids[:, 2:].tolist()
    else:
        assert model(*case.family.inputs(source, ids).values()).task.argmax(-1).tolist() == labels.tolist()


EXPORT = """
import runpy, sys
import onnx, onnxruntime, torch

test, file, *names = sys.argv[1:]
suite = runpy.run_path(test)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1  # more would spin while they wait for each other

def inputs(case, batch, source_len, length):
    source = torch.randint(1, 12, (batch, source_len))
    source[0, (source_len + 1) // 2 :] = 0  # padding
    return case.family.inputs(source, case.random_ids(batch, length), (length + 1) // 2)

for name in names:
    torch.manual_seed(0)
    case = suite["CASES"][name]
    model, given = case.build().eval(), inputs(case, 3, 6, 5)
    free = [{d: torch.export.Dim.DYNAMIC for d in range(t.dim()) if d not in case.family.fixed} for t in given.values()]
    outputs = getattr(model(*given.values()), "_fields", ["logits"])
    with torch.no_grad():  # with gradients, torch takes another kernel for a trained bias, which can't be exported
        torch.onnx.export(
            model, tuple(given.values()), file, dynamo=True, external_data=False, verbose=False,
            input_names=list(given), output_names=list(outputs), dynamic_shapes=tuple(free),
        )
    graph = onnx.load(file)
    del graph.graph.value_info[:]  # the exporter writes the traced length into them
    session = onnxruntime.InferenceSession(graph.SerializeToString(), options)
    for sizes in ((3, 6, 5), (1, 9, 2), (5, 3, 11), (2, 1, 1)):
        given = inputs(case, *sizes)
        found = session.run(None, {name: t.numpy() for name, t in given.items()})
        expected = model(*given.values())
        for output, wanted in zip(found, expected if isinstance(expected, tuple) else (expected,), strict=True):
            error = (torch.from_numpy(output) - wanted).abs().max().item()
            assert error < 1e-4, f"{name} at {sizes}: off by {error}"
"""


def exported() -> dict[str, list[str]]:
    """The cases that are exported, by the process that does it: a process exports one model with LSTMs, or any number of
    others."""
    processes = {}
    for name, case in CASES.items():
        if is_made_of_stacks(case):
            processes.setdefault(type(case.config).__name__, []).append(name)
        elif case.config.n_layers == 2 and (case.config.bidirectional or case.config.context == "dot"):
            processes[name] = [name]
    return processes


@pytest.mark.slow
@pytest.mark.parametrize("names", list(exported().values()), ids=exported())
def test_exports_to_onnx(names, tmp_path):
    """With dynamic batch and lengths. In a process of its own: beartype's wrappers, which readers don't have, can't be
    traced."""
    pytest.importorskip("onnxscript", reason="onnxscript, onnx and onnxruntime are needed to export")
    command = [sys.executable, "-c", EXPORT, __file__, str(tmp_path / "model.onnx"), *names]
    done = subprocess.run(command, capture_output=True, text=True, timeout=550, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
