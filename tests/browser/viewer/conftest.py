"""A room with one viewer, and a page that is watched."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.viewer.room import Room, serving


@pytest.fixture(scope="package")
def room() -> Iterator[Room]:
    with serving() as room:
        yield room


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of which no error, and nothing against the policy, is heard."""
    page = browser.new_page(viewport={"width": 1060, "height": 760})
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(error.stack or error.message))
    page.on("console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None)
    yield page
    refused = page.evaluate("window.refused")
    page.close()
    assert not [fault for fault in faults if not re.search("status of (404|503)", fault)]
    assert refused == []
