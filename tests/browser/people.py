"""People in front of a browser: each with a context of their own, signed in by a click on the local issuer's page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from playwright.sync_api import Browser, BrowserContext, Page, StorageState, ViewportSize
from sqlalchemy import Engine

from tests.browser.watching import Watch
from tests.integration.sign_in_world import invited, signing_in
from worker.local.ports import free_ports
from worker.moderation.people import Role
from worker.moderation.settings import Settings

WAIT_MS = 15_000  # a busy machine is no fault of the page
DESK = ViewportSize(width=1280, height=800)


@dataclass(frozen=True, slots=True)
class Somebody:
    """An invited person."""

    name: str
    email: str
    role: Role


PEOPLE: Mapping[str, Somebody] = {
    "reviewer": Somebody("Rita Reviewer", "rita@example.org", Role.REVIEWER),
    "colleague": Somebody("Rob Reviewer", "rob@example.org", Role.REVIEWER),
    "lead": Somebody("Lena Lead", "lena@example.org", Role.LEAD),
    "viewer": Somebody("Vic Viewer", "vic@example.org", Role.VIEWER),
    "auditor": Somebody("Ada Auditor", "ada@example.org", Role.AUDITOR),
    "admin": Somebody("Ali Admin", "ali@example.org", Role.ADMIN),
}


def opened(settings: Settings) -> Settings:
    """The settings of a site that people can sign in to: an API and a local issuer on free ports."""
    issuer_port, api_port = free_ports(2)
    quiet = {"api_rate_per_second": 0.0, "log_level": "WARNING"}
    return signing_in(settings, f"http://127.0.0.1:{issuer_port}", api_port).model_copy(update=quiet)


def invite_everybody(engine: Engine) -> dict[str, str]:
    """Invites PEOPLE: the actor that each is known as in the records."""
    return {who: f"person:{invited(engine, one.email, one.role, name=one.name).id}" for who, one in PEOPLE.items()}


@dataclass(frozen=True, slots=True)
class House:
    """Where people work: one browser, one site, everything watched. Contexts end with the test."""

    browser: Browser
    site: str
    watch: Watch
    signed_in: dict[str, StorageState]  # the module's: who came in by a click before comes in by their cookie, as on any other day
    _contexts: list[BrowserContext] = field(default_factory=list)

    def enter(self, *, scheme: Literal["light", "dark"] = "light", size: ViewportSize = DESK, known: StorageState | None = None) -> Page:
        """A page of somebody whom the site does not know yet, unless it does. Paths are relative to the site."""
        context = self.browser.new_context(
            base_url=self.site,
            storage_state=known,
            viewport=size,
            color_scheme=scheme,
            locale="en-GB",
            timezone_id="Europe/Berlin",
            reduced_motion="reduce",
        )
        context.set_default_timeout(WAIT_MS)
        self.watch.over(context)
        self._contexts.append(context)
        return context.new_page()

    def sign_in(self, who: str, *, to: str = "/review", scheme: Literal["light", "dark"] = "light", size: ViewportSize = DESK) -> Page:
        """A page of one of PEOPLE, signed in, at a path."""
        page = self.enter(scheme=scheme, size=size, known=self.signed_in.get(who))
        page.goto(to)
        if not page.url.startswith(self.site):
            choose(page, who)
        page.wait_for_url(f"{self.site}{to}")
        self.signed_in[who] = page.context.storage_state()
        return page

    def leave(self) -> None:
        """Everybody goes; what their pages still had to say is heard first."""
        for context in self._contexts:
            for page in context.pages:
                page.wait_for_timeout(1)
            context.close()
        self._contexts.clear()


def choose(page: Page, who: str) -> None:
    """Clicks on one of PEOPLE, on the local issuer's page."""
    page.get_by_role("button", name=PEOPLE[who].email).click()
