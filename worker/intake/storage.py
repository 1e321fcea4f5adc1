"""The object store. The only module that knows boto3: none of its exceptions leaves here.

Errors name `s3://bucket/key`, never a query string or a credential, and are classed by what the caller does next:

RejectedError       object_missing, bucket_missing, object_too_large, object_changed, object_exists, object_archived, key_invalid
TransientError      object_incomplete (the store began to send, and did not finish)
OutageError         object_store_unavailable
MisconfiguredError  bucket_denied, object_store_refused, credentials_missing
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)
from botocore.exceptions import (
    ConnectionError as StoreConnectionError,
)
from urllib3.exceptions import HTTPError

from worker.intake.resuming import ResumingStream
from worker.moderation.errors import MisconfiguredError, OutageError, RejectedError, TransientError, ZoomInError
from worker.moderation.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef
    from urllib3.response import HTTPResponse

CONNECT_TIMEOUT_SECONDS = 3
READ_TIMEOUT_SECONDS = 5  # between two bytes, not for the whole body; an object store that is silent for longer is down
ATTEMPTS = 4  # of one call, first one included, by boto3's standard mode
PIECE_BYTES = 1 << 16
DELETE_AT_ONCE = 1_000  # S3's own limit
RETRY_PAUSE_SECONDS = 0.1  # doubles; small beside a fetch's deadline
LONGEST_PAUSE_SECONDS = 2.0

_MISSING_BUCKET = {"NoSuchBucket"}
_MISSING_KEY = {"NoSuchKey", "NoSuchVersion", "404", "NotFound", "MethodNotAllowed"}  # 405: the version is a delete marker
_PASSING = {"SlowDown", "RequestTimeout", "InternalError", "ConditionalRequestConflict"}  # the last: two writers of one new object
_CREDENTIALS = {"ExpiredToken", "InvalidToken", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthorizationHeaderMalformed"}


@dataclass(frozen=True, slots=True)
class StoredObject:
    """A whole object and which bytes they are."""

    body: bytes
    etag: str
    version_id: str | None


@dataclass(frozen=True, slots=True)
class ListedObject:
    """One line of a listing. `size` in bytes, `modified` by the store's clock."""

    key: str
    size: int
    etag: str
    modified: datetime


