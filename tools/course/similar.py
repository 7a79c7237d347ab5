"""Pairs of submissions whose code is nearly the same: a hint for a person, and no verdict."""

import io
import keyword
import tokenize
from itertools import combinations

from rapidfuzz.distance import Indel

NEAR, SHORTEST = 0.95, 120  # share of equal tokens; tokens of code below which likeness says nothing
SKIPPED = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING)


def tokens(code: str) -> list[str]:
    """The code as tokens without comments and layout, with one name for all names: renaming changes nothing."""
    found = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            if token.type == tokenize.NAME and not keyword.iskeyword(token.string):
                found.append("name")
            elif token.type not in SKIPPED:
                found.append(token.string)
    except (tokenize.TokenError, SyntaxError):
        found += ["?"]
    return found


def pairs(codes: dict[str, str]) -> list[tuple[str, str, float]]:
    """The most alike pairs first. Equal code of all tasks together is rare by chance, that of one task is not."""
    texts = {student: tokens(code) for student, code in codes.items()}
    texts = {student: text for student, text in texts.items() if len(text) >= SHORTEST}
    found = []
    for one, other in combinations(sorted(texts), 2):
        share = Indel.normalized_similarity(texts[one], texts[other], score_cutoff=NEAR)
        if share >= NEAR:
            found.append((one, other, share))
    return sorted(found, key=lambda pair: (-pair[2], pair[:2]))
