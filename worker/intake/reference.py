"""What a `source-ref` may be: an object in an allowed bucket. Credentials in it are dropped and never kept or repeated.

Refused with RejectedError: reference_invalid, scheme_refused, userinfo_refused, host_not_allowed, bucket_not_allowed,
key_invalid, credential_in_key.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, unquote_to_bytes, urlsplit

import msgspec

from worker.moderation.errors import RejectedError
from worker.moderation.settings import Settings

MAX_KEY_BYTES = 1024  # S3's own limit, of UTF-8
MAX_VERSION_CHARACTERS = 1024  # S3's own limit
UPLOADS = "folders/"  # where `scan FOLDER` uploads to, in the bucket of uploads
MANIFESTS = "manifests/"  # not among the images: they name all of them, are read once, and a lifecycle rule may end them
SHOWN_CHARACTERS = 120  # of a refused reference, in messages

_UNSAFE_IN_KEY = re.compile(r"[\x00-\x1f\x7f]|(?:^|/)\.\.?(?:/|$)")  # S3 takes `../` literally; what stands between may not
_CREDENTIAL = re.compile(r"[?&]x-amz-(?:signature|credential|security-token)=", re.IGNORECASE)


class Reference(msgspec.Struct, frozen=True, gc=False):
    """Where an object is. Ten million are made per large batch: hence a struct."""

    bucket: str
    key: str
    version_id: str | None = None


@dataclass(frozen=True, slots=True)
class AllowedSources:
    """The buckets that items may point into, that of uploads among them, and the endpoint whose presigned URLs name them."""

    buckets: Collection[str]
    endpoint: str | None = None
    uploads: str | None = None

    @classmethod
    def of(cls, settings: Settings) -> "AllowedSources":
        """What the settings allow."""
        return cls(settings.source_buckets, settings.s3_endpoint, settings.upload_bucket)


def parse_reference(text: str, allowed: AllowedSources) -> Reference:
    """Bucket and key of `s3://bucket/key`, taken literally, or of a URL of the configured endpoint, percent-decoded once.

    Of a presigned URL only bucket, key and version are kept. Raises RejectedError.
    """
    if text.startswith("s3://"):
        bucket, _, key = text[5:].partition("/")
        if bucket in allowed.buckets and key:
            return Reference(bucket, checked_key(key))
        raise _why_not_s3(bucket, key)
    reference = _by_url(text, allowed)
    if reference.bucket not in allowed.buckets:
        raise _not_allowed(reference.bucket)
    return reference


def check_prefix(bucket: str, prefix: str, allowed: AllowedSources) -> None:
    """Returns when the prefix may be listed. Raises as `parse_reference`; `prefix_refused`.

    What is uploaded lies below names that cannot be guessed, and belongs to whoever uploaded it: it is listed submission by submission.
    """
    parse_reference(f"s3://{bucket}/{prefix or '-'}", allowed)  # the same rules as for an item
    shared = any(top.startswith(prefix) or prefix.startswith(top) for top in (UPLOADS, MANIFESTS))  # manifests tell where images lie
    if bucket == allowed.uploads and shared and prefix.count("/") < 2:
        raise RejectedError("prefix_refused", f"s3://{bucket}/{prefix} would list uploads of others. Name the prefix below it.")


def checked_key(key: str) -> str:
    """The key, when S3 and everything between can carry it. Raises RejectedError `key_invalid`."""
    if key.isascii() and key.isprintable() and len(key) <= MAX_KEY_BYTES and key[:1] != "." and "/." not in key and "=" not in key:
        return key  # nearly every key ends here, at a tenth of what the patterns below cost
    if _UNSAFE_IN_KEY.search(key):
        raise RejectedError("key_invalid", f"The key {shown(key)} has a control character, or `.` or `..` as a path segment.")
    if _CREDENTIAL.search(key):
        raise RejectedError("credential_in_key", "An s3:// reference with a signature in it. Write s3://bucket/key alone.")
    _check_length(key)
    return key


def checked_version(version: str) -> str:
    """The version id, when it can be one. Raises RejectedError `version_invalid`."""
    if not 0 < len(version) <= MAX_VERSION_CHARACTERS or not (version.isascii() and version.isprintable()):
        raise RejectedError("version_invalid", f"{shown(version)} cannot be an S3 version id.")
    return version


def shown(text: str) -> str:
    """A refused text for messages: short, escaped, without query and without userinfo."""
    visible = re.split(r"[?#]", text, maxsplit=1)[0]
    return repr(re.sub(r"//[^/]*@", "//…@", visible)[:SHOWN_CHARACTERS])


def _check_length(key: str) -> None:
    try:
        length = len(key.encode())
    except UnicodeEncodeError:
        raise RejectedError("key_invalid", f"The key {shown(key)} is not valid Unicode.") from None
    if not 0 < length <= MAX_KEY_BYTES:
        raise RejectedError("key_invalid", f"The key {shown(key)}… has {length:,} bytes; S3 allows 1 to {MAX_KEY_BYTES:,}.")


def _by_url(text: str, allowed: AllowedSources) -> Reference:
    if text.partition("://")[0].lower() not in {"http", "https"} or "://" not in text:
        raise RejectedError("scheme_refused", f"{shown(text)} is not a reference to S3. Write s3://bucket/key.")
    if "\\" in text or any(character <= " " or character == "\x7f" for character in text):
        raise RejectedError("reference_invalid", f"{shown(text)} has a backslash, a blank or a control character in it.")
    try:
        url = urlsplit(text)
        place = (url.scheme, url.hostname or "", url.port)
    except ValueError:
        raise RejectedError("reference_invalid", f"{shown(text)} is not a URL.") from None
    if url.username is not None or url.password is not None:
        raise RejectedError("userinfo_refused", "A URL with a user name or password in it. Write s3://bucket/key.")
    return _of_endpoint(url, place, allowed.endpoint)


def _why_not_s3(bucket: str, key: str) -> RejectedError:
    if "@" in bucket:
        return RejectedError("userinfo_refused", "A reference with a user name or password in it. Write s3://bucket/key.")
    if not key:
        return RejectedError("key_invalid", f"{shown(f's3://{bucket}')} has no key. Write s3://bucket/key.")
    return _not_allowed(bucket)


def _not_allowed(bucket: str) -> RejectedError:
    return RejectedError(
        "bucket_not_allowed", f"Bucket {shown(bucket)} is not an allowed source. Add it to ZOOMIN_BUCKETS, or correct the row."
    )


def _of_endpoint(url: SplitResult, place: tuple[str, str, int | None], endpoint: str | None) -> Reference:
    bucket = _bucket_by_host(place, endpoint)
    path = url.path[1:]
    if bucket is None:  # path style
        bucket, _, path = path.partition("/")
    try:
        # Once: a key that holds a literal "%2e" keeps it.
        key = unquote_to_bytes(path).decode()
        versions = parse_qs(url.query).get("versionId")
    except ValueError:
        raise RejectedError("key_invalid", f"The key of {shown(url.geturl())} is not UTF-8.") from None
    return Reference(bucket, checked_key(key), checked_version(versions[0]) if versions else None)


def _bucket_by_host(place: tuple[str, str, int | None], endpoint: str | None) -> str | None:
    """The bucket that stands before the endpoint's host; None for the endpoint itself. Raises RejectedError for any other host."""
    scheme, host, port = place
    ours = urlsplit(endpoint or "")
    if endpoint and (scheme, port) == (ours.scheme, ours.port):
        for name in _names_of(ours.hostname or ""):
            if host == name:
                return None
            if host.endswith("." + name):
                return host.removesuffix("." + name)
    raise RejectedError("host_not_allowed", f"{host!r} is not the configured object store. Write s3://bucket/key.")


def _names_of(host: str) -> tuple[str, ...]:
    # AWS answers under the region's name and, for buckets, under the global one.
    return (host, "s3.amazonaws.com") if host.endswith(".amazonaws.com") else (host,)
