"""Reading the tokenizers of Hugging Face's layout: the byte-level BPE of GPT-2, RoBERTa and BART, BERT's WordPiece, and
T5's Unigram."""

import codecs
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers

from seqbook.data.tokenizer import Tokenizer
from seqbook.pretrained import files

END_OF_TEXT = "<|endoftext|>"  # GPT-2's only special token, which separates texts
_ROBERTA = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")  # also BART's
_T5 = ("<pad>", "</s>", "<unk>")  # and <extra_id_0>, <extra_id_1>, …
_BERT = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
_ROLES = [f"{role}_token" for role in ("bos", "eos", "unk", "sep", "pad", "cls", "mask")]  # in the settings
_NORMALIZER = {  # names in tokenizer_config.json, and in the library
    "do_lower_case": "lowercase",
    "strip_accents": "strip_accents",  # None: as lowercase
    "tokenize_chinese_chars": "handle_chinese_chars",
}


def load_tokenizer(name_or_folder: str | Path) -> Tokenizer:
    """Load a model's tokenizer: its tokenizer.json, its vocab.json with merges.txt (BPE), or its vocab.txt (WordPiece),
    with the tokens of added_tokens.json and the settings of tokenizer_config.json. T5's Unigram is read only from a
    tokenizer.json.

    As with every `Tokenizer`, no text can produce a special token: if a reader types <|endoftext|> or [MASK], it is
    split. Nothing is added to a text, not even [CLS].

    Raises:
        ValueError: neither a folder nor a model on the Hub; files that are missing, damaged, or of another kind.
    """
    folder = files.find(name_or_folder)
    config = read_settings(folder)
    with TemporaryDirectory() as scratch:
        whole, vocab, merges = (
            _without_mark(folder / name, Path(scratch)) for name in ("tokenizer.json", "vocab.json", "merges.txt")
        )
        try:
            if whole.is_file():
                tokenizer = Tokenizer.load(whole)
            elif vocab.is_file() and merges.is_file():
                tokenizer = Tokenizer.load_bpe(vocab, merges)
            elif (folder / "vocab.txt").is_file():
                tokenizer = _load_wordpiece(folder / "vocab.txt", config)
            else:
                lacking = "no tokenizer, neither tokenizer.json nor vocab.json and merges.txt nor vocab.txt"
                raise ValueError(files.not_here(folder, lacking))
        except ValueError as error:
            raise ValueError(str(error).replace(scratch, str(folder))) from error
    if (kind := type(tokenizer.backend.model).__name__) not in ("BPE", "WordPiece", "Unigram"):
        raise ValueError(
            f"{folder / 'tokenizer.json'} is a {kind} vocabulary: only BPE, WordPiece and Unigram are read"
        )
    backend = tokenizer.backend
    backend.no_truncation()  # the file may contain the lengths used in training
    backend.no_padding()
    if isinstance(backend.model, models.BPE):
        backend.model.dropout = None  # of merges, in training: with it, a text has other ids each time
        if (prefix_space := flag(config, "add_prefix_space", folder)) is not None:
            for step in _steps(backend.pre_tokenizer):
                if isinstance(step, pre_tokenizers.ByteLevel):
                    step.add_prefix_space = prefix_space
        roberta = backend.token_to_id("<mask>") is not None
        special = [END_OF_TEXT, *_ROBERTA] if roberta else [END_OF_TEXT]
    elif isinstance(backend.model, models.Unigram):
        special = [*_T5, *(name for name in backend.get_vocab() if re.fullmatch(r"<extra_id_\d+>", name))]
        # These are pieces of the vocabulary like any other. Without their first character, no text contains them.
        apart = pre_tokenizers.Split(Regex(r"<(?=(pad|/s|unk|extra_id_\d+)>)"), "isolated")
        backend.pre_tokenizer = pre_tokenizers.Sequence([apart, backend.pre_tokenizer])
    else:
        backend.normalizer = _normalizer(backend.normalizer, config, folder)
        special = list(_special_tokens(config).values())
    _add_tokens(backend, config, folder)
    listed = [config.get(role) for role in _ROLES]
    for option in ("additional_special_tokens", "extra_special_tokens"):
        more = config.get(option)
        listed += more.values() if isinstance(more, dict) else more if isinstance(more, list) else []
    known = [name for name in special if backend.token_to_id(name) is not None]
    # What the settings name is added to the end of the vocabulary if it is not in there.
    known += [name for token in listed if (name := _content(token))]
    backend.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in known])
    _check_vocabulary(backend, folder)
    return tokenizer


def read_settings(folder: Path) -> dict[str, Any]:
    """tokenizer_config.json, and what only special_tokens_map.json has; empty without these files."""
    special, config = (
        files.read_json_if_any(folder / f"{name}.json") for name in ("special_tokens_map", "tokenizer_config")
    )
    return special | config


def _without_mark(file: Path, scratch: Path) -> Path:
    """The file, or a copy of it in the folder `scratch` without the byte-order marks that some editors put in front."""
    content = file.read_bytes() if file.is_file() else b""
    if not content.startswith(codecs.BOM_UTF8):
        return file
    copy = scratch / file.name
    while content.startswith(codecs.BOM_UTF8):
        content = content.removeprefix(codecs.BOM_UTF8)
    copy.write_bytes(content)
    return copy


