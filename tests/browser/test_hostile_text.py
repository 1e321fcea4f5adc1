"""Words of models, submitters and reviewers are strangers' words: shown, never run, never in the way."""

import json

import pytest
from playwright.sync_api import Page, expect

from tests.browser.cases import HOSTILE, HOSTILE_TEXT, LONGEST
from tests.browser.judging import Chair, sit_down
from tests.browser.people import House
from tests.browser.seeing import check_accessible, screenshot
from tests.browser.world import Seeded

HIDDEN = "\u202e\u202c\u2066\u200b\ufeff\u2069\u200e\u200f"  # bidi controls, and characters without a width


@pytest.fixture
def chair(reviewer: Page, seeded: Seeded) -> Chair:
    seeded.offer(HOSTILE_TEXT)
    chair = sit_down(reviewer)
    chair.sees(seeded.task(HOSTILE_TEXT))
    return chair


def is_harmless(page: Page) -> None:
    """Nothing of it ran, became an element, or turned the text around."""
    assert page.evaluate("window.hacked") is None
    assert page.locator("main :is(script:not([type='application/json']), style, a[href^='javascript'], img[src='x'])").count() == 0
    shown = page.evaluate("document.documentElement.outerHTML")
    assert not set(HIDDEN) & set(shown)
    assert page.evaluate("getComputedStyle(document.body).display") != "none"


def test_ten_thousand_hostile_characters_are_text_in_their_place(chair: Chair) -> None:
    is_harmless(chair.page)
    explanation = chair.task.locator(".explanation")
    expect(explanation).to_contain_text("<script>window.hacked = 1</script>")
    expect(chair.region(1)).to_contain_text("{{7*7}}")
    expect(chair.task.get_by_role("button", name="Record, next")).to_be_in_viewport()
    assert chair.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert chair.task.locator(".facts").evaluate("(panel) => panel.scrollWidth <= panel.clientWidth")
    check_accessible(chair.page)
    screenshot(chair.page, "hostile-text")


def test_all_of_it_is_shown_to_whoever_asks(chair: Chair) -> None:
    explanation = chair.task.locator(".explanation")
    before = explanation.evaluate("(text) => text.getBoundingClientRect().height")
    chair.task.get_by_role("button", name="Show all of it").click()
    assert explanation.evaluate("(text) => text.getBoundingClientRect().height") > 3 * before
    assert len(explanation.inner_text()) > 0.8 * LONGEST


def test_names_of_boxes_stay_short_for_whoever_hears_them(chair: Chair) -> None:
    for number in (1, 2):
        name = chair.box(number).get_attribute("aria-label") or ""
        assert name.startswith(f"Box {number}: ")
        assert len(name) < 200


def test_metadata_is_text_too(chair: Chair) -> None:
    chair.task.get_by_text("Provenance, versions, metadata").click()
    expect(chair.task.locator(".provenance")).to_contain_text("<script>")
    is_harmless(chair.page)


def test_a_reviewer_s_words_are_no_less_hostile_to_the_lead(chair: Chair, house: House, seeded: Seeded) -> None:
    chair.answer("u", HOSTILE)
    expect(chair.notices).to_contain_text("unsure")
    seeded.take_effect()
    assert seeded.state(HOSTILE_TEXT) == "escalated"
    lead = sit_down(house.sign_in("lead"))
    lead.sees(seeded.task(HOSTILE_TEXT))
    expect(lead.task.get_by_role("region", name="What its reviewers answered")).to_contain_text("<script>")
    is_harmless(lead.page)
    check_accessible(lead.page)


def test_a_kept_draft_that_somebody_tampered_with_harms_nobody(chair: Chair, seeded: Seeded) -> None:
    key = f"draft {seeded.item(HOSTILE_TEXT)} 1"
    draft = {"verdict": "generated", "note": HOSTILE, "judgements": [{"kind": "add", "box": [-50, -50, 9_999, 9_999]}]}
    chair.page.add_init_script(f"sessionStorage.setItem({json.dumps(key)}, {json.dumps(json.dumps(draft))})")
    chair.page.reload()
    chair.sees(seeded.task(HOSTILE_TEXT))
    assert chair.page.evaluate("window.hacked") is None
    ((added),) = chair.judgements()
    assert added == {"kind": "add", "box": [0, 0, 600, 400]}