class Storage:
    """An S3 client. Safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        self._region = settings.s3_region
        # One client leaves retries to boto3. The other makes single attempts: boto3 never retries a body that breaks
        # half-way, so `get` and `open` retry by themselves, request and body under one deadline.
        self._client = _client(settings, attempts=ATTEMPTS)
        self._single = _client(settings, attempts=1)

    def get(self, bucket: str, key: str, version_id: str | None = None, *, max_bytes: int, timeout_seconds: float) -> StoredObject:
        """The whole object, never a part of it.

        The deadline covers retries; it can be overrun by one socket time-out (5 s). A retry asks for the ETag first seen.
        Raises RejectedError, TransientError, MisconfiguredError.
        """
        deadline = time.monotonic() + timeout_seconds
        where, etag, pause = address(bucket, key), None, RETRY_PAUSE_SECONDS
        while True:
            try:
                with border(where, version_id):
                    response = self._single.get_object(**_request(bucket, key, version_id, etag))
                    etag = response["ETag"]
                    body = _read_whole(response, where, max_bytes, deadline)
                return StoredObject(body, etag.strip('"'), _version(response))
            except TransientError:
                if time.monotonic() + pause >= deadline:
                    raise
                time.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    @contextmanager
    def open(self, bucket: str, key: str, version_id: str | None = None, *, etag: str | None = None) -> Iterator[ResumingStream]:
        """A binary stream of a long object, resumed by range after a broken connection.

        With `etag`, only that very object is read. Raises RejectedError `manifest_changed` when it changes on the way.
        """
        seen: list[str] = [f'"{etag}"'] if etag else []

        def open_at(offset: int) -> _Body:
            try:
                with border(address(bucket, key), version_id):
                    response = self._single.get_object(**_request(bucket, key, version_id, *seen, offset=offset))
            except RejectedError as error:
                if error.code != "object_changed":
                    raise
                raise RejectedError(
                    "manifest_changed", f"{address(bucket, key)} changed while it was read. Submit it again as a new batch."
                ) from None
            if offset and "ContentRange" not in response:
                raise MisconfiguredError("object_store_refused", f"The object store ignores Range requests for {address(bucket, key)}.")
            seen[:] = [response["ETag"]]
            return _Body(response, address(bucket, key))

        with ResumingStream(open_at) as stream:
            yield stream

    def etag(self, bucket: str, key: str, version_id: str | None = None) -> str | None:
        """The ETag of an object; None when there is none."""
        try:
            with border(address(bucket, key), version_id):
                return self._client.head_object(**_request(bucket, key, version_id))["ETag"].strip('"')
        except RejectedError as error:
            if error.code == "object_missing":
                return None
            raise

    def exists(self, bucket: str, key: str) -> bool:
        """Whether there is such an object."""
        return self.etag(bucket, key) is not None

    def list(self, bucket: str, prefix: str, start_after: str = "") -> Iterator[ListedObject]:
        """Objects below `prefix` in the store's order, page by page."""
        pages = iter(self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, StartAfter=start_after))
        while True:
            with border(address(bucket, prefix)):
                page = next(pages, None)
            if page is None:
                return
            for entry in page.get("Contents", ()):
                yield ListedObject(entry["Key"], entry["Size"], entry.get("ETag", "").strip('"'), entry["LastModified"])

    def put(self, bucket: str, key: str, body: bytes, media_type: str) -> None:
        """Writes an object."""
        with border(address(bucket, key)):
            self._client.put_object(Bucket=bucket, Key=key, Body=body, ContentType=media_type)

    def put_new(self, bucket: str, key: str, body: bytes, media_type: str) -> str | None:
        """Writes an object where there is none: its version, where the bucket keeps them. Makes one attempt.

        Raises RejectedError `object_exists`, OutageError, MisconfiguredError.
        """
        where = address(bucket, key)
        try:
            with border(where):
                return _version(self._single.put_object(Bucket=bucket, Key=key, Body=body, ContentType=media_type, IfNoneMatch="*"))
        except RejectedError as error:
            if error.code != "object_changed":  # 412, as for a read
                raise
            raise RejectedError("object_exists", f"{where} exists already.") from None

    def remove(self, bucket: str, keys: Sequence[str]) -> frozenset[str]:
        """Removes up to 1,000 objects, all versions of each where the bucket keeps them: those keys that the store would not remove.

        It refuses what Object Lock holds, or when s3:DeleteObject, s3:DeleteObjectVersion or s3:ListBucketVersions are not granted.
        """
        where = address(bucket, keys[0]) if len(keys) == 1 else address(bucket)
        try:
            with border(where):
                versioned = "Status" in self._client.get_bucket_versioning(Bucket=bucket)  # also once it was suspended
                doomed = list(self._versions(bucket, keys)) if versioned else [{"Key": key} for key in keys]
                refused: set[str] = set()
                for part in range(0, len(doomed), DELETE_AT_ONCE):
                    wanted = {"Objects": doomed[part : part + DELETE_AT_ONCE], "Quiet": True}
                    answer = self._client.delete_objects(Bucket=bucket, Delete=wanted)  # type: ignore[arg-type]  # a TypedDict's shape
                    refused |= {error["Key"] for error in answer.get("Errors", ()) if error.get("Code") not in _MISSING_KEY}
        except MisconfiguredError as error:
            if error.code != "bucket_denied":
                raise
            return frozenset(keys)
        return frozenset(refused)

    def _versions(self, bucket: str, keys: Sequence[str]) -> Iterator[dict[str, str]]:
        pages = self._client.get_paginator("list_object_versions")
        for key in keys:
            for page in pages.paginate(Bucket=bucket, Prefix=key):
                for found in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                    if found["Key"] == key:
                        yield {"Key": key, "VersionId": found["VersionId"]}

    def upload_file(self, bucket: str, key: str, path: Path, media_type: str) -> None:
        """Writes a local file as an object. Raises OSError for the file's own faults."""
        with path.open("rb") as file, border(address(bucket, key)):
            self._client.put_object(Bucket=bucket, Key=key, Body=file, ContentType=media_type)

    def ensure_bucket(self, bucket: str) -> None:
        """Creates the bucket unless it is there."""
        try:
            with border(address(bucket)):
                self._client.head_bucket(Bucket=bucket)
        except RejectedError:
            with border(address(bucket)), suppress(self._client.exceptions.BucketAlreadyOwnedByYou):  # another process was quicker
                self._client.create_bucket(**self._new_bucket(bucket))

    def _new_bucket(self, bucket: str) -> dict[str, Any]:
        # AWS wants the region spelled out everywhere but in the one where it refuses it.
        place = {"LocationConstraint": self._region}
        return {"Bucket": bucket} if self._region == "us-east-1" else {"Bucket": bucket, "CreateBucketConfiguration": place}

    def check_readable(self, bucket: str) -> None:
        """Returns when objects of the bucket can be listed and read; raises what a worker would meet otherwise."""
        for listed in self.list(bucket, ""):
            with border(address(bucket, listed.key)):
                self._client.head_object(Bucket=bucket, Key=listed.key)
            return


