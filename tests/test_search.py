"""What the search of the site can find: abbreviations where they are explained, parts of names, Chinese words."""

import re
from pathlib import Path

import nbformat
import pytest

import site_search

BOOK = Path(__file__).parents[1] / "book"
CHAPTERS = sorted(BOOK.glob("[0-9]*/*.ipynb"))
# Written in capitals, but nothing that a reader would look up here: machines, companies, tags, and one chapter's own names.
OTHERS = set("CPU GPU GB MiB THUDM MIT ORG PER LOC NaN QVV VVV".split())
CODE = re.compile(r"^(`{3,}|~{3,}).*?^\1$|`[^`]*`|\$[^$]*\$|\]\([^)]*\)", re.MULTILINE | re.DOTALL)


def prose(path: Path) -> str:
    cells = nbformat.read(path, 4).cells
    return CODE.sub(" ", "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown"))


@pytest.fixture(scope="module")
def abbreviations() -> dict[str, str]:
    """{abbreviation: page that explains it, relative to book/}"""
    table = (BOOK / "glossary.md").read_text("utf-8").partition("## Abbreviations")[2]
    rows = re.findall(r"^\| (\S+) \| .+ \| \[\d\.\d\]\(([^)#]+).*\) \|$", table, re.MULTILINE)
    assert len(rows) == table.count("\n|") - 2 >= 40
    assert rows == sorted(rows, key=lambda row: row[0].lower())
    return dict(rows)


def test_each_abbreviation_stands_in_the_text_that_explains_it(abbreviations):
    missing = []
    for short, page in abbreviations.items():
        text = "\n".join(cell.source for cell in nbformat.read(BOOK / page, 4).cells if cell.cell_type == "markdown")
        if not re.search(rf"\b{re.escape(short)}s?\b", text, re.IGNORECASE):
            missing.append((short, page))
    assert missing == []


def test_each_abbreviation_of_the_chapters_is_in_the_glossary(abbreviations):
    used = {word for path in CHAPTERS for word in re.findall(r"\b[A-Z]{2,}s?\b", prose(path))}
    assert len(used) > 15
    known = OTHERS.union(*(short.split("-") for short in abbreviations))
    assert {word.removesuffix("s") for word in used} - known == set(), "give each a row in book/glossary.md"


@pytest.fixture
def language():
    return site_search.CourseSearch({})


def test_names_in_code_are_found_whole_and_by_their_parts(language):
    assert {"n_kv_heads", "n", "kv", "heads", "x"} == set(language.split("n_kv_heads=x"))
    assert language.split("KV cache") == ["KV", "cache"]
    assert set(language.split("GPT-2 and top-k")) == {"GPT", "2", "GPT2", "and", "top", "k", "topk"}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("fine-tuning", "finetuning"),
        ("text-to-text", "texttotext"),
        ("GPT-2-small", "GPT2"),
        ("GPT\u20112", "GPT2"),
        ("encoder\u2013decoder", "encoderdecoder"),
        ("Rockt\u00e4schel", "Rocktaschel"),
        ("QK\u1d40", "QKT"),
        (r"d_\text{head} and d_{\mathrm{ff}}", "d_head"),
        (r"d_\text{head} and d_{\mathrm{ff}}", "d_ff"),
    ],
)
def test_a_word_is_found_as_readers_type_it(language, text, word):
    assert word in language.split(text)
    assert set(language.split("pages 2-5, a - b")) == {"pages", "2", "5", "a", "b"}


def test_chinese_words_are_found_inside_a_sentence(language):
    found = language.split("安娜看见了医生。")
    assert {"安", "安娜", "看见", "医生", "安娜看见了医生"} <= set(found)
    assert "生安" not in language.split("医生，安娜"), "a pair across a sign"


@pytest.mark.parametrize(("word", "stem"), [("VS", "vs"), ("S", "s"), ("EOS", "eo"), ("masks", "mask")])
def test_short_words_keep_their_letters_as_in_the_browser(language, word, stem):
    """Sphinx's Porter stemmer in JavaScript leaves words of one or two letters alone."""
    assert language.stem(word) == stem
