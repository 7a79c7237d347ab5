import json
import unicodedata

import pytest

from seqbook.data.corpora import CorpusError, load

ROW = {"en": "A dog.", "de": "Ein Hund."}


@pytest.fixture
def folder(tmp_path):
    """A whole multi30k of two rows a split, to be damaged."""
    for name in ("train", "val", "test"):
        write(tmp_path / f"{name}.jsonl", [ROW, {"en": "Two dogs.", "de": "Zwei Hunde ☃."}])
    return tmp_path


def write(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def test_a_folder_is_read_as_it_is(folder):
    splits = load("multi30k", folder)
    assert {name: len(rows) for name, rows in splits.items()} == {"train": 2, "validation": 2, "test": 2}
    assert splits["test"][1] == {"en": "Two dogs.", "de": "Zwei Hunde ☃."}
    assert load("multi30k", str(folder))["train"][0] == ROW


def test_a_byte_order_mark_is_no_character(folder, tmp_path):
    for file in folder.glob("*.jsonl"):
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert load("multi30k", folder)["train"][0] == ROW
    (tmp_path / "input.txt").write_bytes(b"\xef\xbb\xbf" + b"All: speak, speak.\n" * 9)
    assert load("tiny_shakespeare", tmp_path)["train"][0]["text"].startswith("All: speak")


def test_rows_of_the_test_in_training_and_copies_are_counted(folder, caplog):
    write(folder / "val.jsonl", [{"en": "A dog.", "de": "Ein Hund."}])
    write(folder / "test.jsonl", [{"en": "Two dogs.", "de": "Zwei Hunde ☃."}])
    load("multi30k", folder)
    assert [record.message for record in caplog.records] == [
        f"multi30k: 1 of the 1 rows in the split {split} stand in the training split too: its scores are too good"
        for split in ("validation", "test")
    ]
    caplog.clear()
    write(folder / "train.jsonl", [{"en": "A cat.", "de": "Eine Katze."}] * 3)
    load("multi30k", folder)
    assert [record.message for record in caplog.records] == [
        "multi30k: 2 of the 3 rows for training are copies of others"
    ]


def test_marks_of_joined_files_are_no_characters(folder, tmp_path):
    (folder / "val.jsonl").write_bytes(2 * (b"\xef\xbb\xbf" + json.dumps(ROW).encode() + b"\n"))
    write(folder / "test.jsonl", [{"en": "\ufeffA dog.", "de": "Ein\ufeff Hund."}])
    assert load("multi30k", folder)["validation"]["en"][:] == ["A dog."] * 2
    assert load("multi30k", folder)["test"][0] == ROW
    (tmp_path / "input.txt").write_bytes(3 * (b"\xef\xbb\xbf" + b"All: speak, speak.\n"))
    assert "\ufeff" not in "".join(rows["text"][0] for rows in load("tiny_shakespeare", tmp_path).values())


@pytest.mark.parametrize(
    "change", [str.upper, lambda text: f" {text}  ", lambda text: unicodedata.normalize("NFD", text)]
)
def test_rows_that_nobody_would_call_different_are_copies(folder, caplog, change):
    write(folder / "train.jsonl", [{"en": f"A caf\u00e9 {i}.", "de": "Ein Caf\u00e9."} for i in range(3)])
    write(folder / "val.jsonl", [{"en": change(f"A caf\u00e9 {i}."), "de": change("Ein Caf\u00e9.")} for i in (1, 7)])
    load("multi30k", folder)
    (found,) = [record.message for record in caplog.records]
    assert found.startswith("multi30k: 1 of the 2 rows in the split validation stand in the training split too")


def test_the_same_rows_for_choosing_and_for_testing_are_counted(folder, caplog):
    write(folder / "train.jsonl", [{"en": f"A cat {i}.", "de": "Eine Katze."} for i in range(9)])
    load("multi30k", folder)
    (found,) = [record.message for record in caplog.records]
    assert found.startswith("multi30k: 2 of the 2 rows in the split test stand in the split validation too")


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (
            [ROW, ROW, {"en": "Two cats.", "de": "Zwei Katzen."}],
            "1 of the 3 rows in the split test are copies of others",
        ),
        (
            [{"en": "Eine Katze 3.", "de": "A cat 3."}],
            "1 of the 1 rows in the split test stand in the training split too",
        ),
        (
            [{"en": "A cat 3.", "de": "Ein Kater."}, ROW],
            "1 of the 2 rows in the split test have a sentence that stands in the training split too, with another",
        ),
        (
            [{"en": "One cat.", "de": "Eine Katze 3."}],
            "1 of the 1 rows in the split test have a sentence that stands in the training split too, with another",
        ),
        ([{"en": "Thank you.", "de": "Danke sehr."}, ROW], None),  # short ones have many translations
    ],
    ids=["twice", "swapped", "same source", "same target", "short"],
)
def test_copies_within_a_split_swapped_pairs_and_halves_of_pairs_are_counted(folder, caplog, rows, found):
    train = [{"en": f"A cat {i}.", "de": f"Eine Katze {i}."} for i in range(9)]
    write(folder / "train.jsonl", [*train, {"en": "Thank you.", "de": "Danke."}])
    write(folder / "val.jsonl", [{"en": "Three birds.", "de": "Drei Vögel."}])
    write(folder / "test.jsonl", rows)
    load("multi30k", folder)
    messages = [record.message for record in caplog.records]
    assert [message.startswith(f"multi30k: {found}") for message in messages] == ([True] if found else [])


