"""GLM's rows: a text with blanks, and then what fills them {cite}`du2022glm`.

    text              x0 x1 x2 x3 x4 x5        the spans x2 and x4 x5 are blanks, and x4 x5 comes first
    row               x0 x1 M  x3 M  │ S  x4 x5 S  x2         part A, in which M is [MASK], and part B, in which S is [sop]
    position           0  1  2  3  4 │ 4  4  4  2  2          in part B that of the blank
    block position     0  0  0  0  0 │ 1  2  3  1  2          how far into its span
    label                            │ x4 x5 E  x2 E          E is [eop]

Part A is the prefix: its tokens attend to each other, and never to part B. The tokens of part B attend to part A and to
everything before them. So `[MASK]` does not tell how long a blank is: a span ends where `[eop]` is predicted. The loss is
on all of part B. Built in chapter 6.2.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from seqbook.objectives.batch import IGNORED
from seqbook.objectives.drawing import Span
from seqbook.objectives.rows import Row


def positions(length: int, spans: Sequence[Span]) -> list[int]:
    """The position of each token of a text with these blanks: all tokens of a blank have the same one."""
    repeats = {i for start, stop in spans for i in range(start + 1, stop)}
    found = []
    for i in range(length):
        found.append(found[-1] + (i not in repeats) if found else 0)
    return found


def blank_out(
    text: list[int], spans: Sequence[Span], order: Sequence[int], mask: int, begin: int, end: int | None
) -> Row:
    """Part A and part B of a text. spans: the blanks in the order of the text; order: in which they follow in part B.

    end: the token that ends each span (None: a single blank at the end of the text, which ends with the text itself).

    Raises:
        ValueError: blanks that overlap, are empty or not in the text; an order that is not one of all blanks.
    """
    if not spans or any(not 0 <= a < b <= len(text) for a, b in spans) or sorted(order) != list(range(len(spans))):
        raise ValueError(f"the blanks {list(spans)} in the order {list(order)} do not fit a text of {len(text)} tokens")
    if any(b > c for (_, b), (c, _) in pairwise(spans)):
        raise ValueError(f"the blanks {list(spans)} overlap or are not in the order of the text")
    if end is None and (len(spans) != 1 or spans[0][1] != len(text)):
        raise ValueError(f"the blanks {list(spans)} need an end: only one blank at the end of the text has none")
    place, starts = positions(len(text), spans), {start for start, _ in spans}
    hidden = {i for start, stop in spans for i in range(start, stop)}

    # part A: what is left, and a mask at the start of each span
    kept = [i for i in range(len(text)) if i not in hidden or i in starts]
    ids, position_ids = [mask if i in starts else text[i] for i in kept], [place[i] for i in kept]
    labels, blocks, n_prefix = [IGNORED] * len(kept), [0] * len(kept), len(kept)

    # part B: each span is read after `begin`, and predicted one token ahead
    for start, stop in (spans[i] for i in order):
        span = text[start:stop]
        target = span if end is None else [*span, end]
        ids += [begin, *target[:-1]]
        labels += target
        position_ids += [place[start]] * len(target)
        blocks += range(1, len(target) + 1)
    return Row(ids, labels, n_prefix, position_ids, blocks)


def put(part_a: Sequence[int], answers: Mapping[int, list[int]], masks: frozenset[int]) -> list[int]:
    """Part A with the answer for each of its masks, by position.

    Raises:
        ValueError: a mask without an answer, or an answer without a mask; names its position.
    """
    blanks = [i for i, token in enumerate(part_a) if token in masks]
    for position in sorted(set(blanks) ^ set(answers)):
        what = "has no answer" if position in blanks else "is not a blank, but there is an answer for it"
        raise ValueError(f"position {position} of part A {what}")
    return [i for position, token in enumerate(part_a) for i in answers.get(position, [token])]
