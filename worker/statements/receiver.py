"""The DSA transparency database over HTTP (API v2): what is asked, and what each answer means. Facts and source: statement_of_reasons.

A group is taken whole or not at all. A 422 either names the statements that break rules, or the puids that are there already. The latter
may also mean that another request with the same puid is under way, so each is asked for before it counts as submitted.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from worker.moderation.errors import MisconfiguredError
from worker.moderation.settings import Settings

MOST_STATEMENTS = 100  # per call, the receiver's own limit
SECONDS, CONNECT_SECONDS = 30.0, 10.0
LONGEST_DETAIL = 4_000  # characters of what it says of one statement
LONGEST_PAUSE = 3_600.0  # of Retry-After
REFUSES_US = frozenset({401, 403, 404, 405})  # a wrong token, or a wrong address: the same for every statement
USER_AGENT = "zoomin-statements/1"


@dataclass(frozen=True, slots=True)
class Taken:
    """All are there; `ids`: the receiver's own, by puid, where it told them."""

    ids: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refused:
    """None was taken, because these break rules: what it said of them as JSON, by position in the group."""

    details: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Known:
    """None was taken, because these puids are known already, or at this moment."""

    puids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Later:
    """No success for now. `uncertain`: it may have taken them all the same."""

    code: str
    uncertain: bool
    retry_after: float = 0.0


Answer = Taken | Refused | Known | Later


class Receiver:
    """One token's view of the database."""

    def __init__(self, settings: Settings) -> None:
        """Raises MisconfiguredError without an address or a token."""
        settings = settings.require("dsa_url", "dsa_token")
        token = settings.dsa_token.get_secret_value() if settings.dsa_token else ""
        self._url = str(settings.dsa_url).rstrip("/")
        self._client = httpx.Client(
            headers={"authorization": f"Bearer {token}", "accept": "application/json", "user-agent": USER_AGENT},
            timeout=httpx.Timeout(SECONDS, connect=CONNECT_SECONDS),
            follow_redirects=False,  # a token goes where it was meant to
        )

    def close(self) -> None:
        """Closes connections."""
        self._client.close()

    def submit(self, payloads: Sequence[Mapping[str, Any]]) -> Answer:
        """Offers a group of at most MOST_STATEMENTS. Raises MisconfiguredError when it refuses us rather than them."""
        try:
            response = self._client.post(f"{self._url}/statements", json={"statements": list(payloads)})
        except httpx.TransportError as error:
            return Later(type(error).__name__, uncertain=not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout))
        self._check_lets_us_in(response)
        if response.status_code == 201:
            return Taken(_ids(_json(response)))
        if response.status_code == 422:
            return _of_422(_json(response), len(payloads))
        return _later(response)

    def has(self, puid: str) -> bool | None:
        """Whether a statement of this puid is there; None when it does not tell. Raises MisconfiguredError as `submit`."""
        try:
            response = self._client.get(f"{self._url}/statement/existing-puid/{puid}")
        except httpx.TransportError:
            return None
        said = _json(response)
        if said.get("puid") != puid:  # also what tells its 404 from that of a wrong address
            self._check_lets_us_in(response)
            return None
        return {302: True, 404: False}.get(response.status_code)

    def _check_lets_us_in(self, response: httpx.Response) -> None:
        if response.status_code in REFUSES_US:
            raise MisconfiguredError(
                "dsa_refused",
                f"{self._url} answered {response.status_code}: ZOOMIN_DSA_TOKEN is not valid there, or ZOOMIN_DSA_URL is not the API's "
                "address. Nothing was sent; statements wait.",
            )


def _of_422(said: Mapping[str, Any], number: int) -> Answer:
    errors = said.get("errors")
    if isinstance(errors, dict):
        if isinstance(existing := errors.get("existing_puids"), list) and existing:
            return Known(frozenset(map(str, existing)))
        places = {f"statement_{place}": place for place in range(number)}
        details = {places[name]: _clipped(detail) for name, detail in errors.items() if name in places}
        if details:
            return Refused(details)
    return Later("http_422", uncertain=False)


def _later(response: httpx.Response) -> Later:
    """429 is told before anything is done; whoever breaks down may have done it."""
    asked = response.headers.get("retry-after", "")
    seconds = float(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else 0.0
    return Later(f"http_{response.status_code}", uncertain=response.status_code >= 500, retry_after=min(seconds, LONGEST_PAUSE))


def _ids(said: Mapping[str, Any]) -> dict[str, str]:
    made = said.get("statements")
    rows = [row for row in made if isinstance(row, dict)] if isinstance(made, list) else []
    return {str(row["puid"]): str(row["uuid"])[:100] for row in rows if "puid" in row and "uuid" in row}


def _clipped(detail: Any) -> str:
    text = json.dumps(detail)
    return text if len(text) <= LONGEST_DETAIL else json.dumps({"clipped": text[:LONGEST_DETAIL]})


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        said = response.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
