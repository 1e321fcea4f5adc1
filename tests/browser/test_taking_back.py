"""Undo: for ten seconds nothing has happened yet."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.cases import BRIDGE, PORTRAIT
from tests.browser.judging import Chair, sit_down
from tests.browser.seeing import check_accessible, screenshot
from tests.browser.watching import Watch
from tests.browser.world import Seeded


@pytest.fixture
def chair(reviewer: Page, seeded: Seeded) -> Chair:
    """Somebody who has just judged the portrait, with a box, and sees the bridge."""
    seeded.offer(PORTRAIT, BRIDGE)
    chair = sit_down(reviewer)
    chair.sees(seeded.task(PORTRAIT))
    chair.keys("1", "x")
    chair.answer("r", "Too fast.")
    chair.sees(seeded.task(BRIDGE))
    expect(chair.notices).to_contain_text("takes effect in 10 seconds")
    return chair


def test_an_answer_comes_back_as_it_was_given_and_can_be_given_otherwise(chair: Chair, seeded: Seeded) -> None:
    check_accessible(chair.page)
    screenshot(chair.page, "undo")
    chair.keys("z")
    chair.sees(seeded.task(PORTRAIT))
    expect(chair.note).to_have_value("Too fast.")
    expect(chair.verdict("Reject")).to_be_checked()
    assert chair.judgements() == [{"kind": "reject", "position": 1}]
    assert seeded.reviews(PORTRAIT) == []
    chair.answer("a", "On second thoughts.")
    chair.sees(seeded.task(BRIDGE))
    expect(chair.notices).to_contain_text("real")
    seeded.take_effect()
    assert [(verdict, note) for _, verdict, note in seeded.reviews(PORTRAIT)] == [("real", "On second thoughts.")]
    decision = seeded.decision(PORTRAIT)
    assert (decision.verdict, decision.reason, decision.supersedes) == ("real", "On second thoughts.", None)


def test_nothing_is_decided_before_its_time(chair: Chair, seeded: Seeded) -> None:
    assert seeded.decision(PORTRAIT) is None
    seeded.take_effect()
    assert seeded.decision(PORTRAIT).verdict == "generated"


def test_the_button_undoes_too(chair: Chair, seeded: Seeded) -> None:
    chair.page.get_by_role("button", name="Undo").click()
    chair.sees(seeded.task(PORTRAIT))
    assert seeded.reviews(PORTRAIT) == []


def test_an_answer_that_took_effect_stands_and_the_page_says_so(chair: Chair, seeded: Seeded, watch: Watch) -> None:
    seeded.take_effect()
    watch.expect(409, "/v1/reviews/.*:undo")
    chair.keys("z")
    expect(chair.notices).to_contain_text("The answer stands")
    chair.sees(seeded.task(BRIDGE))
    assert len(seeded.reviews(PORTRAIT)) == 1


def test_undo_without_an_answer_says_what_it_is_for(reviewer: Page, seeded: Seeded) -> None:
    chair = sit_down(reviewer)
    chair.keys("z")
    expect(chair.notices).to_contain_text("There is nothing to undo")
