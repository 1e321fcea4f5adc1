"""Excerpts with marked places."""

import pytest

from worker.moderation.headlines import CLOSE, OPEN, Headline, headline
from worker.moderation.text import clean


def marked(text: str) -> str:
    return text.replace("[", OPEN).replace("]", CLOSE)


def test_matches_are_places_in_the_text_that_is_shown() -> None:
    found = headline(marked("a  [hand]\nwith \u202esix [fingers]"), 100)
    assert found.text == "a hand with six fingers"
    assert [found.text[start:end] for start, end in found.matches] == ["hand", "fingers"]
    assert found.pieces() == [("a ", False), ("hand", True), (" with six ", False), ("fingers", True)]


@pytest.mark.parametrize("text", ["", "  a\t\tb \x00\x1b[2J\u200b ", "é" * 50, "word " * 100])
def test_a_text_without_matches_is_cleaned_like_any_other(text: str) -> None:
    assert headline(text, 10_000) == Headline(clean(text))


def test_what_is_cut_off_is_not_marked() -> None:
    assert headline(marked("0123 [5678] [abc] and [more]"), 8) == Headline("…5678 a…", ((1, 5), (6, 7)))
    assert headline(marked("[0123]"), 5) == Headline("0123", ((0, 4),))


@pytest.mark.parametrize("limit", [10, 40, 41, 100, 2_000])
def test_a_long_text_is_shown_from_a_word_before_its_first_match(limit: int) -> None:
    found = headline(marked("word " * 200 + "[hand] " + "word " * 200), limit)
    assert len(found.text) <= limit
    ((start, end),) = found.matches
    assert found.text[start:end].rstrip("…") == "hand"
    assert found.text.lstrip("…").startswith(("word", "hand"))
    assert found.text.endswith("…") is (limit < 2_000)


@pytest.mark.parametrize("text", ["]a[", "[[a]]", "[]a", "[\x00]a"])
def test_marks_that_do_not_close_mark_nothing_outside_the_text(text: str) -> None:
    found = headline(marked(text), 100)
    assert found.text == "a"
    assert all(0 <= start < end <= 1 for start, end in found.matches)
    assert "".join(piece for piece, _ in found.pieces()) == "a"
