"""Reading the tokenizers of Hugging Face's layout: the byte-level BPE of GPT-2, RoBERTa and BART, BERT's WordPiece, and
T5's Unigram."""

import re
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers

from seqbook.data.tokenizer import Tokenizer
from seqbook.pretrained import files

END_OF_TEXT = "<|endoftext|>"  # GPT-2's only special token, which separates texts
_ROBERTA = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")  # also BART's
_T5 = ("<pad>", "</s>", "<unk>")  # and <extra_id_0>, <extra_id_1>, …
_BERT = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
_NORMALIZER = {  # names in tokenizer_config.json, and in the library
    "do_lower_case": "lowercase",
    "strip_accents": "strip_accents",  # None: as lowercase
    "tokenize_chinese_chars": "handle_chinese_chars",
}


def load_tokenizer(name_or_folder: str | Path) -> Tokenizer:
    """Load a model's tokenizer: its tokenizer.json, its vocab.json with merges.txt (BPE), or its vocab.txt (WordPiece).
    T5's Unigram is read only from a tokenizer.json.

    As with every `Tokenizer`, no text can produce a special token: if a reader types <|endoftext|> or [MASK], it is
    split. Nothing is added to a text, not even [CLS].

    Raises:
        ValueError: neither a folder nor a model on the Hub; files that are missing, damaged, or of another kind.
    """
    folder = files.find(name_or_folder)
    vocab, merges, words = folder / "vocab.json", folder / "merges.txt", folder / "vocab.txt"
    config = files.read_json(folder / "tokenizer_config.json") if (folder / "tokenizer_config.json").is_file() else {}
    if (folder / "tokenizer.json").is_file():
        tokenizer = Tokenizer.load(folder / "tokenizer.json")
        kind = type(tokenizer.backend.model).__name__
        if kind not in ("BPE", "WordPiece", "Unigram"):
            raise ValueError(
                f"{folder / 'tokenizer.json'} is a {kind} vocabulary: only BPE, WordPiece and Unigram are read"
            )
    elif vocab.is_file() and merges.is_file():
        tokenizer = Tokenizer.load_bpe(vocab, merges)
    elif words.is_file():
        tokenizer = _load_wordpiece(words, config)
    else:
        raise ValueError(
            f"{folder} has neither tokenizer.json nor vocab.json and merges.txt nor vocab.txt: it holds no tokenizer"
        )
    backend = tokenizer.backend
    backend.no_truncation()  # the file may contain the lengths used in training
    backend.no_padding()
    if isinstance(backend.model, models.BPE):
        if isinstance(backend.pre_tokenizer, pre_tokenizers.ByteLevel) and "add_prefix_space" in config:
            backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=config["add_prefix_space"])
        roberta = backend.token_to_id("<mask>") is not None
        special = [END_OF_TEXT, *_ROBERTA] if roberta else [END_OF_TEXT]
    elif isinstance(backend.model, models.Unigram):
        special = [*_T5, *(name for name in backend.get_vocab() if re.fullmatch(r"<extra_id_\d+>", name))]
        # These are pieces of the vocabulary like any other. Without their first character, no text contains them.
        apart = pre_tokenizers.Split(Regex(r"<(?=(pad|/s|unk|extra_id_\d+)>)"), "isolated")
        backend.pre_tokenizer = pre_tokenizers.Sequence([apart, backend.pre_tokenizer])
    else:
        backend.normalizer = _normalizer(backend.normalizer, config)
        special = _special_tokens(config).values()
    known = [name for name in special if backend.token_to_id(name) is not None]
    backend.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in known])
    return tokenizer


def _load_wordpiece(file: Path, config: dict[str, Any]) -> Tokenizer:
    """BERT's splitting {cite}`devlin2019bert` with the tokens that the file lists, one in each line."""
    unk = _special_tokens(config)["unk"]
    try:
        with file.open(encoding="utf-8") as lines:
            vocab = {line.rstrip("\n"): i for i, line in enumerate(lines)}
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is damaged ({error}): download it again") from error
    if unk not in vocab:
        raise ValueError(f"{file} has no token {unk}, which unknown words become: download it again")
    backend = tokenizers.Tokenizer(models.WordPiece(vocab, unk_token=unk))
    backend.normalizer, backend.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    return Tokenizer(backend)


def _normalizer(given: normalizers.Normalizer | None, config: dict[str, Any]) -> normalizers.Normalizer | None:
    """BERT's normalizer with the options of tokenizer_config.json, which count more than those of tokenizer.json."""
    if not isinstance(given, normalizers.BertNormalizer):
        return given
    options = {ours: config.get(theirs, getattr(given, ours)) for theirs, ours in _NORMALIZER.items()}
    return normalizers.BertNormalizer(clean_text=given.clean_text, **options)


def _special_tokens(config: dict[str, Any]) -> dict[str, str]:
    """BERT's special tokens. The file has each as a text, or as an object that contains it."""
    given = {role: config.get(f"{role}_token") or name for role, name in _BERT.items()}
    return {role: name["content"] if isinstance(name, dict) else name for role, name in given.items()}
