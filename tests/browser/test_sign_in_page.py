"""Signing in through the page, as people do: the local issuer, a click, and back to where one wanted to go."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.people import PEOPLE, House, choose
from tests.browser.seeing import check_accessible
from tests.browser.watching import Watch


@pytest.mark.parametrize("who", PEOPLE)
def test_everybody_who_is_invited_signs_in_by_a_click(house: House, who: str) -> None:
    page = house.sign_in(who)
    expect(page.get_by_role("banner")).to_contain_text(f"{PEOPLE[who].name} {PEOPLE[who].role}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Review queues")


def test_two_people_are_signed_in_side_by_side(reviewer: Page, lead: Page) -> None:
    reviewer.reload()
    for page, name in ((reviewer, "Rita Reviewer"), (lead, "Lena Lead")):
        expect(page.get_by_role("banner")).to_contain_text(name)


def test_the_issuers_page_is_accessible_and_names_everybody(house: House) -> None:
    page = house.enter()
    page.goto("/review")
    expect(page.get_by_role("button")).to_have_count(len(PEOPLE))
    check_accessible(page)
    choose(page, "viewer")
    expect(page.get_by_role("banner")).to_contain_text("Vic Viewer")


def test_whoever_signs_in_comes_to_the_page_that_they_asked_for(house: House) -> None:
    page = house.enter()
    page.goto("/review/queues/appeals")
    choose(page, "reviewer")
    expect(page).to_have_url(f"{house.site}/review/queues/appeals")


def test_signing_out_ends_the_session_and_the_next_page_asks_who_one_is(house: House, reviewer: Page) -> None:
    reviewer.get_by_role("button", name="Sign out").click()
    expect(reviewer.get_by_role("button", name=PEOPLE["reviewer"].email)).to_be_visible()
    reviewer.goto("/review")
    assert not reviewer.url.startswith(house.site)


def test_a_sign_in_that_was_begun_elsewhere_is_explained_on_a_page(house: House, watch: Watch) -> None:
    page = house.enter()
    watch.expect(400, "/v1/sign-in/callback")
    page.goto("/v1/sign-in/callback?state=of-somebody-else&code=x")
    expect(page.get_by_role("link", name="Sign in again")).to_be_visible()
    check_accessible(page)


@pytest.mark.parametrize("who", ["viewer", "auditor"])
def test_a_role_that_does_not_judge_is_told_so_in_words(house: House, watch: Watch, who: str) -> None:
    watch.expect(403, "/review/queues/default")
    page = house.sign_in(who, to="/review/queues/default")
    expect(page.get_by_text("Your role does not cover this page")).to_be_visible()
    check_accessible(page)
    page.get_by_role("link", name="Back to the queues").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Review queues")
