"""Loading a corpus by name: a task of the micro-world, or a real corpus from the Hub or from a local folder."""

import html
import io
import json
import logging
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from datasets import Dataset, DatasetDict, load_dataset

import microworld
from seqbook.storage import read_text

logger = logging.getLogger(__name__)

MARK = "\ufeff"  # the byte-order mark
MISREAD = MARK.encode().decode("cp1252")  # the same three bytes, read as Latin letters
LOST = "\ufffd"  # what a program writes where it could not read a character
BLANK = set("\u115f\u1160\u2800\u3164\uffa0")  # Hangul's fillers, and Braille without a dot
ABSENT = {"nan", "null", "none", "n/a", "na", "#n/a", "<na>", "nil", "\\n"}  # how tables and databases write no value
PIECE = 60  # characters that rarely stand in a text twice
PHRASE = 3  # words: a corpus may have shorter sentences many times, each with a translation of its own
HUB = {"multi30k": "bentrevett/multi30k", "tiny_shakespeare": "karpathy/tiny_shakespeare"}
FILES = {
    "multi30k": {"train": "train.jsonl", "validation": "val.jsonl", "test": "test.jsonl"},
    "tiny_shakespeare": {"all": "input.txt"},
}


class CorpusError(ValueError):
    """A corpus cannot be found or read. The message says which file, and what to do."""


def load(name: str, path: str | Path | None = None, size: int = 30_000) -> DatasetDict:
    """A corpus as a DatasetDict.

    A task of the micro-world: as microworld.load, with `size` examples in its training split.
    multi30k: train, validation, test (the test set of 2016) with the columns en and de {cite}`elliott2016multi30k`; a
    local folder contains train.jsonl, val.jsonl and test.jsonl.
    tiny_shakespeare: train and validation, which are the first 90 % and the last 10 % of the characters; each has one
    row and one column, text; a local folder contains input.txt.

    Of multi30k's rows only the columns en and de are kept.

    A warning counts the rows of a real corpus that stand in two splits, or more than once in one, and those that share one
    sentence with the training split. Rows that differ in nothing but case, spaces, the form of their accents and the order
    of the two languages are the same. Other warnings name texts that stand for a missing value, and lost characters.

    Raises:
        CorpusError: an unknown name, a missing or broken file, a missing column, an empty split or text, or the Hub out of
            reach.
    """
    if name in microworld.TASKS:
        return microworld.load(name, size=size)
    if name not in HUB:
        raise CorpusError(f"unknown corpus {name!r}: choose one of {', '.join((*microworld.TASKS, *HUB))}")
    return _multi30k(path) if name == "multi30k" else _tiny_shakespeare(path)


def files(name: str, path: str | Path) -> list[Path]:
    """The files of a real corpus in a local folder.

    Raises:
        CorpusError: an unknown name, or no such folder.
    """
    if name not in HUB:
        raise CorpusError(f"unknown corpus {name!r}: choose one of {', '.join((*microworld.TASKS, *HUB))}")
    if not Path(path).is_dir():
        raise CorpusError(f"there is no folder {path}: give the one that holds the files of {name}")
    return [Path(path) / file for file in FILES[name].values()]


def _multi30k(path: str | Path | None) -> DatasetDict:
    if path is None:
        splits = _from_hub("multi30k")
    else:
        found = zip(FILES["multi30k"], files("multi30k", path), strict=True)
        splits = DatasetDict({split: Dataset.from_list(_json_lines(file)) for split, file in found})
    for split in ("train", "validation", "test"):
        if split not in splits or not len(splits[split]):
            raise CorpusError(f"multi30k has no rows in its split {split}: get the whole corpus anew")
        missing = {"en", "de"} - set(splits[split].column_names)
        if missing:
            raise CorpusError(
                f"multi30k's split {split} lacks the column {', '.join(sorted(missing))}: "
                f"it has {', '.join(splits[split].column_names)}"
            )
    _warn_of_copies("multi30k", splits)
    return splits


def _warn_of_copies(name: str, splits: DatasetDict) -> None:
    """A few copies are in many corpora. More than that, and training sees what it is tested on, or some rows too often."""
    rows = {
        split: [(_plain(en), _plain(de)) for en, de in zip(rows["en"][:], rows["de"][:], strict=True)]
        for split, rows in splits.items()
    }
    pairs = {split: [tuple(sorted(pair)) for pair in found] for split, found in rows.items()}  # also if swapped
    train, texts = set(pairs["train"]), {text for pair in rows["train"] for text in pair}
    for split, found in pairs.items():
        copies, part = len(found) - len(set(found)), "for training" if split == "train" else f"in the split {split}"
        if copies > 0.01 * len(found):
            logger.warning("%s: %s of the %s rows %s are copies of others", name, copies, len(found), part)
    for split in ("validation", "test"):
        known = sum(pair in train for pair in pairs[split])
        if known:
            logger.warning(
                "%s: %s of the %s rows in the split %s stand in the training split too: its scores are too good",
                name, known, len(rows[split]), split,
            )  # fmt: skip
        half = sum(
            any(text in texts and len(text.split()) >= PHRASE for text in row)
            for row, pair in zip(rows[split], pairs[split], strict=True) if pair not in train
        )  # fmt: skip
        if half > 0.01 * len(rows[split]):
            logger.warning(
                "%s: %s of the %s rows in the split %s have a sentence that stands in the training split too, with another "
                "translation", name, half, len(rows[split]), split,
            )  # fmt: skip
    validation = set(pairs["validation"])
    chosen = sum(pair in validation for pair in pairs["test"])
    if chosen > 0.01 * len(rows["test"]):
        logger.warning(
            "%s: %s of the %s rows in the split test stand in the split validation too, by which models are chosen",
            name, chosen, len(rows["test"]),
        )  # fmt: skip


