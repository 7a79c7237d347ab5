"""Pairs for next-sentence prediction, from texts in which each token says where it comes from."""

from collections import Counter

import pytest

from seqbook.objectives.sentence_pairs import IS_NEXT, RANDOM, draw_pairs

END = 0


def texts_of(n, *lengths):
    """`n` texts with sentences of these lengths, each of them with an END. No other token occurs twice."""
    found, token = [], 1
    for _ in range(n):
        found.append([])
        for length in lengths:
            found[-1] += [*range(token, token + length - 1), END]
            token += length - 1
    return found


def is_inside(part, text):
    return any(part == text[i : i + len(part)] for i in range(len(text)))


def test_a_part_of_a_text_and_the_rest_or_the_end_of_another_text():
    assert (IS_NEXT, RANDOM) == (0, 1)  # as in BERT
    texts, seen = texts_of(300, 3, 4, 5), Counter()
    starts = (0, 3, 7)
    for text, (a, b, label) in zip(texts, draw_pairs(texts, {END}, 99), strict=True):
        assert a == text[: len(a)]
        if label == IS_NEXT:
            assert a + b == text
        else:
            assert any(b == other[start:] for other in texts if other is not text for start in starts)
            seen["start", 12 - len(b)] += 1
        seen["cut", len(a)] += 1
        seen[label] += 1
    assert seen[IS_NEXT] == pytest.approx(150, abs=35)
    assert {len_a: seen["cut", len_a] for len_a in (3, 7)} == pytest.approx({3: 150, 7: 150}, abs=35)
    assert {start: seen["start", start] for start in starts} == pytest.approx(dict.fromkeys(starts, 50), abs=25)
    assert len(seen) == 2 + 2 + 3


def test_what_follows_a_single_sentence_is_from_elsewhere():
    texts = texts_of(40, 4)
    for text, (a, b, label) in zip(texts, draw_pairs(texts, {END}, 99), strict=True):
        assert (a, label) == (text, RANDOM)
        assert b in texts
        assert b != text


def test_the_last_sentence_needs_no_end():
    texts = [[1, END, 2], [3, END, 4]]
    for text, (a, b, label) in zip(texts, draw_pairs(texts, {END}, 9), strict=True):
        assert a == text[:2]
        assert (b == text[2:]) is (label == IS_NEXT)
        assert b in (*texts, [2], [4])


def test_the_longer_part_loses_tokens_at_both_ends():
    texts, sides = texts_of(60, 4, 20), Counter()
    for text, (a, b, label) in zip(texts, draw_pairs(texts, {END}, 12), strict=True):
        assert a == text[:4]
        assert len(b) == (8 if label == IS_NEXT or len(b) > 4 else 4)
        source = next(other for other in texts if is_inside(b, other))
        assert (source is text) is (label == IS_NEXT)
        if len(b) == 8:
            sides["front"] += b[0] not in (source[0], source[4])
            sides["end"] += b[-1] != END
    assert min(sides.values()) > 20


def test_of_equal_parts_the_second_one_loses_a_token():
    texts = texts_of(30, 4, 4)
    equal = [pair for pair in draw_pairs(texts, {END}, 7) if pair.label == IS_NEXT]
    assert len(equal) > 5
    assert {(len(a), len(b)) for a, b, _ in equal} == {(4, 3)}


def test_the_pairs_are_always_the_same():
    assert draw_pairs(texts_of(9, 3, 4), {END}, 5) == draw_pairs(texts_of(9, 3, 4), {END}, 5)


def test_one_text_has_no_other():
    with pytest.raises(ValueError, match="pairs=True needs at least two texts, here are 1: leave pairs out"):
        draw_pairs([[1, END]], {END}, 9)
    assert len(draw_pairs([[1, END], [2, END]], {END}, 9)) == 2
