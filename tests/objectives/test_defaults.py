"""What an objective has if nothing is said: the numbers of the papers, and otherwise the course's."""

from dataclasses import FrozenInstanceError, fields
from inspect import signature

import pytest

from seqbook.objectives import chain, filling, recall
from seqbook.objectives.batch import summed_nll
from seqbook.objectives.blank_infilling import BlankInfilling, BlankInfillingConfig
from seqbook.objectives.causal import CausalConfig, continue_texts
from seqbook.objectives.chain import ChainConfig
from seqbook.objectives.classification import ClassificationConfig
from seqbook.objectives.corruption import Denoising, DenoisingConfig, SpanCorruption, SpanCorruptionConfig
from seqbook.objectives.corruption.filling import fill_gaps, rewrite
from seqbook.objectives.corruption.noises import draw_spans
from seqbook.objectives.corruption.spans import count_noise, draw_noise, longest_text
from seqbook.objectives.denoisers import Denoisers, DenoisersConfig
from seqbook.objectives.layouts import LayoutConfig
from seqbook.objectives.masked import Masked, MaskedConfig
from seqbook.objectives.prefix import PrefixPairs, PrefixPairsConfig, PrefixTextsConfig
from seqbook.objectives.recall import RecallConfig
from seqbook.objectives.rows import TextRowsConfig, row_of
from seqbook.objectives.scoring import fill_by_scoring
from seqbook.objectives.seq2seq import Seq2Seq, Seq2SeqConfig
from seqbook.objectives.spans import SpansConfig
from seqbook.objectives.tagging import TaggingConfig
from seqbook.objectives.task_pairs import TaskPairsConfig
from seqbook.objectives.text_to_text import TextToTextConfig
from seqbook.objectives.unilm import UniLM, UniLMConfig

TOKENS = {"kind": "word", "max_vocab_size": 30_000}
PAIRS = {"source": "en", "target": "zh", "max_vocab_size": 30_000, "label_smoothing": 0.0, "beams": 1}
PREFIX_PAIRS = PAIRS | {"kind": "word", "prefix": "bidirectional", "loss_on": "target"}
SEQ2SEQ = PAIRS | {"source_kind": "word", "target_kind": "character", "reverse_source": False}
CLASSIFICATION = {
    "layout": "gpt",
    "transformation": "classification",
    "texts": (),
    "classes": (),
    "lm_weight": 0.0,
}
MASKED = {
    "rate": 0.15,
    "mask_share": 0.8,
    "random_share": 0.1,
    "masking": "dynamic",
    "whole_words": False,
    "pairs": False,
}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (CausalConfig, TOKENS),
        (TextRowsConfig, TOKENS),
        (PrefixTextsConfig, TOKENS),
        (PrefixPairsConfig, PREFIX_PAIRS),
        (Seq2SeqConfig, SEQ2SEQ),
        (MaskedConfig, TOKENS | MASKED),
        (SpanCorruptionConfig, TOKENS | {"rate": 0.15, "mean_length": 3.0, "n_sentinels": 100}),
        (DenoisingConfig, TOKENS | {"rate": 0.3, "mean_length": 3.0, "noise": "mix"}),
        (UniLMConfig, TOKENS | {"rate": 0.15, "shares": (1 / 3, 1 / 3, 1 / 6, 1 / 6)}),
        (BlankInfillingConfig, TOKENS | {"rate": 0.15, "shares": (0.5, 0.3, 0.2), "shuffle": True}),
        (DenoisersConfig, TOKENS | {"mixture": "u-palm", "shares": (0.25, 0.5, 0.25), "n_sentinels": 32}),
        (LayoutConfig, {"layout": "gpt"}),
        (ClassificationConfig, CLASSIFICATION),
        (SpansConfig, {"layout": "gpt", "longest_answer": 8}),
        (TaggingConfig, {"layout": "gpt", "entities": ("PER", "LOC", "ORG")}),
        (TaskPairsConfig, {"task": "translation", "network": "encoder-decoder", "instruction": ""}),
        (TextToTextConfig, {"task": "sentiment"}),
        (ChainConfig, {"n_letters": 16, "n_chains": 4, "hops": 2}),
        (RecallConfig, {"n_words": 20, "n_pairs": 6, "n_entries": 32}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_defaults(config, expected):
    found = config()
    assert {field.name: getattr(found, field.name) for field in fields(config)} == expected
    with pytest.raises(FrozenInstanceError):
        setattr(found, fields(config)[0].name, "other")
    with pytest.raises(TypeError, match="positional"):
        config("other")


T5 = {"rate": 0.15, "mean_length": 3.0}
BEST_FIVE = {"top": 5}
SEARCH = {"beams": 1, "length_penalty": 1.0, "batch_size": 250}


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (count_noise, T5),
        (draw_noise, T5),
        (longest_text, T5),
        (draw_spans, {"rate": 0.3, "mean_length": 3.0}),
        (filling.fill, BEST_FIVE),
        (fill_by_scoring, BEST_FIVE),
        (fill_gaps, BEST_FIVE),
        (rewrite, BEST_FIVE),
        (Masked.fill, BEST_FIVE),
        (SpanCorruption.fill, BEST_FIVE),
        (Denoising.fill, BEST_FIVE),
        (BlankInfilling.fill, BEST_FIVE | {"max_new": 20}),
        (Denoisers.fill, BEST_FIVE | {"max_new": 40, "mode": "R"}),
        (continue_texts, {"max_new": 40, "seed": 0}),
        (UniLM.generate, {"max_new": 40, "seed": 0}),
        (Seq2Seq.generate, SEARCH),
        (PrefixPairs.generate, SEARCH),
        (summed_nll, {"label_smoothing": 0.0}),
        (row_of, {"bidirectional": True, "whole": False}),
        (chain.Rows, {"seed": 0}),
        (recall.Rows, {"seed": 0, "held_out": False}),
    ],
    ids=lambda value: getattr(value, "__qualname__", ""),
)
def test_defaults_of_functions(function, expected):
    found = {name: parameter.default for name, parameter in signature(function).parameters.items()}
    assert {name: value for name, value in found.items() if isinstance(value, int | float | str)} == expected


