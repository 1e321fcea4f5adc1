"""Appeals: a decision, or one box of it, is looked at again by somebody who had no part in it."""

from playwright.sync_api import Page, expect

from tests.browser.cases import CONTESTED, FLOWER
from tests.browser.judging import sit_down
from tests.browser.seeing import check_accessible, screenshot
from tests.browser.world import STATEMENT, Seeded


def test_an_appeal_is_shown_with_what_was_decided_and_the_contested_box(reviewer: Page, seeded: Seeded) -> None:
    chair = sit_down(reviewer, "appeals")
    chair.sees(seeded.task(CONTESTED))
    appeal = chair.task.get_by_role("region", name="The appeal")
    expect(appeal).to_contain_text("What is contested: box 1")
    expect(appeal).to_contain_text(STATEMENT)
    expect(chair.task.get_by_role("region", name="Decided before")).to_contain_text("The arch is bent.")
    expect(chair.box(1)).to_have_attribute("aria-pressed", "true")
    check_accessible(reviewer)
    screenshot(reviewer, "appeal")


def test_an_appeal_is_answered_by_somebody_else(reviewer: Page, colleague: Page, seeded: Seeded, actors: dict[str, str]) -> None:
    seeded.offer(FLOWER)
    chair = sit_down(reviewer)
    chair.answer("r", "The seeds melt.")
    expect(chair.notices).to_contain_text("generated")
    seeded.take_effect()
    contested = seeded.decision(FLOWER)
    appeal = seeded.contest(FLOWER)
    seeded.offer(FLOWER)
    chair = sit_down(reviewer, "appeals")
    chair.sees(seeded.task(CONTESTED))
    other = sit_down(colleague, "appeals")
    other.sees(seeded.task(FLOWER))
    expect(other.task.get_by_role("region", name="Decided before")).to_contain_text("The seeds melt.")
    other.keys("x")
    other.answer("a", "Seeds do melt in this light.")
    expect(other.notices).to_contain_text("real")
    seeded.take_effect()
    decision = seeded.decision(FLOWER)
    assert (decision.verdict, decision.basis, decision.decided_by) == ("real", "appeal", actors["colleague"])
    assert decision.supersedes == contested.id
    assert seeded.world.value("SELECT state FROM appeals WHERE id = :id", id=appeal) == "reversed"
    assert seeded.judgements(FLOWER) == [("reject", 1, None)]