def test_a_long_text_that_repeats_itself_is_named(tmp_path, caplog):
    speech = "".join(f"Citizen {i}: before we proceed any further, hear me speak {i * i} times.\n" for i in range(90))
    (tmp_path / "input.txt").write_text(speech)
    load("tiny_shakespeare", tmp_path)
    assert caplog.records == []
    (tmp_path / "input.txt").write_text(3 * speech)
    load("tiny_shakespeare", tmp_path)
    assert "pieces of the text for validation stand in the text for training too" in caplog.text


@pytest.mark.parametrize("separator", ["\u2028", "\u0085"])
def test_only_a_line_feed_ends_a_line(folder, separator):
    row = {"en": f"A{separator}dog.", "de": "Ein Hund."}
    write(folder / "val.jsonl", [row, ROW])
    assert load("multi30k", folder)["validation"][0] == row


def test_blank_lines_at_the_end_and_other_columns_are_not_read(folder):
    row = json.dumps(ROW | {"id": 7, "note": "", "source": None})
    (folder / "val.jsonl").write_text(f"{row}\n{row}\n\n  \n")
    assert load("multi30k", folder)["validation"][:] == {name: [text] * 2 for name, text in ROW.items()}


def test_a_mark_in_the_name_of_a_column_is_no_character(folder):
    """As a table whose first column was read with it is written."""
    (folder / "val.jsonl").write_text(json.dumps({"\ufeffen": "A dog.", "de": "Ein Hund."}) + "\n")
    assert load("multi30k", folder)["validation"][0] == ROW


@pytest.mark.parametrize("value", ["nan", "NaN", "NULL", "\\N", " n/a "])
def test_what_stands_for_a_missing_text_is_named(folder, caplog, value):
    write(folder / "train.jsonl", [{"en": f"A cat {i}.", "de": f"Eine Katze {i}."} for i in range(9)])
    write(folder / "val.jsonl", [{"en": "Three birds.", "de": "Drei V\u00f6gel."}, {"en": value, "de": value}])
    load("multi30k", folder)
    (found,) = [record.message for record in caplog.records]
    assert f"val.jsonl, line 2: {value!r} is read as a text, but may stand for a missing one (1 of 2 rows)" in found


