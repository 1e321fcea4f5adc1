import inspect
from typing import Any

import botocore.exceptions
import pytest
import urllib3.exceptions
from botocore.exceptions import BotoCoreError, ClientError

from worker.intake.storage import border
from worker.moderation.errors import MisconfiguredError, OutageError, RejectedError, TransientError, ZoomInError

REJECTED, OUTAGE, MISCONFIGURED = RejectedError, OutageError, MisconfiguredError


def refused(code: str, status: int) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": "secret?X-Amz-Signature"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "GetObject")


def met(error: Exception, version_id: str | None = None) -> ZoomInError:
    with pytest.raises(ZoomInError) as raised, border("s3://photos/a.jpg", version_id):
        raise error
    return raised.value


@pytest.mark.parametrize(
    ("code", "status", "kind", "ours"),
    [
        ("NoSuchKey", 404, REJECTED, "object_missing"),
        ("404", 404, REJECTED, "object_missing"),
        ("NoSuchVersion", 404, REJECTED, "object_missing"),
        ("MethodNotAllowed", 405, REJECTED, "object_missing"),
        ("NoSuchBucket", 404, REJECTED, "bucket_missing"),
        ("PreconditionFailed", 412, REJECTED, "object_changed"),
        ("InvalidObjectState", 403, REJECTED, "object_archived"),
        ("KeyTooLongError", 400, REJECTED, "key_invalid"),
        ("AccessDenied", 403, MISCONFIGURED, "bucket_denied"),
        ("InvalidAccessKeyId", 403, MISCONFIGURED, "bucket_denied"),
        ("ExpiredToken", 400, MISCONFIGURED, "bucket_denied"),
        ("PermanentRedirect", 301, MISCONFIGURED, "object_store_refused"),
        ("SlowDown", 503, OUTAGE, "object_store_unavailable"),
        ("InternalError", 500, OUTAGE, "object_store_unavailable"),
        ("TooManyRequests", 429, OUTAGE, "object_store_unavailable"),
        ("RequestTimeout", 400, OUTAGE, "object_store_unavailable"),
    ],
)
def test_an_answer_is_classed_by_what_to_do_next(code: str, status: int, kind: type[ZoomInError], ours: str) -> None:
    error = met(refused(code, status))
    assert (type(error), error.code) == (kind, ours)
    assert "s3://photos/a.jpg" in error.message
    assert "secret" not in error.message


def test_an_impossible_version_is_a_missing_object() -> None:
    assert met(refused("InvalidArgument", 400), "v").code == "object_missing"
    assert met(refused("InvalidArgument", 400)).code == "object_store_refused"
    assert met(refused("ExpiredToken", 400), "v").code == "bucket_denied"


VENDOR = [kind for _, kind in inspect.getmembers(botocore.exceptions, inspect.isclass) if issubclass(kind, BotoCoreError)]


@pytest.mark.parametrize("kind", VENDOR, ids=lambda kind: kind.__name__)
def test_no_exception_of_botocore_leaks(kind: type[BotoCoreError]) -> None:
    error = met(kind.__new__(kind))
    assert isinstance(error, (RejectedError, TransientError, MisconfiguredError))


@pytest.mark.parametrize(
    "error",
    [
        botocore.exceptions.EndpointConnectionError(endpoint_url="http://x"),
        botocore.exceptions.ConnectTimeoutError(endpoint_url="http://x"),
        botocore.exceptions.ReadTimeoutError(endpoint_url="http://x"),
        botocore.exceptions.ConnectionClosedError(endpoint_url="http://x"),
        botocore.exceptions.ResponseStreamingError(error="x"),
        urllib3.exceptions.ProtocolError("x"),
        urllib3.exceptions.ReadTimeoutError(None, "", "x"),  # type: ignore[arg-type]
        ConnectionResetError(),
        TimeoutError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_broken_connection_is_an_outage(error: Exception) -> None:
    assert type(met(error)) is OutageError
