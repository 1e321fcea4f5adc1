"""A browser for the package, a site for each module, and people for each test, whose pages are all watched."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, StorageState, expect
from sqlalchemy import Engine

from tests.browser.chromium import running
from tests.browser.people import WAIT_MS, House, invite_everybody, opened
from tests.browser.watching import Watch
from tests.browser.world import Seeded, seed
from tests.integration.sign_in_world import api_server, local_issuer
from worker.intake.storage import Storage
from worker.moderation.settings import Settings


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One Chromium. Not the session's: Playwright's loop runs in this thread as long as it lives, and asynchronous tests want their own."""
    expect.set_options(timeout=WAIT_MS)
    with running() as browser:
        yield browser


@pytest.fixture(scope="module")
def site_settings(settings: Settings) -> Settings:
    """The module's services, with an API and a local issuer on ports of their own."""
    return opened(settings)


@pytest.fixture(scope="module")
def site(site_settings: Settings) -> Iterator[str]:
    """The running site's address."""
    with local_issuer(site_settings), api_server(site_settings) as address:
        yield address


@pytest.fixture(scope="module")
def actors(engine: Engine) -> dict[str, str]:
    """Everybody is invited: the actor that each of PEOPLE is known as."""
    return invite_everybody(engine)


@pytest.fixture
def watch(site: str, site_settings: Settings) -> Iterator[Watch]:
    """What happens on all pages of the test; at its end, none of it may be a fault."""
    watch = Watch(site, str(site_settings.oidc_issuer))
    yield watch
    watch.check()


@pytest.fixture(scope="module")
def signed_in(actors: dict[str, str]) -> dict[str, StorageState]:
    """The cookies of whoever has signed in on the module's site."""
    return {}


@pytest.fixture
def house(browser: Browser, site: str, watch: Watch, signed_in: dict[str, StorageState]) -> Iterator[House]:
    """Where people enter and sign in."""
    house = House(browser, site, watch, signed_in)
    yield house
    house.leave()


@pytest.fixture
def seeded(site_settings: Settings, engine: Engine, storage: Storage) -> Seeded:
    """A fresh batch to review; what earlier tests left waiting is withdrawn."""
    return seed(site_settings, engine, storage)


@pytest.fixture
def reviewer(house: House) -> Page:
    """Rita's page, signed in."""
    return house.sign_in("reviewer")


@pytest.fixture
def colleague(house: House) -> Page:
    """Rob's page, signed in."""
    return house.sign_in("colleague")


@pytest.fixture
def lead(house: House) -> Page:
    """Lena's page, signed in."""
    return house.sign_in("lead")


@pytest.fixture
def viewer(house: House) -> Page:
    """Vic's page, signed in: may read, and not review."""
    return house.sign_in("viewer")


@pytest.fixture
def auditor(house: House) -> Page:
    """Ada's page, signed in: may read what was done, and not review."""
    return house.sign_in("auditor")