class _Body:
    """The rest of an object from some offset on."""

    def __init__(self, response: "GetObjectOutputTypeDef", where: str) -> None:
        self._body = response["Body"]
        self._raw = _raw(response)
        self._left = response["ContentLength"]
        self._where = where

    def read_some(self, limit: int) -> bytes:
        """Up to `limit` bytes as they come; b"" at the end. Raises TransientError, also for a body that ends too early."""
        with border(self._where):
            piece = self._raw.read1(limit)
        self._left -= len(piece)
        if not piece and self._left > 0:
            raise TransientError("object_incomplete", f"{self._where} ended {self._left} bytes too early.")
        return piece

    def close(self) -> None:
        """Closes the connection."""
        self._body.close()


def address(bucket: str, key: str = "") -> str:
    """How messages name a place."""
    return f"s3://{bucket}/{key}"


@contextmanager
def border(where: str, version_id: str | None = None) -> Iterator[None]:
    """Turns boto3's and urllib3's exceptions into ours. `where` is for the message."""
    try:
        yield
    except ClientError as error:
        raise _refusal(error, where, version_id) from error
    except (HTTPClientError, StoreConnectionError, HTTPError, OSError) as error:
        raise OutageError("object_store_unavailable", f"The object store did not answer for {where}. It will be tried again.") from error
    except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError) as error:
        raise MisconfiguredError("credentials_missing", "No S3 credentials: set ZOOMIN_S3_ACCESS_KEY and ZOOMIN_S3_SECRET_KEY.") from error
    except ParamValidationError as error:
        raise RejectedError("key_invalid", f"{where} is not a possible S3 address.") from error
    except BotoCoreError as error:
        raise MisconfiguredError("object_store_refused", f"{type(error).__name__} for {where}: check the ZOOMIN_S3_* settings.") from error


def _refusal(error: ClientError, where: str, version_id: str | None) -> ZoomInError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if status >= 500 or status == 429 or code in _PASSING:
        return OutageError("object_store_unavailable", f"The object store answered {status} for {where}. It will be tried again.")
    if rejected := _rejection(code, status, where, version_id):
        return rejected
    if status == 403 or code in _CREDENTIALS:
        return MisconfiguredError(
            "bucket_denied",
            f"Access to {where} was denied. Check the ZOOMIN_S3_* settings and the bucket's policy; s3:GetObject and s3:ListBucket "
            "are needed (without the latter S3 denies what is only missing).",
        )
    return MisconfiguredError("object_store_refused", f"The object store refused {where} with {status} {code}.")