def _plain(text: str) -> str:
    """Equal for texts that nobody would call different."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def _tiny_shakespeare(path: str | Path | None) -> DatasetDict:
    if path is None:
        text = "".join(row for split in _from_hub("tiny_shakespeare").values() for row in split["text"])
    else:
        (file,) = files("tiny_shakespeare", path)
        text = _read(file)
        _warn_of_lost(file, [number for number, line in enumerate(text.split("\n"), 1) if LOST in line])
    if len(text) < 10:
        raise CorpusError(f"tiny_shakespeare has {len(text)} characters: get the whole corpus anew")
    cut = len(text) * 9 // 10
    splits = {"train": text[:cut], "validation": text[cut:]}
    for split, part in splits.items():
        if not _is_visible(part):
            raise CorpusError(
                f"tiny_shakespeare has nothing but blanks in its split {split}: get the whole corpus anew"
            )
    pieces = [text[i : i + PIECE] for i in range(cut, len(text) - PIECE, PIECE)]
    known = sum(piece in splits["train"] for piece in pieces)
    if known > 0.05 * len(pieces):
        logger.warning(
            "tiny_shakespeare: %s of %s pieces of the text for validation stand in the text for training too: its scores are "
            "too good", known, len(pieces),
        )  # fmt: skip
    return DatasetDict({split: Dataset.from_dict({"text": [part]}) for split, part in splits.items()})


def _from_hub(name: str) -> DatasetDict:
    try:
        return load_dataset(HUB[name])
    except Exception as error:  # the library passes on the exceptions of its HTTP client
        raise CorpusError(
            f"can't get {HUB[name]} from the Hugging Face Hub ({type(error).__name__}): "
            f"connect to the network, or give the folder of its files (--data FOLDER)"
        ) from error


def _json_lines(file: Path) -> list[dict]:
    rows, absent = [], []
    lines = io.StringIO(_read(file).rstrip())  # splitlines would split at U+2028, U+0085
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:  # the latter for thousands of brackets
            why, advice = getattr(error, "msg", error), "get the file anew"
            if not line.strip():
                why, advice = "empty", "delete the line"
            raise CorpusError(f"{file}, line {number} is not JSON ({why}): {advice}") from error
        if not isinstance(row, dict):
            raise CorpusError(f"{file}, line {number} is {type(row).__name__}, not an object of columns")
        row = {column.replace(MARK, ""): value for column, value in row.items()}
        if {"en", "de"} <= row.keys():
            row = {column: value for column, value in row.items() if column in ("en", "de")}
        if rows and row.keys() != rows[0].keys():
            raise CorpusError(
                f"{file}, line {number} has the columns {', '.join(row)}, the lines before it {', '.join(rows[0])}"
            )
        wrong = [column for column, value in row.items() if not isinstance(value, str)]
        if wrong:
            raise CorpusError(f"{file}, line {number}: {', '.join(wrong)} is not text: get the file anew")
        row = {column: value.replace(MARK, "") for column, value in row.items()}
        empty = [column for column, value in row.items() if not _is_visible(html.unescape(value))]
        if empty:
            raise CorpusError(f"{file}, line {number}: {', '.join(empty)} is empty: fill it in, or delete the line")
        half = [column for column, value in row.items() if any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value)]
        if half:
            raise CorpusError(f"{file}, line {number}: {', '.join(half)} has half a character: get the file anew")
        absent += [(number, value) for value in row.values() if value.strip().casefold() in ABSENT]
        rows.append(row)
    if absent:
        number, value = absent[0]
        logger.warning(
            "%s, line %s: %r is read as a text, but may stand for a missing one (%s of %s rows)",
            file, number, value, len({number for number, _ in absent}), len(rows),
        )  # fmt: skip
    _warn_of_lost(file, [number for number, row in enumerate(rows, 1) if LOST in "".join(row.values())])
    return rows


def _warn_of_lost(file: Path, lines: list[int]) -> None:
    if lines:
        logger.warning(
            "%s has characters that were lost, and are U+FFFD now, in line %s (%s such lines): get the file anew",
            file, lines[0], len(lines),
        )  # fmt: skip


def _is_visible(text: Iterable[str]) -> bool:
    """Whether a text has a letter, a number or a sign, and not only blanks and characters without ink or width."""
    return any(unicodedata.category(character)[0] in "LNPS" and character not in BLANK for character in text)


def _read(file: Path) -> str:
    """A file without byte-order marks, which also stand inside if files were joined.

    Raises:
        CorpusError: there is no such file, or it is not in UTF-8, or was not when another program read it.
    """
    try:
        text = read_text(file).replace(MARK, "")
    except OSError as error:
        raise CorpusError(f"can't read {file} ({error}): give the folder that holds it") from error
    except UnicodeDecodeError as error:
        raise CorpusError(f"can't read {file} ({error}): save it as UTF-8") from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise CorpusError(f"{file} has a character NUL in line {line}, as UTF-16 has: save it as UTF-8")
    if MISREAD in text:
        line = text[: text.index(MISREAD)].count("\n") + 1
        raise CorpusError(
            f"{file} has {MISREAD} in line {line}, which is a byte-order mark that was read as Latin letters, and so may be "
            "other characters: get the file anew, and read it as UTF-8"
        )
    return text
