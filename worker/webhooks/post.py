"""One HTTP POST to an address that was judged a moment before. Redirects, proxies, cookies and bodies of answers are not for us."""

import asyncio
import ssl
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import httpx

from worker.moderation.errors import RejectedError
from worker.moderation.targets import Resolve, Target, judge_addresses, parse_target, system_addresses

CONNECT_SECONDS, TOTAL_SECONDS = 5.0, 15.0  # Standard Webhooks: 15 to 30 s; the name's look-up is part of both
MOST_BODY_BYTES = 4096  # then we hang up; read so that a receiver of few words is not cut off, and thrown away
LOOKUPS = 64  # at once; the system's resolver may block for a minute, and a tenant's slow name server must not stop the others' look-ups
GONE = 410
USER_AGENT = "zoomin-webhooks/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a POST ended. `error_code` is None for 2xx; `retry_after` is what the receiver asked for, seconds."""

    status: int | None
    error_code: str | None
    seconds: float
    retry_after: float = 0.0

    @property
    def accepted(self) -> bool:
        """Whether the event arrived."""
        return self.error_code is None


class Poster:
    """Sends over a fresh connection each time: one kept open to an address would outlive its judgement."""

    def __init__(
        self, *, private_targets: bool, resolve: Resolve = system_addresses, tls: ssl.SSLContext | None = None, total: float = TOTAL_SECONDS
    ) -> None:
        self._private_targets = private_targets
        self._resolve = resolve
        self._total = total
        self._lookups = ThreadPoolExecutor(LOOKUPS, thread_name_prefix="webhook-lookup")
        self._client = httpx.AsyncClient(
            verify=tls or ssl.create_default_context(),  # made once: reading the authorities takes longer than most posts
            timeout=httpx.Timeout(total, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
            trust_env=False,  # a proxy would resolve the name for itself
            follow_redirects=False,
        )

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Sends it, in at most the total time. Whatever goes wrong is an answer, too."""
        started = time.monotonic()
        status, error_code, retry_after = None, None, 0.0
        try:
            async with asyncio.timeout(self._total):
                target = parse_target(url, private_targets=self._private_targets)
                response = await self._send(target, await self._addresses(target), headers, body)
                status = response.status_code
                retry_after = _retry_after(response)
                error_code = None if response.is_success else f"http_{status}"
                with suppress(httpx.HTTPError):
                    await _discard(response)
        except TimeoutError:  # while the body is thrown away, the answer is known already
            error_code = error_code if status is not None else "timeout"
        except RejectedError as error:
            error_code = error.code
        except httpx.HTTPError as error:
            error_code = _code(error)
        return Answer(status=status, error_code=error_code, seconds=time.monotonic() - started, retry_after=retry_after)

    async def close(self) -> None:
        """Closes what is open; look-ups that hang are left to themselves."""
        self._lookups.shutdown(wait=False, cancel_futures=True)
        await self._client.aclose()

    async def _addresses(self, target: Target) -> list[str]:
        """The addresses to try, all judged. Raises RejectedError."""
        async with asyncio.timeout(CONNECT_SECONDS):
            found = await asyncio.get_running_loop().run_in_executor(self._lookups, self._resolve, target.host, target.port)
        return judge_addresses(target, found, private_targets=self._private_targets)

    async def _send(self, target: Target, addresses: Sequence[str], headers: Mapping[str, str], body: bytes) -> httpx.Response:
        """The head of the answer of the first address that can be reached. Raises httpx.HTTPError."""
        whole = {**headers, "host": target.authority, "user-agent": USER_AGENT, "connection": "close", "accept-encoding": "identity"}
        *others, last = addresses
        for address in others:
            with suppress(httpx.ConnectError, httpx.ConnectTimeout):
                return await self._send_to(target, address, whole, body)
        return await self._send_to(target, last, whole, body)

    async def _send_to(self, target: Target, address: str, headers: Mapping[str, str], body: bytes) -> httpx.Response:
        # The connection goes to the address; the certificate is asked for, and verified against, the name.
        request = self._client.build_request(
            "POST", target.at(address), headers=headers, content=body, extensions={"sni_hostname": target.host}
        )
        return await self._client.send(request, stream=True)


async def _discard(response: httpx.Response) -> None:
    """Reads a little of the body, as it came, and closes. Raises httpx.HTTPError."""
    read = 0
    try:
        async for part in response.aiter_raw():
            read += len(part)
            if read >= MOST_BODY_BYTES:
                break
    finally:
        await response.aclose()


def _retry_after(response: httpx.Response) -> float:
    """Seconds the receiver asks to be left alone. A date is not honoured: it would need its clock to be right."""
    text = response.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0.0


def _code(error: httpx.HTTPError) -> str:
    """A stable code for what the network did."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return "tls_failed"
        cause = cause.__cause__ or cause.__context__
    match error:
        case httpx.TimeoutException():
            return "timeout"
        case httpx.ConnectError():
            return "connect_failed"
        case httpx.NetworkError() | httpx.RemoteProtocolError():
            return "connection_lost"
        case _:
            return "http_error"