# the least and the largest values that are taken, and values that are not
RATE = ([1e-9, 1.0], [0.0, -0.5, 1.5])
COUNT = ([1], [0])


@pytest.mark.parametrize(
    ("config", "name", "taken", "refused"),
    [
        (MaskedConfig, "rate", *RATE),
        (UniLMConfig, "rate", *RATE),
        (BlankInfillingConfig, "rate", *RATE),
        (DenoisingConfig, "rate", *RATE),
        (DenoisingConfig, "mean_length", [1e-9], [0.0, -0.5]),
        (SpanCorruptionConfig, "rate", [1e-9, 0.999], [0.0, -0.5, 1.0, 1.5]),
        (SpanCorruptionConfig, "mean_length", [1.0], [0.999, -1.0]),
        (SpanCorruptionConfig, "n_sentinels", *COUNT),
        (DenoisersConfig, "n_sentinels", *COUNT),
        *(
            (config, "max_vocab_size", *COUNT)
            for config in (
                CausalConfig, MaskedConfig, PrefixPairsConfig, Seq2SeqConfig, SpanCorruptionConfig, DenoisingConfig,
                UniLMConfig, BlankInfillingConfig, DenoisersConfig,
            )
        ),
        (PrefixPairsConfig, "beams", *COUNT),
        (Seq2SeqConfig, "beams", *COUNT),
        (SpansConfig, "longest_answer", *COUNT),
        (ChainConfig, "n_letters", [12], [0]),
        (ChainConfig, "n_chains", *COUNT),
        (ChainConfig, "hops", *COUNT),
        (RecallConfig, "n_words", [6], [0]),  # as many as there are pairs
        (RecallConfig, "n_pairs", [1, 20], [0]),
        (RecallConfig, "n_entries", *COUNT),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)  # fmt: skip
def test_limits(config, name, taken, refused):
    for value in taken:
        assert getattr(config(**{name: value}), name) == value
    for value in refused:
        with pytest.raises(ValueError, match=rf"^{name}={value} must be (at least 1|above 0)"):
            config(**{name: value})


def test_which_layouts_can_have_what():
    assert ClassificationConfig(layout="bert", transformation="similarity")
    assert ClassificationConfig(layout="bart", transformation="multiple_choice", lm_weight=0.5)
    for task in ("continuation", "entailment", "translation"):
        with pytest.raises(ValueError, match=f"task='{task}' with network='encoder'"):
            TaskPairsConfig(task=task, network="encoder")
