"""Where the day begins: what waits, in which queue."""

from playwright.sync_api import Locator, Page, expect

from tests.browser.cases import CASES, GONE, PASSED
from tests.browser.people import House
from tests.browser.seeing import check_accessible, screenshot
from tests.browser.watching import Watch
from tests.browser.world import Seeded


def queue(page: Page, name: str) -> Locator:
    return page.get_by_role("main").get_by_role("listitem").filter(has=page.get_by_role("heading", name=name, exact=True))


def test_every_case_that_the_policy_does_not_pass_waits_with_its_picture(reviewer: Page, seeded: Seeded) -> None:
    for case in CASES:
        if case.name != PASSED:
            assert seeded.task(case.name)
        pictured = case.picture is not None and case.name != GONE
        assert reviewer.request.get(f"/v1/items/{seeded.item(case.name)}/image").status == (200 if pictured else 404)


def test_the_queues_show_what_waits_and_lead_on_to_it(house: House, seeded: Seeded) -> None:
    page = house.sign_in("reviewer")
    expect(queue(page, "default").locator("dl")).to_contain_text("Open7")
    expect(queue(page, "appeals").locator("dl")).to_contain_text("Open1")
    expect(page.get_by_role("link", name="Review default")).to_have_attribute("href", "/review/queues/default")
    check_accessible(page)
    screenshot(page, "queues")


def test_whoever_only_watches_is_told_so_and_offered_nothing(house: House, seeded: Seeded) -> None:
    for who in ("viewer", "auditor"):
        page = house.sign_in(who)
        expect(page.get_by_text("watches: judging images needs the role reviewer or lead")).to_be_visible()
        expect(page.get_by_role("link", name="Review default")).to_have_count(0)


def test_a_page_that_is_not_there_says_so_and_leads_back(reviewer: Page, watch: Watch) -> None:
    watch.expect(404, "/review/nothing")
    reviewer.goto("/review/nothing")
    check_accessible(reviewer)
    reviewer.get_by_role("link", name="Back to the queues").click()
    expect(reviewer.get_by_role("heading", level=1)).to_have_text("Review queues")


def test_the_keyboard_skips_the_bar(reviewer: Page) -> None:
    reviewer.keyboard.press("Tab")
    expect(reviewer.get_by_role("link", name="Skip to the content")).to_be_focused()
    reviewer.keyboard.press("Enter")
    expect(reviewer.get_by_role("main")).to_be_focused()
