import json

import pytest

from tests.unit.lab.annotating import HAND, SIGN, said
from worker.lab.annotation.clues import MOST_CLUES, Clue, ReplyKind, read_explanation
from worker.moderation.artefacts import Artefact


def test_clues_are_read_from_what_was_asked_for_and_from_a_fence() -> None:
    for text in (said(HAND, SIGN), f"Here you are:\n```json\n{said(HAND, SIGN)}\n```"):
        read = read_explanation(text, "stop")
        assert (read.kind, read.clues, read.text) == (ReplyKind.READ, (HAND, SIGN), "So it is.")


@pytest.mark.parametrize(
    ("text", "refusal", "kind"),
    [
        ("I'm sorry, but I can't help with identifying people.", None, ReplyKind.REFUSED),
        ("I cannot assist with this request.", None, ReplyKind.REFUSED),
        ("", "This picture shows a person.", ReplyKind.REFUSED),
        ("The hand has six fingers, and the sign is unreadable.", None, ReplyKind.PROSE),
        ("", None, ReplyKind.PROSE),
        ('["hand"]', None, ReplyKind.PROSE),
        ('{"clues": "many"}', None, ReplyKind.PROSE),
        ('{"explanation": "Nothing.", "clues": []}', None, ReplyKind.NO_CLUES),
        ('{"clues": [{"where": "hand"}, 7]}', None, ReplyKind.NO_CLUES),
        ("{" * 5000, None, ReplyKind.PROSE),
    ],
)
def test_what_is_no_explanation_is_a_kind_of_its_own(text: str, refusal: str | None, kind: ReplyKind) -> None:
    read = read_explanation(text, "stop", refusal)
    assert (read.kind, read.clues) == (kind, ())


def test_whole_clues_of_a_reply_that_was_cut_off_stand() -> None:
    whole = said(HAND, SIGN)
    assert read_explanation(whole[: whole.index("melt")], "length").clues == (HAND,)
    torso = read_explanation(whole[: whole.index("six")], "length")
    assert (torso.kind, torso.clues) == (ReplyKind.CUT_OFF, ())


def test_clues_are_bounded_cleaned_and_told_once() -> None:
    many = [Clue(where=f"place {number}", what="odd") for number in range(MOST_CLUES + 5)]
    assert len(read_explanation(said(*many), "stop").clues) == MOST_CLUES
    read = read_explanation(json.dumps({"clues": [{"where": "a\u202eb", "what": "x\x1b[31m" + "y" * 999}] * 2}), "stop")
    (clue,) = read.clues
    assert clue.where == "ab"
    assert "\x1b" not in clue.what
    assert len(clue.what) <= 200


def test_a_clue_knows_what_it_is_about() -> None:
    assert [clue.artefact for clue in (HAND, SIGN)] == [Artefact.HAND, Artefact.TEXT]
