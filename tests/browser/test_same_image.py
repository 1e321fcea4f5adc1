"""The same image again: its copies are answered alike, unless somebody unticks them, and taken back alike."""

from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine

from tests.browser.cases import BRIDGE, CASES, PORTRAIT
from tests.browser.judging import Chair, sit_down
from tests.browser.seeing import check_accessible, screenshot
from tests.browser.world import Seeded, seed
from worker.intake.storage import Storage
from worker.moderation.settings import Settings

AGAIN, ONCE_MORE = "portrait-again", "portrait-once-more"
PORTRAITS = tuple(replace(CASES[0], name=name) for name in (PORTRAIT, AGAIN, ONCE_MORE))


@pytest.fixture
def copied(site_settings: Settings, engine: Engine, storage: Storage) -> Seeded:
    """The portrait three times, and the bridge."""
    seeded = seed(site_settings, engine, storage, cases=(*PORTRAITS, *(case for case in CASES if case.name == BRIDGE)))
    seeded.offer(PORTRAIT, AGAIN, BRIDGE)
    return seeded


@pytest.fixture
def chair(reviewer: Page, copied: Seeded) -> Chair:
    chair = sit_down(reviewer)
    chair.sees(copied.task(PORTRAIT))
    expect(chair.task.get_by_role("checkbox", name=AGAIN)).to_be_checked()
    return chair


def test_copies_get_the_same_answer_and_are_not_offered_again(chair: Chair, copied: Seeded) -> None:
    expect(chair.task.get_by_role("checkbox", name=ONCE_MORE)).to_be_checked()
    chair.task.get_by_role("heading", name="The same image 2 more times").scroll_into_view_if_needed()
    check_accessible(chair.page)
    screenshot(chair.page, "same-image")
    chair.answer("r", "The letters melt.")
    expect(chair.notices).to_contain_text("2 more of the same image are answered alike")
    chair.sees(copied.task(BRIDGE))  # the second portrait was fetched ahead, and is gone from behind
    copied.take_effect()
    for case in (PORTRAIT, AGAIN, ONCE_MORE):
        decision = copied.decision(case)
        assert (decision.verdict, decision.action, decision.reason) == ("generated", "label", "The letters melt.")


def test_what_is_unticked_is_left(chair: Chair, copied: Seeded) -> None:
    chair.task.get_by_role("checkbox", name=AGAIN).uncheck()
    chair.answer("a")
    chair.sees(copied.task(AGAIN))
    expect(chair.notices).to_contain_text("1 more of the same image is answered alike")
    assert (len(copied.reviews(ONCE_MORE)), copied.reviews(AGAIN)) == (1, [])


def test_an_unsure_answer_is_the_image_s_own(chair: Chair, copied: Seeded) -> None:
    chair.answer("u")
    chair.sees(copied.task(AGAIN))
    assert copied.reviews(ONCE_MORE) == []


def test_undo_takes_all_of_it_back(chair: Chair, copied: Seeded) -> None:
    chair.answer("r")
    expect(chair.notices).to_contain_text("answered alike")
    chair.keys("z")
    chair.sees(copied.task(PORTRAIT))
    assert [copied.reviews(case) for case in (PORTRAIT, AGAIN, ONCE_MORE)] == [[], [], []]