def test_lost_characters_are_counted(folder, caplog):
    write(folder / "train.jsonl", [{"en": f"A cat {i}.", "de": f"Eine Katze {i}."} for i in range(9)])
    (folder / "val.jsonl").write_text(json.dumps(ROW) + "\n" + json.dumps({"en": "Birds.", "de": "V\ufffdgel."}) + "\n")
    (folder / "input.txt").write_text("".join(f"Caf\ufffd {i * i}\n" for i in range(99)))
    load("multi30k", folder)
    load("tiny_shakespeare", folder)
    found = [record.message for record in caplog.records if "U+FFFD" in record.message]
    assert "val.jsonl has characters that were lost, and are U+FFFD now, in line 2 (1 such lines)" in found[0]
    assert "input.txt has characters that were lost, and are U+FFFD now, in line 1 (99 such lines)" in found[1]


def test_lines_of_another_system_and_no_end(folder):
    (folder / "val.jsonl").write_bytes((json.dumps(ROW) + "\r\n" + json.dumps(ROW)).encode())
    assert load("multi30k", folder)["validation"]["en"][:] == ["A dog.", "A dog."]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"en": "a", "de": "b"}\n{"en": "a", "de"\n', r"val\.jsonl, line 2 is not JSON"),
        (b'{"en": "a", "de": "b"}\n\n{"en": "a", "de": "b"}\n', r"val\.jsonl, line 2 is not JSON"),
        (b'{"en": "a", "de": "b"}\n["a", "b"]\n', r"val\.jsonl, line 2 is list, not an object"),
        (b'{"en": "a", "de": "b"}\n{"en": "a", "fr": "b"}\n', r"val\.jsonl, line 2 has the columns en, fr"),
        (
            b'{"en": "a", "de": "b"}\n{"en": "a"}\n',
            r"val\.jsonl, line 2 has the columns en, the lines before it en, de",
        ),
        (b'{"en": "a", "fr": "b"}\n', "split validation lacks the column de: it has en, fr"),
        (b'{"text": "a"}\n', "split validation lacks the column de, en: it has text"),
        (b'{"en": "a", "de": 7}\n', r"val\.jsonl, line 1: de is not text"),
        (b'{"en": "a", "de": "b"}\n{"en": null, "de": "b"}\n', r"val\.jsonl, line 2: en is not text"),
        (b'{"en": "a", "de": "b"}\n{"en": ["a"], "de": "b"}\n', r"val\.jsonl, line 2: en is not text"),
        (b'{"en": "a", "de": "b"}\n{"en": "a", "de": ""}\n', r"val\.jsonl, line 2: de is empty: fill it in"),
        (b'{"en": " \\n", "de": "b"}\n', r"val\.jsonl, line 1: en is empty"),
        (b'{"en": "a", "de": "\\u200b"}\n', r"val\.jsonl, line 1: de is empty"),
        (b'{"en": "\\ufeff", "de": "b"}\n', r"val\.jsonl, line 1: en is empty"),
        (b'{"en": "\\u0000", "de": "b"}\n', r"val\.jsonl, line 1: en is empty"),
        (b'{"en": "a", "de": "b \\ud800"}\n', r"val\.jsonl, line 1: de has half a character"),
        (b'{"en": "a", "de": "b\\u0000c\\u0000"}\n', r"val\.jsonl, line 1: de has half a character"),
        (b'{"en": "a", "de": "\\u3164 \\ufe0f"}\n', r"val\.jsonl, line 1: de is empty"),
        (b'{"en": "&nbsp;", "de": "b"}\n', r"val\.jsonl, line 1: en is empty"),
        (
            b'{"en": "a", "de": "b"}\n \n{"en": "a", "de": "b"}\n',
            r"val\.jsonl, line 2 is .* \(empty\): delete the line",
        ),
        (
            '\u00ef\u00bb\u00bf{"en": "a", "de": "b"}'.encode(),
            r"val\.jsonl has \u00ef\u00bb\u00bf in line 1, .*byte-order mark",
        ),
        (b'{"en": "a", "de": ' + b"[" * 99_999, r"val\.jsonl, line 1 is not JSON \(maximum recursion"),
        (b'{"en": "a", "de": ' + b"1" * 9_999 + b"}", r"val\.jsonl, line 1 is not JSON \(Exceeds the limit"),
        ('{"en": "a", "de": "b"}'.encode("utf-16"), r"can't read .*val\.jsonl .*utf-8.*: save it as UTF-8"),
        ('{"en": "a", "de": "b"}'.encode("utf-16-le"), r"val\.jsonl has a character NUL in line 1, as UTF-16 has"),
        (b"", "no rows in its split validation"),
        (b"\xff\xfe\x00", r"can't read .*val\.jsonl .*utf-8"),
        (b'{"en": "a", "de": "\xe4"}\n', r"can't read .*val\.jsonl .*utf-8"),
        (None, r"can't read .*val\.jsonl .*No such file"),
    ],
)
def test_a_broken_file_is_one_clear_error(folder, home, content, message):
    (folder / "val.jsonl").unlink()
    if content is not None:
        (folder / "val.jsonl").write_bytes(content)
    with pytest.raises(CorpusError, match=message) as error:
        load("multi30k", folder)
    assert "\n" not in str(error.value)
    assert not home.exists()


