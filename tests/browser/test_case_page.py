"""The page of one image in Chromium: boxes and words that point at one another, appeals, a lead's decision, a statement that is signed."""

import re
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine

from tests.browser.cases import BROKEN, CONTESTED, FLOWER, GONE, HOSTILE_TEXT, PORTRAIT
from tests.browser.people import House
from tests.browser.seeing import check_accessible, screenshot
from tests.browser.watching import Watch
from tests.browser.world import STATEMENT, TENANT, Seeded
from worker.moderation.outcomes import Verdict
from worker.moderation.policy import Action
from worker.store.overrides import Override, override
from worker.store.session import transaction

FILLED = {
    "decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT",
    "category": "STATEMENT_CATEGORY_OTHER_VIOLATION_TC",
    "source_type": "SOURCE_VOLUNTARY",
}


def decided(engine: Engine, seeded: Seeded, case: str) -> UUID:
    """Labelled, by somebody who is not here today."""
    with transaction(engine) as session:
        wanted = Override(verdict=Verdict.GENERATED, action=Action.LABEL, reason="The seeds melt.", supersedes=None)
        return override(session, TENANT, (seeded.batch_id, seeded.ordinal(case)), wanted, lead="person:earlier")


def opened(page: Page, seeded: Seeded, case: str) -> Page:
    page.goto(f"/review/items/{seeded.item(case)}")
    expect(page.get_by_role("heading", level=1)).to_have_text(case)
    return page


def drawn(page: Page) -> Any:
    """Waits until the picture is there."""
    page.evaluate("customElements.whenDefined('zoom-image').then(() => document.querySelector('zoom-image')?.ready)")
    return page.locator("zoom-image")


def test_sentences_crops_and_boxes_point_at_one_another(viewer: Page, seeded: Seeded) -> None:
    page = opened(viewer, seeded, PORTRAIT)
    picture = drawn(page)
    sentence = page.locator(".cites", has_text="stripes of the flag run into")
    sentence.hover()
    expect(picture.locator(".viewer-box.highlighted")).to_have_attribute("data-key", "3")
    expect(page.locator("li.region.lit")).to_have_attribute("data-position", "3")
    page.get_by_role("button", name="Look closely at box 2").click()
    expect(picture.locator(".viewer-box[aria-pressed=true]")).to_have_attribute("data-key", "2")
    expect(page.locator("li.region.selected")).to_have_attribute("data-position", "2")
    expect(page.get_by_text("Trained for this task")).to_be_visible()
    check_accessible(page)
    page.evaluate("localStorage.setItem('review preferences', JSON.stringify({ blur: true }))")
    page.reload()
    expect(page.locator("zoom-image[blur]")).to_be_visible()


def test_an_appeal_against_one_box_is_opened_and_shown_with_what_was_decided_on(lead: Page, seeded: Seeded, engine: Engine) -> None:
    decided(engine, seeded, FLOWER)
    page = opened(lead, seeded, FLOWER)
    page.get_by_role("button", name="Appeal").click()
    dialog = page.get_by_role("dialog", name="Appeal in the platform's name")
    dialog.get_by_role("button", name="Open the appeal").click()
    expect(dialog.get_by_role("alert")).to_have_text("Please fill this in.")
    dialog.get_by_label("What is contested").select_option(label="Box 1: seeds melt into each other")
    dialog.get_by_label("What the appellant says").fill("These are real seeds.")
    check_accessible(page)
    dialog.get_by_role("button", name="Open the appeal").click()
    appeal = page.get_by_role("region", name=re.compile("Appeal against box 1"))
    expect(appeal).to_contain_text("These are real seeds.")
    expect(appeal.get_by_alt_text("Crop of box 1, as the model saw it")).to_be_visible()
    expect(appeal).to_contain_text("somebody who had no part in the decision is asked")
    expect(page.get_by_role("button", name="Appeal")).to_have_count(0)
    page.goto("/review/appeals")
    expect(page.get_by_text("These are real seeds.")).to_be_visible()
    check_accessible(page)
    page.get_by_role("row", name=re.compile("These are real seeds")).get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(FLOWER)


def test_a_statement_is_drafted_filled_in_signed_and_taken_back(lead: Page, seeded: Seeded, engine: Engine) -> None:
    decided(engine, seeded, FLOWER)
    page = opened(lead, seeded, FLOWER)
    page.get_by_role("button", name="Draft a statement of reasons").click()
    statement = page.get_by_role("region", name=re.compile("Statement of reasons draft"))
    expect(statement.get_by_role("alert")).to_contain_text("rules of the transparency database are not met")
    expect(statement.get_by_role("button", name="Sign")).to_be_disabled()
    drawn(page)
    fact = statement.get_by_role("listitem").filter(has_text="Region 1 (210, 104, 357, 235)")
    fact.hover()
    expect(page.locator(".viewer-box.highlighted")).to_have_attribute("data-key", "1")
    check_accessible(page)
    for name, value in FILLED.items():
        statement.locator(f"[name={name}]").select_option(value)
    statement.get_by_label("Clause of the terms").fill("Terms, 4.2")
    statement.get_by_label("Why it breaks them").fill("Write to me at someone@example.org")
    statement.get_by_label("Posted on").fill("2026-11-20")
    statement.get_by_label("DE", exact=True).check()
    statement.get_by_role("button", name="Save and check").click()
    wrong = statement.locator("[data-name=incompatible_content_explanation]")
    expect(wrong.locator("[data-problem]")).to_have_text("It seems to have an e-mail address in it. Statements are published.")
    wrong.get_by_role("textbox").fill("Generated images carry a label.")
    expect(statement.get_by_role("button", name="Sign")).to_be_disabled()
    statement.get_by_role("button", name="Save and check").click()
    expect(statement.get_by_role("alert")).to_be_hidden()
    statement.get_by_role("button", name="Sign").click()
    dialog = page.get_by_role("dialog", name="Sign the statement of reasons")
    expect(dialog).to_contain_text("You, Lena Lead, answer for it.")
    dialog.get_by_role("button", name="Sign").click()
    held = page.get_by_role("region", name=re.compile("Statement of reasons held"))
    expect(held).to_contain_text("It can be taken back until")
    expect(held).to_contain_text("earlier ones were taken back")
    page.goto("/review/statements?state=held")
    check_accessible(page)
    page.get_by_role("link", name=re.compile("See it")).first.click()
    held.get_by_role("button", name="Take it back").click()
    expect(page.get_by_role("region", name=re.compile("Statement of reasons withdrawn"))).to_be_visible()
    expect(page.get_by_role("button", name="Draft a statement of reasons")).to_be_visible()


