import io
from typing import Any
from uuid import UUID

import pytest
from rich.console import Console

from tests.unit.exports.builders import failed, judged, pending
from worker.cli.endings import ExitCode
from worker.cli.pictures import picture_name
from worker.cli.summaries import ending_of, in_words, summary
from worker.cli.tables import print_results
from worker.moderation.release import HONESTY, Training
from worker.store.models.intake import BatchState
from worker.store.progress import BatchProgress, Judges
from worker.store.results import ItemResult


def table(*results: ItemResult, width: int = 160) -> str:
    out = io.StringIO()
    assert print_results(results, Console(file=out, width=width)) == len(results)
    return out.getvalue()


def standing(**changes: Any) -> BatchProgress:
    facts: dict[str, Any] = {
        "batch_id": UUID(int=7),
        "state": BatchState.FINISHED,
        "pause_reason": None,
        "revision": 1,
        "accepted": 12,
        "rejected": 0,
        "scope": 12,
        "verdicts": 12,
        "flagged": 0,
        "unreadable": 0,
        "failed": 0,
        "cancelled": 0,
        "pending": 0,
        "judges": Judges(cached_prompt_share=0.5, cached_attainable_share=0.97, releases=(("nano-0123456789ab", Training.UNTRAINED),)),
    }
    return BatchProgress(**facts | changes)


def test_the_table_says_how_far_its_model_can_be_trusted() -> None:
    shown = table(judged(), failed(), pending())
    assert HONESTY[Training.UNTRAINED] in shown
    for words in ("cat.jpg", "generated", "0.75", "10,20–110,70", "six fingers", "image_corrupt", "pending"):
        assert words in shown


def test_without_verdicts_nothing_is_said_of_a_model() -> None:
    assert "model" not in table(failed(), pending())


def test_untrusted_text_is_neither_markup_nor_terminal_code() -> None:
    shown = table(judged(custom_id="[red]a[/red]\x1b[2J.jpg", explanation="[link=http://evil.example]x[/link] \x9b31m :smile:"))
    assert "[red]a[/red]" in shown
    assert "[link=http://evil.example]" in shown
    assert ":smile:" in shown
    assert not {"\x1b", "\x9b"} & set(shown)


def test_a_long_explanation_is_cut_in_the_table() -> None:
    assert "…" in table(judged(explanation="word " * 200))


def test_the_summary_has_the_names_that_machines_rely_on() -> None:
    found = summary(standing())
    assert {name: found[name] for name in ("batch", "verdict", "unreadable", "failed", "cancelled", "accepted", "rejected")} == {
        "batch": str(UUID(int=7)),
        "verdict": 12,
        "unreadable": 0,
        "failed": 0,
        "cancelled": 0,
        "accepted": 12,
        "rejected": 0,
    }
    assert (found["cached_prompt_share"], found["cached_attainable_share"]) == (0.5, 0.97)
    assert (found["release"], found["training"], found["state"]) == ("nano-0123456789ab", "untrained", "finished")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, ExitCode.DONE),
        ({"failed": 1}, ExitCode.ITEMS_FAILED),
        ({"unreadable": 1}, ExitCode.ITEMS_FAILED),
        ({"rejected": 1}, ExitCode.ITEMS_FAILED),
        ({"state": BatchState.REJECTED}, ExitCode.ITEMS_FAILED),
        ({"state": BatchState.CANCELLED}, ExitCode.ITEMS_FAILED),
        ({"state": BatchState.PAUSED}, ExitCode.UNAVAILABLE),
    ],
)
def test_the_exit_code_tells_a_clean_batch_from_others(changes: dict[str, Any], code: ExitCode) -> None:
    assert ending_of(standing(**changes)) is code


def test_words_leave_out_what_is_nothing() -> None:
    assert in_words(standing(flagged=2, failed=1, rejected=3)) == "12 verdicts (2 flagged), 1 failed, 3 rows rejected"


@pytest.mark.parametrize("custom_id", ["../../etc/passwd", "/abs/x.jpg", "a\x00b\n.jpg", "x" * 500, "", "..", "line:3", "写真/猫.jpg"])
def test_a_picture_stays_in_its_folder_whatever_the_item_is_called(custom_id: str) -> None:
    name = picture_name(judged(custom_id=custom_id, ordinal=41))
    assert "/" not in name
    assert "\x00" not in name
    assert len(name.encode()) < 255
    assert name.startswith("0041-")
    assert name.endswith(".jpg")
