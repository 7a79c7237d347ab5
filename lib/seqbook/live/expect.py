"""What do you expect? A question before a surprising result, and the reader's answer beside the outcome.

`book/_static/live/expect.js` makes the answers choices, and keeps the chosen one in the reader's browser alone. Without
JavaScript, the question and the outcome are plain text.
"""

from collections.abc import Sequence
from html import escape

from seqbook.live.figure import Html


def expect(name: str, question: str, answers: Sequence[str]) -> Html:
    """A question with a choice of answers. `name` connects it with its outcome.

    Raises:
        ValueError: fewer than two answers, or two that are equal.
    """
    if len(answers) < 2 or len(set(answers)) < len(answers):
        raise ValueError(f"answers={list(answers)}: give two or more, each one once")
    listed = "".join(f"<li>{escape(answer)}</li>" for answer in answers)
    return Html(f'<div class="live-expect" data-name="{escape(name)}"><p>{escape(question)}</p><ul>{listed}</ul></div>')


def outcome(name: str, result: str) -> Html:
    """The result, after what the reader expected in the question of this name."""
    return Html(
        f'<p class="live-expected" data-name="{escape(name)}"><span class="live-yours"></span>The result: {escape(result)}</p>'
    )