def test_what_was_typed_in_a_draft_outlives_a_save_that_failed(lead: Page, seeded: Seeded, engine: Engine, watch: Watch) -> None:
    decided(engine, seeded, FLOWER)
    page = opened(lead, seeded, FLOWER)
    page.get_by_role("button", name="Draft a statement of reasons").click()
    statement = page.get_by_role("region", name=re.compile("Statement of reasons draft"))
    statement.get_by_label("DE", exact=True).check()
    statement.locator("[name=decision_ground]").select_option(FILLED["decision_ground"])
    statement.get_by_label("Clause of the terms").fill("Terms, 4.2")
    watch.expect(503, "/v1/statements-of-reasons")
    page.route("**/v1/statements-of-reasons", lambda route: route.fulfill(status=503, json={"detail": "Not now."}))
    statement.get_by_role("button", name="Save and check").click()
    expect(statement.get_by_role("alert").first).to_contain_text("Not now.")
    page.unroute("**/v1/statements-of-reasons")
    page.reload()
    expect(page.get_by_text("What you last wrote in the statement of reasons was not saved.")).to_be_visible()
    page.get_by_role("button", name="Draft a statement of reasons").click()
    expect(statement.get_by_label("Clause of the terms")).to_have_value("Terms, 4.2")


def test_a_lead_decides_and_the_new_decision_replaces_the_old_one(lead: Page, seeded: Seeded, engine: Engine, watch: Watch) -> None:
    decided(engine, seeded, FLOWER)
    page = opened(lead, seeded, FLOWER)
    page.get_by_role("button", name="Decide as a lead").click()
    dialog = page.get_by_role("dialog", name="Decide as a lead")
    dialog.get_by_label("Verdict").select_option("real")
    dialog.get_by_label("Action").select_option("none")
    dialog.get_by_label("Reason").fill("A dandelion, as they are.")
    dialog.get_by_role("button", name="Decide").click()
    expect(page.get_by_role("region", name="What stands")).to_contain_text("Real; leave it as it is.")
    expect(page.get_by_role("region", name="What happened")).to_contain_text("It replaces an earlier one.")


def test_a_decision_that_another_replaced_meanwhile_is_refused_and_the_words_stay(
    lead: Page, seeded: Seeded, engine: Engine, watch: Watch
) -> None:
    page = opened(lead, seeded, FLOWER)
    page.get_by_role("button", name="Decide as a lead").click()
    decided(engine, seeded, FLOWER)
    watch.expect(409, "/decisions$")
    dialog = page.get_by_role("dialog", name="Decide as a lead")
    dialog.get_by_label("Reason").fill("A dandelion, as they are.")
    dialog.get_by_role("button", name="Decide").click()
    expect(dialog.get_by_role("alert")).to_contain_text("You saw no decision")
    expect(dialog.get_by_label("Reason")).to_have_value("A dandelion, as they are.")


def test_hostile_words_do_nothing_and_an_image_that_is_gone_says_so(viewer: Page, seeded: Seeded, watch: Watch) -> None:
    page = opened(viewer, seeded, HOSTILE_TEXT)
    drawn(page)
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    check_accessible(page)
    page.get_by_role("link", name="Trace: what was sent to the model, and what came back").click()
    expect(page.get_by_role("heading", name="Trace of revision 1")).to_be_visible()
    assert page.evaluate("window.hacked") is None
    check_accessible(page)
    watch.expect(404, "/image")
    page = opened(page, seeded, GONE)
    expect(page.locator(".viewer-missing")).to_be_visible()
    opened(page, seeded, BROKEN)
    expect(page.get_by_text("The image could not be judged: The image is damaged.")).to_be_visible()


def test_an_auditor_reads_the_trail_and_a_reviewer_may_only_look(auditor: Page, reviewer: Page, seeded: Seeded) -> None:
    page = opened(auditor, seeded, CONTESTED)
    expect(page.get_by_text(STATEMENT)).to_be_visible()
    page.get_by_role("link", name="Audit trail: who did what with this image").click()
    expect(page.get_by_text("appeal.opened")).to_be_visible()
    check_accessible(page)
    opened(reviewer, seeded, CONTESTED)
    for name in ("Appeal", "Decide as a lead", "Draft a statement of reasons", "Judge again"):
        expect(reviewer.get_by_role("button", name=name)).to_have_count(0)


@pytest.mark.parametrize(("name", "scheme", "width"), [("case", "light", 1280), ("case-tablet-dark", "dark", 768)])
def test_pictures_of_the_page(house: House, seeded: Seeded, engine: Engine, name: str, scheme: Any, width: int) -> None:
    page = house.sign_in("lead", scheme=scheme, size={"width": width, "height": 900 if width > 1000 else 1024})
    opened(page, seeded, CONTESTED)
    drawn(page)
    page.locator("section[id^=appeal]").scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    screenshot(page, name)
