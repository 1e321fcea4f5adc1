"""The dashboard in a browser: real figures, seen by a lead and by a reviewer; accessible, without a script, and quiet."""

import re
from collections.abc import Sequence

import pytest
from playwright.sync_api import Page, ViewportSize, expect
from sqlalchemy import Engine

from tests.browser.people import PEOPLE, House
from tests.browser.seeing import check_accessible, screenshot
from tests.browser.weeks import NEW, OLD, fill

PATH = "/review/dashboard"
CHARTS = ("waiting", "ages", "flow", "answers", "pace", "reviewers", "agreement", "golden", "boxes", "overrides", "releases", "stages")


@pytest.fixture(scope="module")
def weeks(engine: Engine, actors: dict[str, str]) -> None:
    """What happened in the tenant of PEOPLE."""
    fill(engine, "default", [actors[who] for who in ("reviewer", "colleague", "lead")])


def charts(page: Page) -> Sequence[str]:
    return [str(panel.get_attribute("id")) for panel in page.locator(".panel:has(svg)").all()]


def test_before_anything_happened_every_panel_says_what_to_do(house: House) -> None:
    page = house.sign_in("lead", to=PATH)
    assert charts(page) == []
    assert page.locator(".empty").count() == len(CHARTS)
    check_accessible(page)


@pytest.mark.usefixtures("weeks")
class TestWeeks:
    """With weeks of work behind it."""

    def test_a_lead_sees_every_chart_with_its_numbers_and_people_by_name(self, house: House) -> None:
        page = house.sign_in("lead", to=f"{PATH}?days=30")
        assert tuple(charts(page)) == CHARTS
        expect(page.locator("#reviewers")).to_contain_text(PEOPLE["reviewer"].name)
        expect(page.locator("#agreement")).to_contain_text("Rita · Rob")
        expect(page.locator("#releases")).to_contain_text("default@2")
        for release in (OLD, NEW):
            expect(page.locator("#stages")).to_contain_text(release)
        for figure in page.locator(".panel").all():
            table = figure.get_by_role("table")
            expect(table).to_be_hidden()
            figure.locator("summary").click()
            expect(table).to_be_visible()
            assert table.locator("tbody tr").count() > 0
        check_accessible(page)

    def test_a_reviewer_sees_the_team_and_themselves_and_nobody_else_by_name(self, house: House) -> None:
        page = house.sign_in("reviewer", to=f"{PATH}?days=30")
        expect(page.locator("#reviewers")).to_contain_text("You")
        words = page.locator("main").inner_text() + page.locator("main").inner_html()
        for who in ("colleague", "lead"):
            assert PEOPLE[who].name not in words
            assert PEOPLE[who].name.split()[0] not in words
        assert not re.search("person:|person [0-9a-f]{8}", words)

    def test_time_and_queue_are_chosen_by_links_and_a_form(self, house: House) -> None:
        page = house.sign_in("viewer", to=PATH)
        page.get_by_role("link", name="Day", exact=True).click()
        expect(page.get_by_role("link", name="Day", exact=True)).to_have_attribute("aria-current", "true")
        page.get_by_label("Queue", exact=True).select_option("appeals")
        page.get_by_role("button", name="Show").click()
        expect(page).to_have_url(re.compile(r"days=1&queue=appeals$"))
        expect(page.locator("#ages")).not_to_contain_text("default")
        page.get_by_role("link", name="90 days").click()
        expect(page).to_have_url(re.compile(r"days=90&queue=appeals$"))
        page.get_by_label("Queue", exact=True).select_option("All queues")
        page.get_by_role("button", name="Show").click()
        expect(page.locator("#ages")).to_contain_text("default")

    def test_it_needs_no_script(self, house: House) -> None:
        page = house.sign_in("lead", to=PATH)
        state = page.context.storage_state()
        context = house.browser.new_context(base_url=house.site, storage_state=state, java_script_enabled=False)
        bare = context.new_page()
        bare.goto(f"{PATH}?days=30")
        assert bare.locator(".panel svg").count() == len(CHARTS)
        context.close()

    @pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 1920), ("dark", 768)])
    def test_it_fits_every_width_in_light_and_dark(self, house: House, scheme: str, width: int) -> None:
        size = ViewportSize(width=width, height=1000)
        page = house.sign_in("lead", to=f"{PATH}?days=30", scheme=scheme, size=size)  # type: ignore[arg-type]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for text in page.locator(".chart text").all():
            box, sheet = text.bounding_box(), text.locator("xpath=ancestor::*[local-name()='svg']").bounding_box()
            assert box is not None
            assert sheet is not None
            assert sheet["x"] - 2 <= box["x"], text.inner_text()
            assert box["x"] + box["width"] <= sheet["x"] + sheet["width"] + 10, text.inner_text()
        if width == 1280:
            screenshot(page, f"dashboard-{scheme}" if scheme == "dark" else "dashboard")
