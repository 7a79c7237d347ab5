"""The page of claims, which other courses cite: its form, and that the chapters say the same."""

import re

import nbformat
import pytest
from benchmarks.sweeps import SWEEPS

from seqbook import claims

CLAIMS = claims.read()
CHAPTERS = sorted((claims.ROOT / "book").glob("[0-9]*/*.ipynb"))
FAMILIES = ["Recurrent networks", "Encoder-decoders", "Causal decoders", "Encoders", "Prefix decoders"]
REQUIRED = {"Verdict", "Claimed by", "Test", "Measured", "Chapter"}
# A number and the verdict after it in the same paragraph, with no other number and nothing else in bold between them.
STATED = re.compile(
    rf"\b(C\d+)\b((?:(?!\bC\d+\b|\*\*|\n\n|\n- ).)*)\*\*({'|'.join(claims.VERDICTS)})\.?\*\*", re.I | re.S
)
BY_NUMBER = pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.number)


def stated(text: str) -> list[tuple[str, str]]:
    """The verdicts that a text states: pairs of number and verdict."""
    return [(number.upper(), verdict.lower()) for number, _, verdict in STATED.findall(text)]


def parts(chapter) -> tuple[str, str]:
    """The text of a chapter before its summary, and the summary."""
    cells = nbformat.read(chapter, as_version=4).cells
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    body, _, rest = text.partition("\n## Summary")
    return body, re.split(r"^## ", rest, flags=re.MULTILINE)[0]


def test_numbers_are_unique_and_in_order_within_a_family():
    families = {}
    for claim in CLAIMS:
        families.setdefault(claim.family, []).append(int(claim.number[1:]))
    sections = re.findall(r"^## (.+)$", claims.PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [family for family in FAMILIES if family in families] == list(families) == sections
    assert all(numbers == sorted(numbers) for numbers in families.values())
    every = sorted(int(claim.number[1:]) for claim in CLAIMS)
    assert every == sorted(set(every))
    assert every[:23] == list(range(1, 24))


@BY_NUMBER
def test_a_claim_has_its_fields_a_source_an_anchor_and_known_sweeps(claim):
    page = claims.PAGE.read_text(encoding="utf-8")
    assert f"\n({claim.number.lower()})=\n### {claim.number}. " in page
    assert set(claim.fields) >= REQUIRED
    assert set(claim.fields) <= REQUIRED | {"Also about", "Results"}
    assert len(claim.fields["Claimed by"]) > 10
    assert not claim.text.endswith(".")
    assert set(claim.results) <= set(SWEEPS)
    also = claim.fields.get("Also about", claim.family).split(", ")
    assert set(also) <= {family.lower() for family in FAMILIES} | {claim.family}


@BY_NUMBER
def test_a_verdict_is_the_same_in_its_chapter_and_in_the_summary(claim):
    for part, text in zip(("body", "Summary"), parts(claims.ROOT / claim.chapter), strict=True):
        said = [verdict for number, verdict in stated(text) if number == claim.number]
        assert said, (
            f"the {part} of {claim.chapter} states no verdict on {claim.number} in bold, as in **holds in part**"
        )
        assert set(said) == {claim.verdict}, part


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_no_chapter_states_another_verdict(chapter):
    verdicts = {claim.number: claim.verdict for claim in CLAIMS}
    said = [pair for part in parts(chapter) for pair in stated(part)]
    assert [(number, verdict) for number, verdict in said if verdicts.get(number) != verdict] == []


def test_what_counts_as_a_stated_verdict():
    assert stated("So C1 **holds in part**, and C2 is **wrong**.") == [("C1", "holds in part"), ("C2", "wrong")]
    assert stated("C3: **Not here.** The") == [("C3", "not here")]
    assert stated("C4 is open.\n\nIt **holds**. C5 is not. C6 **holds only when**") == []
    assert stated("**C7: a claim.** It is **wrong**.") == []


ENTRY = """## Encoders

(c9)=
### C9. `[MASK]` and $w$

:Verdict: **Holds in part.** Because
  of this.
:Chapter: [Pretraining](4_bert/pretraining.ipynb#hide-a-word), and more
"""


@pytest.fixture
def page(tmp_path, monkeypatch):
    """Another page of claims, to be written."""
    monkeypatch.setattr(claims, "PAGE", tmp_path / "claims.md")
    return claims.PAGE


def test_reading_a_page(page):
    page.write_text("% ### C8. An example\n# Claims\n\n" + ENTRY, encoding="utf-8")
    (claim,) = claims.read()
    assert (claim.number, claim.text, claim.family) == ("C9", "[MASK] and w", "Encoders")
    assert (claim.verdict, claim.chapter, claim.results) == ("holds in part", "book/4_bert/pretraining.ipynb", ())
    assert claim.fields["Verdict"] == "**Holds in part.** Because of this."


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "**Holds in part.**",
            "**Holds only when.**",
            "C9: the field Verdict must begin with one of holds, holds in part",
        ),
        (":Verdict:", ":Result:", "C9: the field Verdict"),
        ("[Pretraining]", "Pretraining", "C9: the field Chapter must begin with a link"),
    ],
)
def test_an_entry_of_another_form_is_an_error(page, old, new, message):
    page.write_text(ENTRY.replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        claims.read()


def test_the_experiment_is_the_sweeps_or_the_chapter():
    assert claims.experiment("C11")[1:] == ["-m", "benchmarks.publish", "--again", "finetuning", "multiple-choice"]
    *start, chapter = claims.experiment("C10")
    assert start[1:3] == ["-m", "nbconvert"]
    assert chapter == "book/3_gpt/pretraining.ipynb"


def test_every_chapter_of_a_claim_is_there():
    assert {claim.chapter for claim in CLAIMS} <= {path.relative_to(claims.ROOT).as_posix() for path in CHAPTERS}