def _rejection(code: str, status: int, where: str, version_id: str | None) -> RejectedError | None:
    if code in _MISSING_BUCKET:
        return RejectedError("bucket_missing", f"The bucket of {where} does not exist.")
    if code in _MISSING_KEY or status == 404 or (version_id is not None and status == 400 and code not in _CREDENTIALS):
        pinned = f" in version {version_id}" if version_id is not None else ""
        return RejectedError("object_missing", f"{where} does not exist{pinned}.")
    if status == 412:
        return RejectedError("object_changed", f"{where} was overwritten while it was read.")
    if code == "InvalidObjectState":
        return RejectedError("object_archived", f"{where} is archived. Restore it, then rescan.")
    if code == "KeyTooLongError":
        return RejectedError("key_invalid", f"The key of {where[:100]}… is longer than 1,024 bytes.")
    return None


def _client(settings: Settings, *, attempts: int) -> "S3Client":
    host = urlsplit(settings.s3_endpoint or "").hostname or "amazonaws.com"
    key, secret = settings.s3_access_key, settings.s3_secret_key
    config = Config(
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=max(10, settings.images_in_flight),
        tcp_keepalive=True,
        # Other stores answer under bucket.host seldom, and know the newer checksums only in part.
        s3={"addressing_style": "auto" if host.endswith("amazonaws.com") else "path"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return boto3.session.Session().client(
        "s3",
        endpoint_url=settings.s3_endpoint,
        region_name=settings.s3_region,
        aws_access_key_id=key.get_secret_value() if key else None,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        config=config,
    )


def _request(bucket: str, key: str, version_id: str | None, etag: str | None = None, *, offset: int = 0) -> dict[str, Any]:
    wanted: Mapping[str, str | None] = {
        "Bucket": bucket,
        "Key": key,
        "VersionId": version_id,
        "IfMatch": etag,
        "Range": f"bytes={offset}-" if offset else None,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _read_whole(response: "GetObjectOutputTypeDef", where: str, max_bytes: int, deadline: float) -> bytes:
    expected = response.get("ContentLength")
    body, raw = bytearray(), _raw(response)
    try:
        if expected is not None and expected > max_bytes:
            raise RejectedError("object_too_large", f"{where} has {expected:,} bytes; the limit is {max_bytes:,} (ZOOMIN_FETCH_MAX_BYTES).")
        while piece := raw.read1(PIECE_BYTES):
            body += piece
            if len(body) > max_bytes:
                raise RejectedError(
                    "object_too_large", f"{where} is longer than the limit of {max_bytes:,} bytes (ZOOMIN_FETCH_MAX_BYTES)."
                )
            if time.monotonic() > deadline:
                raise TransientError("object_incomplete", f"{where} came too slowly: {len(body):,} bytes at the deadline.")
    except (HTTPClientError, HTTPError, OSError) as error:
        raise TransientError("object_incomplete", f"{where} broke off after {len(body):,} bytes.") from error
    finally:
        response["Body"].close()
    if expected is not None and len(body) != expected:
        raise TransientError("object_incomplete", f"{where} ended after {len(body):,} of {expected:,} bytes.")
    return bytes(body)


def _raw(response: "GetObjectOutputTypeDef") -> "HTTPResponse":
    # Entering a StreamingBody gives urllib3's response, whose read1 returns after one packet: read(n) would wait for n
    # bytes, however slowly they drip, past every deadline.
    return cast("HTTPResponse", response["Body"].__enter__())


def _version(response: Mapping[str, object]) -> str | None:
    version = response.get("VersionId")
    return None if version in {None, "null"} else str(version)
