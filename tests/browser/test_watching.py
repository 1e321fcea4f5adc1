"""The watch itself: it sees what it must, and lets pass what a test is about."""

import pytest
from playwright.sync_api import Page

from tests.browser.people import House
from tests.browser.watching import Watch


@pytest.fixture
def stage(house: House) -> Page:
    """A page of the site's origin on which a test may run what it likes; the site's own forbid that."""
    page = house.enter()
    page.route("**/stage", lambda route: route.fulfill(content_type="text/html", body="<!doctype html><title>Stage</title>"))
    page.goto("/stage")
    return page


def provoked(watch: Watch, *parts: str) -> None:
    """The faults of the test are these, one for each part; they are forgotten, so that the test passes."""
    with pytest.raises(AssertionError) as caught:
        watch.check()
    watch.faults.clear()
    for part in parts:
        assert part in str(caught.value)


def test_a_console_error_an_exception_and_a_request_to_elsewhere_are_faults(house: House, watch: Watch, stage: Page) -> None:
    stage.evaluate("console.warn('careful'); console.error('broken'); setTimeout(() => { throw new Error('thrown') })")
    stage.evaluate("fetch('http://127.0.0.2:9/x').catch(() => 0)")
    house.leave()
    provoked(watch, "careful", "broken", "thrown", "left the origin: GET http://127.0.0.2:9/x", "failed: GET http://127.0.0.2:9/x")


def test_a_refused_answer_is_a_fault_unless_it_is_expected(house: House, watch: Watch, stage: Page) -> None:
    ask = "fetch('/v1/items/none').then((answer) => answer.status)"
    assert stage.evaluate(ask) == 401
    stage.wait_for_timeout(1)
    provoked(watch, "answered 401", "status of 401", "/v1/items/none")
    watch.expect(401, "/v1/items/none")
    provoked(watch, "expected a 401")
    stage.evaluate(ask)


def test_a_page_cannot_run_what_its_policy_refuses_and_the_watch_says_so(house: House, watch: Watch) -> None:
    page = house.enter()
    page.goto("/v1/sign-in")
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.ran = 1'}))")
    assert page.evaluate("window.ran") is None
    house.leave()
    provoked(watch, "Content Security Policy")