def around(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """The ids that a tokenizer.json puts before and after each text."""
    text, whole = (tokenizer.backend.encode("a", add_special_tokens=special).ids for special in (False, True))
    at = next(i for i in range(len(whole)) if whole[i : i + len(text)] == text)
    return whole[:at], whole[at + len(text) :]


def named_id(config: Mapping[str, Any], role: str, tokenizer: Tokenizer) -> list[int]:
    """The id of a token that the settings name, such as bos_token, in a list; an empty one if they name none."""
    name = _content(config.get(role))
    return [] if name is None else [tokenizer.special_id(name)]


def flag(config: Mapping[str, Any], name: str, folder: Path) -> bool | None:
    """True or false in tokenizer_config.json; None if it is null there, or missing.

    Raises:
        ValueError: it is something else.
    """
    value = config.get(name)
    if value is not None and not isinstance(value, bool):
        raise ValueError(f"{folder} has {name}={value!r} in tokenizer_config.json: it must be true or false")
    return value


def _steps(pre_tokenizer: pre_tokenizers.PreTokenizer | None) -> list[pre_tokenizers.PreTokenizer]:
    return list(pre_tokenizer) if isinstance(pre_tokenizer, pre_tokenizers.Sequence) else [pre_tokenizer]


def _add_tokens(backend: tokenizers.Tokenizer, config: Mapping[str, Any], folder: Path) -> None:
    """Add the tokens of added_tokens.json, and of tokenizer_config.json, to the end of the vocabulary.

    Raises:
        ValueError: a token that would have another id than the file says.
    """
    added = {i: {"content": name} for name, i in files.read_json_if_any(folder / "added_tokens.json").items()}
    listed = config.get("added_tokens_decoder") or {}
    if not isinstance(listed, dict) or not all(isinstance(token, dict) for token in listed.values()):
        raise ValueError(f"{folder} has an added_tokens_decoder in tokenizer_config.json that is no object of objects")
    added |= {int(i) if i.isdecimal() else i: token for i, token in listed.items()}
    known = ("lstrip", "rstrip", "single_word", "normalized", "special")
    for i, token in sorted(added.items(), key=lambda item: (not isinstance(item[0], int), item[0])):
        name = token.get("content")
        if isinstance(name, str) and backend.token_to_id(name) is None:
            options = {option: token[option] for option in known if isinstance(token.get(option), bool)}
            backend.add_tokens([AddedToken(name, **options)])
        if not isinstance(name, str) or backend.token_to_id(name) != i:
            found = backend.token_to_id(name) if isinstance(name, str) else None
            raise ValueError(
                f"{folder} gives the added token {name!r} the id {i!r}, but by its vocabulary it has {found}: "
                "download its files again"
            )


def _check_vocabulary(backend: tokenizers.Tokenizer, folder: Path) -> None:
    """Check that the ids have no gap, and that merges lead to all tokens of a byte-pair vocabulary.

    Raises:
        ValueError: an id without a token; merges in another order than they were learned in; tokens that no text could
            get, as in a folder with half of merges.txt.
    """
    ids = set(backend.get_vocab().values())
    if gaps := sorted(set(range(len(ids))) - ids):
        raise ValueError(
            f"{folder} has no token for the id {gaps[0]} in its vocabulary of {len(ids)}: download it again"
        )
    if not isinstance(backend.model, models.BPE):
        return
    content = json.loads(backend.to_str())
    merges = [tuple(merge) for merge in content["model"]["merges"]]
    made, before, in_order = {"".join(merge) for merge in merges}, set(), set()  # a token may have several merges
    for merge in merges:
        if all(part in before or part not in made for part in merge):
            in_order.add("".join(merge))
        before.add("".join(merge))
    late = [merge for merge in merges if "".join(merge) not in in_order]
    if late:
        raise ValueError(
            f"{folder} merges {' and '.join(map(repr, late[0]))} before it has made them: its merges are not in their order, "
            "download them again"
        )
    added = {token["content"] for token in content["added_tokens"]}
    # RoBERTa's has tokens such as madeupword0000, and any vocabulary may have some such as <s> or [PAD].
    unmade = [
        token
        for token in content["model"]["vocab"]
        if len(token) > 1 and token not in made | added and not re.fullmatch(r"<.+>|\[.+\]|madeupword\d+", token)
    ]
    if unmade:
        raise ValueError(
            f"{folder} has a byte-pair vocabulary with {len(made)} merges, which lead to no token {unmade[0]!r} "
            f"({len(unmade)} such tokens): its merges are not whole, download them again"
        )


def _load_wordpiece(file: Path, config: dict[str, Any]) -> Tokenizer:
    """BERT's splitting {cite}`devlin2019bert` with the tokens that the file lists, one in each line."""
    unk = _special_tokens(config)["unk"]
    try:
        lines = io.StringIO(file.read_text(encoding="utf-8").lstrip(files.MARK))
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is damaged ({error}): download it again") from error
    vocab = {line.rstrip("\n"): i for i, line in enumerate(lines)}
    if unk not in vocab:
        raise ValueError(f"{file} has no token {unk}, which unknown words become: download it again")
    backend = tokenizers.Tokenizer(models.WordPiece(vocab, unk_token=unk))
    backend.normalizer, backend.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    return Tokenizer(backend)


def _normalizer(
    given: normalizers.Normalizer | None, config: dict[str, Any], folder: Path
) -> normalizers.Normalizer | None:
    """BERT's normalizer with the options of tokenizer_config.json, which count more than those of tokenizer.json."""
    if not isinstance(given, normalizers.BertNormalizer):
        return given
    options = {
        ours: flag(config, theirs, folder) if theirs in config else getattr(given, ours)
        for theirs, ours in _NORMALIZER.items()
    }
    return normalizers.BertNormalizer(clean_text=given.clean_text, **options)


def _special_tokens(config: dict[str, Any]) -> dict[str, str]:
    """BERT's special tokens."""
    return {role: _content(config.get(f"{role}_token")) or name for role, name in _BERT.items()}


def _content(token: Any) -> str | None:
    """A special token of the settings, which have it as a text or as an object that contains it."""
    name = token.get("content") if isinstance(token, dict) else token
    return name if isinstance(name, str) else None
