"""The claims that the course tests, read from the page that lists them, `book/claims.md`."""

import re
import sys
from dataclasses import dataclass

from seqbook.runs.published import PACKAGE

ROOT = PACKAGE.parents[1]  # of the repository
PAGE = ROOT / "book" / "claims.md"
VERDICTS = ("holds", "holds in part", "not here", "wrong")
ELSEWHERE = "it is part of the repository: clone it, and call the command from there"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One claim of the page.

    Args:
        number: for example "C11".
        text: the claim itself.
        family: the section of the page, for example "Causal decoders".
        verdict: one of `VERDICTS`.
        chapter: the chapter that tests it, for example "book/3_gpt/finetuning.ipynb".
        results: the published sweeps behind it; none if the chapter does the whole experiment.
        fields: all that the page says about the claim, by the name of the field.
    """

    number: str
    text: str
    family: str
    verdict: str
    chapter: str
    results: tuple[str, ...]
    fields: dict[str, str]


def read() -> list[Claim]:
    """The claims of the page, in its order.

    Raises:
        FileNotFoundError: there is no page, because the package was installed without the repository.
        ValueError: a claim has no verdict or no chapter.
    """
    if not PAGE.is_file():
        raise FileNotFoundError(f"there is no page {PAGE}: {ELSEWHERE}")
    claims, family = [], ""
    for part in re.split(r"^(?=##)", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE):
        if section := re.match(r"## (.+)", part):
            family = section[1]
        elif title := re.match(r"### (C\d+)\. (.+)", part):
            claims.append(_claim(title[1], title[2], family, part))
    return claims


def _claim(number: str, text: str, family: str, part: str) -> Claim:
    found = re.findall(r"^:([A-Z][a-z ]+): (.+(?:\n +.+)*)", part, re.MULTILINE)
    fields = {name: " ".join(value.split()) for name, value in found}
    verdict = re.match(r"\*\*(.+?)\.\*\*", fields.get("Verdict", ""))
    if not verdict or verdict[1].lower() not in VERDICTS:
        raise ValueError(f"{number}: the field Verdict must begin with one of {', '.join(VERDICTS)}, as in **Holds.**")
    chapter = re.match(r"\[.+?\]\(([^#)]+?)(\.ipynb)?(#.+?)?\)", fields.get("Chapter", ""))
    if not chapter:
        raise ValueError(
            f"{number}: the field Chapter must begin with a link, as in [Attention](2_transformer/attention)"
        )
    return Claim(
        number=number,
        text=re.sub(r"[$`{}]", "", text).replace("\\alpha_ij", "α_ij"),
        family=family,
        verdict=verdict[1].lower(),
        chapter=f"book/{chapter[1]}.ipynb",
        results=tuple(re.findall(r"`(.+?)`", fields.get("Results", ""))),
        fields=fields,
    )


def table(claims: list[Claim]) -> str:
    """The claims as text, by family: number, verdict, chapter and claim."""
    lines, family = [], None
    for claim in claims:
        if claim.family != family:
            family = claim.family
            lines += ["", family]
        lines.append(f"{claim.number:4} {claim.verdict:13}  {claim.chapter:38} {claim.text}")
    return "\n".join(lines[1:])


def experiment(number: str) -> list[str]:
    """The command that does the experiment of a claim anew, to be called in the repository.

    It makes the claim's published results once more, in benchmarks/results, or runs its chapter into _build/claims.

    Raises:
        FileNotFoundError: the package was installed without the repository.
        ValueError: the page has no claim of this number.
    """
    claims = {claim.number: claim for claim in read()}
    if number not in claims:
        raise ValueError(f"unknown claim {number!r}: choose one of {', '.join(claims)}")
    claim = claims[number]
    if claim.results:
        return [sys.executable, "-m", "benchmarks.publish", "--again", *claim.results]
    return [sys.executable, *"-m nbconvert --to notebook --execute --output-dir _build/claims".split(), claim.chapter]
