"""The client of the remote command line, against answers as an API, a proxy or a broken line would give them."""

from collections.abc import Callable, Iterator

import httpx
import pytest
from pydantic import SecretStr

from worker.cli.installation.http import ATTEMPTS, Api
from worker.moderation.errors import MisconfiguredError, RejectedError, TransientError, ZoomInError

SECRET = "zk_public_verysecret"


def problem(status: int, code: str, *, retryable: bool = False, headers: dict[str, str] | None = None, **more: object) -> httpx.Response:
    body = {
        "title": code.title(),
        "status": status,
        "detail": f"{code} happened.",
        "code": code,
        "request_id": "r-1",
        "retryable": retryable,
    }
    answer = httpx.Response(status, json={**body, "errors": [], **more}, headers=headers)
    answer.headers["Content-Type"] = "application/problem+json"
    return answer


class Line:
    """Gives the answers in turn, the last one for ever; keeps what was asked and how long was slept."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers, self.asked, self.slept = list(answers), list[httpx.Request](), list[float]()
        self.api = Api("https://api.example/base/", SecretStr(SECRET), transport=httpx.MockTransport(self._answer), sleep=self.slept.append)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (problem(401, "unauthenticated"), MisconfiguredError, "unauthenticated"),
        (problem(403, "scope_missing"), MisconfiguredError, "scope_missing"),
        (problem(404, "not_found"), RejectedError, "not_found"),
        (problem(409, "batch_unfinished"), RejectedError, "batch_unfinished"),
        (problem(429, "rate_limited", headers={"Retry-After": "1"}), TransientError, "rate_limited"),
        (problem(500, "internal_error"), TransientError, "internal_error"),
        (problem(503, "database_unavailable", retryable=True), TransientError, "database_unavailable"),
        (httpx.Response(502, text="<html>"), TransientError, "api_unavailable"),
        (httpx.Response(404, text="<html>"), MisconfiguredError, "not_the_api"),
        (httpx.Response(307, headers={"Location": "https://elsewhere.example/"}), MisconfiguredError, "not_the_api"),
        (httpx.ConnectError("refused"), TransientError, "api_unavailable"),
        (httpx.ReadTimeout("slow"), TransientError, "api_unavailable"),
    ],
)
def test_every_answer_that_is_no_success_becomes_an_error_for_people(
    answer: httpx.Response | Exception, kind: type[ZoomInError], code: str
) -> None:
    line = Line(answer)
    with pytest.raises(kind) as caught:
        line.api.get("/v1/batches")
    assert caught.value.code == code
    assert SECRET not in f"{caught.value!r} {caught.value.message}"
    assert {request.url.host for request in line.asked} == {"api.example"}


def test_a_busy_api_is_asked_again_after_what_it_says() -> None:
    busy = problem(429, "rate_limited", headers={"Retry-After": "7"})
    line = Line(busy, problem(503, "database_unavailable", retryable=True), httpx.Response(200, json={}))
    line.api.post("/v1/policies", {}, repeatable=True)
    assert (len(line.asked), line.slept[0]) == (3, 7.0)
    assert 0 < line.slept[1] <= 1.0


def test_patience_ends() -> None:
    line = Line(httpx.ConnectError("refused"))
    with pytest.raises(TransientError):
        line.api.get("/v1/batches")
    assert len(line.asked) == ATTEMPTS
    never = Line(problem(429, "rate_limited", headers={"Retry-After": "86400"}))
    with pytest.raises(TransientError):
        never.api.get("/v1/batches")
    assert never.slept == []


@pytest.mark.parametrize("answer", [httpx.ReadTimeout("slow"), httpx.Response(504), problem(503, "database_unavailable", retryable=True)])
def test_what_may_have_been_done_is_not_sent_twice(answer: httpx.Response | Exception) -> None:
    line = Line(answer)
    with pytest.raises(TransientError):
        line.api.post("/v1/batches/1:rescan", None, repeatable=False)
    assert len(line.asked) == 1


def test_what_cannot_have_been_sent_is_sent_again() -> None:
    line = Line(httpx.ConnectError("refused"), httpx.Response(202, json={}))
    assert line.api.post("/v1/batches/1:rescan", None, repeatable=False).status_code == 202


def test_faults_are_told_with_their_places_and_the_request_id() -> None:
    faults = [
        {"pointer": "#/items/3", "code": "c", "detail": "Too\x1b[2J long."},
        {"pointer": "#", "code": "c", "detail": "Bad.", "line": 9},
    ]
    with pytest.raises(RejectedError) as caught:
        Line(problem(422, "request_invalid", errors=faults)).api.post("/v1/batches", {}, repeatable=True)
    first, *places = caught.value.message.splitlines()
    assert first == "Request_Invalid: request_invalid happened."
    assert places == ["  #/items/3: Too[2J long.", "  line 9: Bad. Request id: r-1."]


def broken(pieces: list[bytes], error: Callable[[], Exception] | None) -> Iterator[bytes]:
    yield from pieces
    if error is not None:
        raise error()


def test_a_stream_is_cut_into_lines_wherever_its_blocks_end() -> None:
    line = Line(httpx.Response(200, content=broken([b'{"a', b'": 1}\n{"b', b'": 2}\n'], None)))
    assert list(line.api.lines("/v1/x", {})) == [b'{"a": 1}', b'{"b": 2}']


@pytest.mark.parametrize(
    ("pieces", "error"),
    [
        ([b"one\n"], lambda: httpx.RemoteProtocolError("incomplete chunked read")),
        ([b"one\n", b"tw"], None),
        ([b"one\n"], lambda: httpx.ReadError("")),
    ],
)
def test_a_stream_that_breaks_off_is_an_error_and_not_an_end(pieces: list[bytes], error: Callable[[], Exception] | None) -> None:
    found = Line(httpx.Response(200, content=broken(pieces, error))).api.lines("/v1/x", {})
    assert next(found) == b"one"
    with pytest.raises(TransientError):
        list(found)
