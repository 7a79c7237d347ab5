"""A pretrained model with its tokenizer, made to fit each other, and the tokens that begin and end its texts."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from seqbook.data.tokenizer import Tokenizer
from seqbook.generation.decoding import complete
from seqbook.models.encoder_decoder import EncoderDecoder
from seqbook.pretrained import files
from seqbook.pretrained.vocabularies import END_OF_TEXT, around, flag, load_tokenizer, named_id, read_settings

logger = logging.getLogger(__name__)

END_OF_ANSWER = "</s>"  # T5's and BART's
_NOT_APPLIED = (  # options of generation_config.json by which other tokens would be chosen than by the model alone
    "suppress_tokens", "begin_suppress_tokens", "bad_words_ids", "sequence_bias", "repetition_penalty",
    "no_repeat_ngram_size", "min_length", "min_new_tokens", "forced_bos_token_id", "forced_eos_token_id", "stop_strings",
)  # fmt: skip


class Pretrained(NamedTuple):
    """before, after: the ids that a tokenizer of Hugging Face puts around each text; first: the id that an empty text begins
    with, in a list; ends: the ids that end a text."""

    model: nn.Module
    tokenizer: Tokenizer
    before: list[int]
    after: list[int]
    first: list[int]
    ends: list[int]

    def continue_texts(self, texts: Sequence[str], *, max_new: int = 40, seed: int = 0, **how: Any) -> list[str]:
        """Each text with its continuation. An empty text starts a new text.

        how: temperature, top_k and top_p, as in `generation.sampling.sampler`.
        """
        prompts = [[*self.before, *self.tokenizer.encode(text), *self.after] or self.first for text in texts]
        generator = torch.Generator(next(self.model.parameters()).device).manual_seed(seed)
        found = complete(self.model, prompts, max_new, stop=self.ends, generator=generator, **how)
        return [self.tokenizer.decode([*prompt, *new]) for prompt, new in zip(prompts, found, strict=True)]


def with_tokenizer(model: nn.Module, name_or_folder: str | Path) -> Pretrained:
    """The model of a folder with the tokenizer that lies beside it.

    Raises:
        ValueError: no tokenizer; a setting of an unexpected type; a T5 or BART whose answers end with another token.
    """
    folder = files.find(name_or_folder)
    tokenizer = load_tokenizer(folder)
    if len(tokenizer) < model.config.vocab_size:
        model = _cut(model, len(tokenizer))
    elif len(tokenizer) > model.config.vocab_size:
        extra = tokenizer.tokens(range(model.config.vocab_size, len(tokenizer)))
        logger.warning(
            "%s has %s tokens in its tokenizer and %s in its model: no text with %s can be read",
            folder, len(tokenizer), model.config.vocab_size, ", ".join(map(repr, extra[:5])) + " …" * (len(extra) > 5),
        )  # fmt: skip
    config, given, settings = (
        files.read_json(folder / "config.json"),
        files.read_json_if_any(folder / "generation_config.json"),
        read_settings(folder),
    )
    fills = isinstance(model, EncoderDecoder)
    usual = tokenizer.backend.token_to_id(END_OF_ANSWER if fills else END_OF_TEXT)
    ends = _ids(given, "eos_token_id", tokenizer, folder) or _ids(config, "eos_token_id", tokenizer, folder)
    if fills and ends and set(ends) != {usual}:
        raise ValueError(f"{folder} has eos_token_id={ends}: only {usual}, which is {END_OF_ANSWER}, can be read")
    if not ends and usual is not None:
        ends = [usual]
    first = (_ids(given, "bos_token_id", tokenizer, folder) or _ids(config, "bos_token_id", tokenizer, folder) or ends)[
        :1
    ]
    before, after = around(tokenizer)
    if flag(settings, "add_bos_token", folder):
        before = before or named_id(settings, "bos_token", tokenizer) or first
    if flag(settings, "add_eos_token", folder):
        after = after or named_id(settings, "eos_token", tokenizer) or ends[:1]
    if not fills and (unused := [f"{name}={given[name]!r}" for name in _NOT_APPLIED if given.get(name)]):
        logger.warning("%s has %s in generation_config.json, which is not applied", folder, ", ".join(unused))
    return Pretrained(model, tokenizer, before, after, first, ends)


@torch.no_grad()
def _cut(model: nn.Module, vocab_size: int) -> nn.Module:
    """The same model without the last ids of its vocabulary: files often have more of them than their tokenizer."""
    cut = replace(model.config, vocab_size=vocab_size).build().to(next(model.parameters()).device)
    whole = dict(chain(model.named_parameters(), model.named_buffers()))
    for name, t in chain(cut.named_parameters(), cut.named_buffers()):
        t.copy_(whole[name][: len(t)] if t.dim() else whole[name])
    return cut.train(model.training)


def _ids(config: dict[str, Any], option: str, tokenizer: Tokenizer, folder: Path) -> list[int]:
    """The ids of one option that the vocabulary has: a file has none, one, or a list of them.

    Raises:
        ValueError: it is something else.
    """
    value = config.get(option)
    ids = value if isinstance(value, list) else [] if value is None else [value]
    if not all(type(i) is int for i in ids):
        raise ValueError(f"{folder} has {option}={value!r}: it must be the id of a token, or a list of ids")
    return [i for i in ids if 0 <= i < len(tokenizer)]