@pytest.mark.parametrize("name", ["multi30k", "tiny_shakespeare"])
def test_a_missing_folder_is_named(name, tmp_path):
    (tmp_path / "file").write_text("no folder")
    for path in (tmp_path / "gone", tmp_path / "file"):
        with pytest.raises(CorpusError, match=f"there is no folder {path}: .*{name}"):
            load(name, path)


def test_an_unknown_name_is_named_with_the_choices(tmp_path):
    with pytest.raises(
        CorpusError, match=r"unknown corpus 'europarl': choose one of translation, .*, multi30k, tiny_shakespeare"
    ):
        load("europarl", tmp_path)


@pytest.mark.parametrize("name", ["multi30k", "tiny_shakespeare"])
def test_without_a_network_there_is_one_clear_error(name, home):
    with pytest.raises(CorpusError, match=rf"can't get \S+/{name} from the Hugging Face Hub .*--data FOLDER") as error:
        load(name)
    assert "\n" not in str(error.value)
    assert not home.exists()


def test_shakespeare_is_cut_nine_to_one(tmp_path):
    text = "First Citizen:\nBefore we proceed any further, hear me speak.\n\n" * 10
    (tmp_path / "input.txt").write_text(text)
    splits = load("tiny_shakespeare", tmp_path)
    parts = [splits[name][0]["text"] for name in ("train", "validation")]
    assert "".join(parts) == text
    assert len(parts[0]) == len(text) * 9 // 10


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has 0 characters"),
        (b"\xff" * 99, "utf-8"),
        (None, "No such"),
        (b"\n \n" * 99, "nothing but blanks in its split train"),
        ("\u3164\u00a0".encode() * 99, "nothing but blanks in its split train"),
        (b"All: speak.\n" * 90 + b"\n" * 200, "nothing but blanks in its split validation"),
        ("\u00ef\u00bb\u00bfAll: speak.\n".encode() * 9, r"input\.txt has .* in line 1, which is a byte-order mark"),
    ],
)
def test_a_broken_shakespeare(tmp_path, content, message):
    if content is not None:
        (tmp_path / "input.txt").write_bytes(content)
    with pytest.raises(CorpusError, match=message):
        load("tiny_shakespeare", tmp_path)


def test_the_real_multi30k(real_corpora, caplog):
    splits = load("multi30k", real_corpora / "multi30k")
    assert {name: len(rows) for name, rows in splits.items()} == {"train": 29_000, "validation": 1_014, "test": 1_000}
    assert all(set(rows.column_names) == {"en", "de"} for rows in splits.values())
    assert all(text.strip() for rows in splits.values() for side in ("en", "de") for text in rows[side])
    assert caplog.records == []
