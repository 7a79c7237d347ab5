"""A beam search as a tree: the sequences that are kept or dropped at each step, and the path of greedy decoding."""

from collections.abc import Mapping

from matplotlib.axes import Axes

from seqbook.viz.drawings.canvas import FAINT, INK, arrow, box, finish, line, sheet, signed, text_width, words

Beginning = tuple[str, ...]


def beam_tree(steps: Mapping[Beginning, float], beams: int, *, end: str = "<eos>") -> Axes:
    """The tree of the given sequences from left to right. Each box shows a token and the log-probability up to it.

    steps: {(tokens of a sequence): log P of its last token given the tokens before it}, in nats. A sequence is complete
    if its last token is `end` or if nothing continues it. Sequences that are kept are blue, dropped ones are grey and
    dashed, greedy decoding is the thick orange line, and the result of the beam search is bold. Log-probabilities are
    summed without a length penalty.

    Raises:
        ValueError: nothing to draw, a sequence whose beginning is missing, or beams below 1.
    """
    if beams < 1 or not steps:
        raise ValueError(f"{len(steps)} beginnings and {beams} beams: give at least one of each")
    for tokens in steps:
        if len(tokens) > 1 and tokens[:-1] not in steps:
            raise ValueError(f"steps has {' '.join(tokens)!r}, but not {' '.join(tokens[:-1])!r}")
    kept, best = search(steps, beams, end)
    greedy, _ = search(steps, 1, end)
    rows = _rows(steps)
    depth = max(map(len, steps))
    widths = [max(0.42, *(text_width(t[-1]) + 0.14 for t in steps if len(t) == d)) for d in range(1, depth + 1)]
    gap = 0.72
    x = [0.1 + sum(widths[:d]) + gap * (d + 1) + widths[d] / 2 for d in range(depth)]
    ax = sheet(x[-1] + widths[-1] / 2 + 0.1)
    row = 0.56

    def at(tokens: Beginning) -> tuple[float, float]:
        return (x[len(tokens) - 1] if tokens else 0.1, 0.3 + row * rows[tokens])

    for tokens, log_p in steps.items():
        before = tokens[:-1]
        (x0, y0), (x1, y1) = at(before), at(tokens)
        start = x0 + (widths[len(before) - 1] / 2 if before else 0.06)
        stop = x1 - widths[len(tokens) - 1] / 2
        is_kept, by_greedy = tokens in kept, tokens in greedy
        look = {"color": "C0"} if is_kept else {"color": FAINT, "linestyle": (0, (3, 2))}
        if by_greedy:
            look |= {"color": "C1", "linewidth": 2.6, "linestyle": "-"}
        arrow(ax, (start, y0), (stop, y1), **look)
        # the number stands beside the arrow: above if it points up or straight on, below if it points down
        slope, below = (y1 - y0) / (stop - start), y1 > y0 + 0.01
        x2 = start + (0.6 if slope else 0.5) * (stop - start) - 0.05
        y2 = y0 + slope * (x2 - start) + (0.12 + 0.22 * abs(slope)) * (1 if below else -1)
        plate = {"facecolor": "white", "edgecolor": "none", "pad": 0.2}
        words(ax, x2, y2, signed(log_p), 8.5, bbox=plate, color=INK if is_kept or by_greedy else FAINT)
        edge = {} if is_kept else {"edgecolor": FAINT, "linestyle": (0, (3, 2))}
        if tokens == best:
            edge |= {"linewidth": 2.4}
        kind = "state" if is_kept else "token"
        box(ax, x1, y1, tokens[-1], kind, width=widths[len(tokens) - 1], color=INK if is_kept else FAINT, **edge)
        total = sum(steps[tokens[: n + 1]] for n in range(len(tokens)))
        style = {"weight": "bold", "family": "DejaVu Sans"} if tokens == best else {}
        words(ax, x1, y1 + 0.23, signed(total), 9, color=INK if is_kept else FAINT, **style)
    ax.plot(*at(()), "o", color=INK, markersize=6)
    foot = 0.3 + row * max(rows.values()) + 0.55
    _legend(ax, foot, f"kept by {beams} beam{'s' * (beams > 1)}", dropped=kept < steps.keys())
    return finish(ax, foot + 0.2)


def _legend(ax: Axes, y: float, kept: str, *, dropped: bool) -> None:
    x = 0.1
    looks = {kept: {"color": "C0"}}
    if dropped:
        looks["dropped"] = {"color": FAINT, "linestyle": (0, (3, 2))}
    for name, look in (looks | {"greedy": {"color": "C1", "linewidth": 2.6}}).items():
        line(ax, (x, y), (x + 0.3, y), **look)
        words(ax, x + 0.36, y, name, 9, ha="left")
        x += 0.55 + text_width(name, 9)


def search(steps: Mapping[Beginning, float], beams: int, end: str = "<eos>") -> tuple[set[Beginning], Beginning]:
    """All sequences that a beam of this width keeps at some step, and the complete one that it returns."""
    totals: dict[Beginning, float] = {(): 0.0}
    live, complete, kept = [()], [], set()
    while live:
        candidates = [tokens for tokens in steps if tokens[:-1] in live and len(tokens) == len(live[0]) + 1]
        for tokens in candidates:
            totals[tokens] = totals[tokens[:-1]] + steps[tokens]
        best = sorted(candidates, key=lambda tokens: -totals[tokens])[:beams]
        kept |= set(best)
        going_on = {tokens[:-1] for tokens in steps}
        complete += [tokens for tokens in best if tokens[-1] == end or tokens not in going_on]
        live = [tokens for tokens in best if tokens[-1] != end and tokens in going_on]
    return kept, max(complete, key=totals.__getitem__)


def _rows(steps: Mapping[Beginning, float]) -> dict[Beginning, float]:
    """One row per leaf; every other sequence is placed in the middle of its children."""
    children: dict[Beginning, list[Beginning]] = {}
    for tokens in sorted(steps, key=len):
        children.setdefault(tokens[:-1], []).append(tokens)
    rows: dict[Beginning, float] = {}
    leaves = 0

    def place(tokens: Beginning) -> float:
        nonlocal leaves
        below = sorted(children.get(tokens, []), key=lambda child: -steps[child])
        if below:
            found = [place(child) for child in below]
            rows[tokens] = (found[0] + found[-1]) / 2
        else:
            rows[tokens] = float(leaves)
            leaves += 1
        return rows[tokens]

    place(())
    return rows
