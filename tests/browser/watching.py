"""What must not happen on any page: errors, warnings, requests that fail, requests to elsewhere. A test names what it expects of these."""

import re
from collections import Counter
from dataclasses import dataclass, field

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, Response, WebError

LOUD = frozenset({"error", "warning", "assert"})  # of the console
ABORTED = "net::ERR_ABORTED"  # the page itself went on, or cancelled what it had asked for
OWN_PICTURES = ("blob:", "data:")  # no network


NO_ANSWER = 0  # the status of a request that none came to


@dataclass(frozen=True, slots=True)
class _Expected:
    status: int
    path: re.Pattern[str]
    needed: bool

    def fits(self, status: int, url: str) -> bool:
        return status == self.status and self.path.search(url) is not None


@dataclass  # no slots: Playwright keeps its wrappers of bound methods on the object
class Watch:
    """Sees all pages of its contexts. `origin` is the pages' own; `issuer` is where one signs in, and nothing but documents comes from."""

    origin: str
    issuer: str
    faults: list[str] = field(default_factory=list)
    _expected: list[_Expected] = field(default_factory=list)
    _met: Counter[_Expected] = field(default_factory=Counter)

    def over(self, context: BrowserContext) -> None:
        """Watches a context from now on."""
        context.on("console", self._console)
        context.on("weberror", self._error)
        context.on("request", self._request)
        context.on("requestfailed", self._failed)
        context.on("response", self._response)

    def expect(self, status: int, path: str) -> None:
        """Answers of this status from addresses that match the pattern are what the test is about; it fails when there is none."""
        self._expected.append(_Expected(status, re.compile(path), needed=True))

    def allow(self, status: int, path: str) -> None:
        """As `expect`, for what may come of it or not."""
        self._expected.append(_Expected(status, re.compile(path), needed=False))

    def check(self) -> None:
        """Raises AssertionError that names everything that happened and must not, and what was expected and did not happen."""
        missed = [
            f"expected a {one.status} from {one.path.pattern}, and none came" for one in self._expected if one.needed and not self._met[one]
        ]
        faults = "\n".join([*self.faults, *missed])
        assert not faults, f"on the pages of this test:\n{faults}"

    def _console(self, message: ConsoleMessage) -> None:
        # Chromium says each refused answer in the console, too, under the answer's address
        refused = re.match(r"Failed to load resource: (?:the server responded with a status of (\d+)|net::)", message.text)
        if refused and self._is_expected(int(refused[1] or NO_ANSWER), message.location["url"]):
            return
        if message.type in LOUD:
            self.faults.append(f"console {message.type}: {message.text} ({message.location['url']})")

    def _error(self, error: WebError) -> None:
        self.faults.append(f"uncaught: {error.error.stack or error.error.message}")

    def _request(self, request: Request) -> None:
        at_issuer = request.url.startswith(f"{self.issuer}/") and request.resource_type == "document"
        if not (at_issuer or request.url.startswith((f"{self.origin}/", *OWN_PICTURES))):
            self.faults.append(f"a request left the origin: {request.method} {request.url} ({request.resource_type})")

    def _failed(self, request: Request) -> None:
        if request.failure != ABORTED and not self._is_expected(NO_ANSWER, request.url):
            self.faults.append(f"failed: {request.method} {request.url}: {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status < 400:
            return
        if not self._is_expected(response.status, response.url):
            self.faults.append(f"answered {response.status}: {response.request.method} {response.url}")

    def _is_expected(self, status: int, url: str) -> bool:
        fitting = [one for one in self._expected if one.fits(status, url)]
        self._met.update(fitting)
        return bool(fitting)
