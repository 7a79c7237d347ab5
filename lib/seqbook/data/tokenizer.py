"""Tokenizers, which turn texts into ids and back. Tokens are words, characters, or byte pairs (for real corpora)."""

import json
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, Self

import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers

from seqbook.storage import read_text, writing

SPECIAL_TOKENS = ("<pad>", "<bos>", "<eos>", "<unk>")  # every vocabulary that is trained here begins with these

Kind = Literal["word", "character", "bpe"]


class Tokenizer:
    """A vocabulary and the rules that split a text into its tokens, stored as one JSON file. Built in chapter 1.1.

    No text can produce a special token: if a reader types "<eos>", it is split like any other text. A letter with an accent
    is the same token whether it is written as one character or as two (words and characters are in Unicode's form NFC).
    """

    def __init__(self, backend: tokenizers.Tokenizer):
        self.backend = backend
        self.backend.encode_special_tokens = True

    @classmethod
    def train(cls, texts: Iterable[str], kind: Kind, vocab_size: int = 30_000) -> Self:
        """Learn a vocabulary of at most `vocab_size` tokens.

        Raises:
            ValueError: no text, or a `vocab_size` with no room for more than the special tokens.
        """
        texts = list(texts)
        if not any(texts):
            raise ValueError("can't train a tokenizer on no text: give at least one text that is not empty")
        smallest = len(SPECIAL_TOKENS) + (256 if kind == "bpe" else 1)
        if vocab_size < smallest:
            raise ValueError(f"vocab_size={vocab_size} is too small for a {kind} vocabulary: give {smallest} or more")
        special_tokens = list(SPECIAL_TOKENS)
        if kind == "bpe":
            backend = _byte_level(models.BPE())
            alphabet = pre_tokenizers.ByteLevel.alphabet()
            trainer = trainers.BpeTrainer(
                vocab_size=vocab_size, special_tokens=special_tokens, initial_alphabet=alphabet, show_progress=False
            )
        else:
            backend = tokenizers.Tokenizer(models.WordLevel(unk_token="<unk>"))
            backend.normalizer = normalizers.NFC()
            if kind == "word":
                # Chinese is written without spaces: each character counts as a word.
                chinese = pre_tokenizers.Split(Regex(r"[一-鿿]"), "isolated")
                backend.pre_tokenizer = pre_tokenizers.Sequence([chinese, pre_tokenizers.Whitespace()])
                # Spaces between tokens, except before punctuation, inside "Anna's" and "didn't", and in Chinese.
                spaces, clitic = decoders.WordPiece(cleanup=True), Regex(r" ' (?=(s|t|d|m|re|ve|ll)\b)")
                apart = Regex(r" (?=:)|(?<=[一-鿿，]) (?=[一-鿿，。？])")
                joined = [decoders.Replace(clitic, "'"), decoders.Replace(apart, "")]
                backend.decoder = decoders.Sequence([spaces, decoders.Fuse(), *joined])
            else:
                backend.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
                backend.decoder = decoders.Fuse()
            trainer = trainers.WordLevelTrainer(
                vocab_size=vocab_size, special_tokens=special_tokens, show_progress=False
            )
        backend.train_from_iterator(texts, trainer)
        return cls(backend)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Load a tokenizer that `save` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is not a tokenizer's JSON.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f"no tokenizer at {path}: train one with Tokenizer.train and save it there")
        try:
            return cls(tokenizers.Tokenizer.from_str(read_text(Path(path))))
        except Exception as error:  # the library raises bare Exception
            raise ValueError(f"{path} is not a tokenizer's JSON file: {error}") from error

    @classmethod
    def load_bpe(cls, vocab: str | Path, merges: str | Path) -> Self:
        """Load a byte-pair vocabulary from two files in the format of GPT-2 {cite}`radford2019language`.

        Raises:
            ValueError: a file is missing or has the wrong format.
        """
        try:
            return cls(_byte_level(models.BPE.from_file(str(vocab), str(merges))))
        except Exception as error:  # the library raises bare Exception
            raise ValueError(f"{vocab} and {merges} are not the two files of a BPE: {error}") from error

    def save(self, path: str | Path) -> None:
        with writing(Path(path)) as scratch:
            scratch.write_text(self.backend.to_str(pretty=True), encoding="utf-8")

    def with_special(self, *names: str) -> Self:
        """A copy with additional special tokens at the end of the vocabulary. No text can produce them either.

        Raises:
            ValueError: the vocabulary has a token of that name already.
        """
        grown = tokenizers.Tokenizer.from_str(self.backend.to_str())
        for name in names:
            if grown.token_to_id(name) is not None:
                raise ValueError(f"the vocabulary has a token {name!r} already: choose another name")
            grown.add_special_tokens([name])
        return type(self)(grown)

    def with_words(self, texts: Sequence[str]) -> Self:
        """A copy with the unknown words of `texts` at the end of the vocabulary. A vocabulary of bytes or of pieces
        knows them all."""
        grown = json.loads(self.backend.to_str())
        if grown["model"]["type"] == "WordLevel":
            vocab = grown["model"]["vocab"]
            # Tokens that were added would get new ids if they did not stand in the vocabulary too.
            vocab |= {token["content"]: token["id"] for token in grown["added_tokens"]}
            for word in self.unknown(texts):
                vocab[word] = len(vocab)
        return type(self)(tokenizers.Tokenizer.from_str(json.dumps(grown)))

    def unknown(self, texts: Sequence[str]) -> list[str]:
        """The words or characters of `texts` that are outside the vocabulary, in their order. Each of them is read as
        `<unk>`. A vocabulary of bytes or of pieces has none."""
        texts, found = [unicodedata.normalize("NFC", text) for text in texts], {}
        unk_id = self.backend.token_to_id(getattr(self.backend.model, "unk_token", None) or "<unk>")  # BERT's is [UNK]
        for text, encoding in zip(texts, self.backend.encode_batch(texts, add_special_tokens=False), strict=True):
            for i, (left, right) in zip(encoding.ids, encoding.offsets, strict=True):
                if i == unk_id:
                    found.setdefault(text[left:right])
        return list(found)

    @property
    def pad_id(self) -> int:
        """The id of `<pad>`, which fills up short sequences."""
        return self.special_id("<pad>")

    @property
    def bos_id(self) -> int:
        """The id of `<bos>`, the beginning of a sequence."""
        return self.special_id("<bos>")

    @property
    def eos_id(self) -> int:
        """The id of `<eos>`, the end of a sequence."""
        return self.special_id("<eos>")

    def special_id(self, name: str) -> int:
        """The id of a special token.

        Raises:
            ValueError: there is no such token.
        """
        token_id = self.backend.token_to_id(name)
        if token_id is None:
            raise ValueError(f"the vocabulary has no token {name!r}: add it with tokenizer.with_special({name!r})")
        return token_id

    def __len__(self) -> int:
        return self.backend.get_vocab_size()

    def encode(self, text: str) -> list[int]:
        """The ids of the text's tokens; `<unk>` for tokens outside the vocabulary. No `<bos>` or `<eos>` is added."""
        return self.backend.encode(text, add_special_tokens=False).ids

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode` for many texts, in parallel."""
        return [encoding.ids for encoding in self.backend.encode_batch(list(texts), add_special_tokens=False)]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of the ids, without special tokens.

        Raises:
            ValueError: an id outside the vocabulary.
        """
        self._check(ids)
        return self.backend.decode(list(ids), skip_special_tokens=True)

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """The token of each id, including special tokens, for example as labels of an axis.

        Raises:
            ValueError: an id outside the vocabulary.
        """
        self._check(ids)
        return [self.backend.id_to_token(i) for i in ids]

    def _check(self, ids: Sequence[int]) -> None:
        wrong = [i for i in ids if not 0 <= i < len(self)]
        if wrong:
            raise ValueError(f"ids {wrong[:5]} are outside the vocabulary of {len(self)} tokens (0 to {len(self) - 1})")


def load_tokenizers(folder: Path) -> dict[str, Tokenizer]:
    """The tokenizers in the folder of a prepared corpus or of a run, by the names of their files."""
    return {path.stem: Tokenizer.load(path) for path in sorted(folder.glob("*tokenizer.json"))}


def _byte_level(model: models.BPE) -> tokenizers.Tokenizer:
    """The alphabet consists of the 256 bytes, so it covers every text. A token includes the space before its word."""
    backend = tokenizers.Tokenizer(model)
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return backend
