"""Signing in through the page, as people do: the local issuer, a click, and back."""

import json

import pytest
from playwright.sync_api import Page, expect

from tests.browser.cases import CASES, GONE, PASSED
from tests.browser.people import PEOPLE, House, choose
from tests.browser.seeing import check_accessible
from tests.browser.world import Seeded


def me(page: Page) -> dict[str, str]:
    return json.loads(page.locator("body").inner_text())["person"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("who", PEOPLE)
def test_everybody_who_is_invited_signs_in_by_a_click(house: House, who: str) -> None:
    page = house.sign_in(who)
    assert (me(page)["email"], me(page)["role"]) == (PEOPLE[who].email, PEOPLE[who].role)


def test_two_people_are_signed_in_side_by_side(reviewer: Page, lead: Page) -> None:
    assert (me(reviewer)["name"], me(lead)["name"]) == ("Rita Reviewer", "Lena Lead")


def test_the_issuers_page_is_accessible_and_names_everybody(house: House) -> None:
    page = house.enter()
    page.goto("/v1/sign-in")
    expect(page.get_by_role("button")).to_have_count(len(PEOPLE))
    check_accessible(page)
    choose(page, "viewer")
    page.wait_for_url("**/v1/me")


def test_every_case_that_the_policy_does_not_pass_waits_with_its_picture(reviewer: Page, seeded: Seeded) -> None:
    for case in CASES:
        if case.name != PASSED:
            assert seeded.task(case.name)
        pictured = case.picture is not None and case.name != GONE
        assert reviewer.request.get(f"/v1/items/{seeded.item(case.name)}/image").status == (200 if pictured else 404)
