import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.intake.reference import AllowedSources, parse_reference
from worker.moderation.errors import RejectedError

AWS = AllowedSources({"photos", "my.bucket"}, "https://s3.eu-west-1.amazonaws.com")
LOCAL = AllowedSources({"photos"}, "http://127.0.0.1:9000")


def code_of(text: str, allowed: AllowedSources = AWS) -> str:
    with pytest.raises(RejectedError) as refused:
        parse_reference(text, allowed)
    return refused.value.code


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("s3://photos/a.jpg", "a.jpg"),
        ("s3://photos/2026/ü 🐈.jpg", "2026/ü 🐈.jpg"),
        ("s3://photos/a%20b?c#d.jpg", "a%20b?c#d.jpg"),  # s3:// is taken literally
        ("s3://photos//double//slash.jpg", "/double//slash.jpg"),
        ("s3://photos/a..b/...", "a..b/..."),
        ("s3://photos/" + "k" * 1024, "k" * 1024),
        ("s3://photos/key=1/x.jpg", "key=1/x.jpg"),
        ("s3://photos/back\\slash.jpg", "back\\slash.jpg"),
    ],
)
def test_s3_reference_is_taken_literally(text: str, key: str) -> None:
    reference = parse_reference(text, AWS)
    assert (reference.bucket, reference.key, reference.version_id) == ("photos", key, None)


@pytest.mark.parametrize(
    "text",
    [
        "https://photos.s3.eu-west-1.amazonaws.com/dir/a%20b.jpg?X-Amz-Signature=secret&X-Amz-Expires=60",
        "https://s3.eu-west-1.amazonaws.com/photos/dir/a%20b.jpg?X-Amz-Credential=AKIA",
        "https://photos.s3.amazonaws.com/dir/a%20b.jpg",
    ],
)
def test_presigned_url_keeps_bucket_and_key_and_drops_the_credential(text: str) -> None:
    reference = parse_reference(text, AWS)
    assert (reference.bucket, reference.key) == ("photos", "dir/a b.jpg")


def test_presigned_url_of_a_version_keeps_the_version() -> None:
    assert parse_reference("http://127.0.0.1:9000/photos/a.jpg?versionId=v1&X-Amz-Signature=s", LOCAL).version_id == "v1"


def test_percent_encoding_is_undone_once() -> None:
    assert parse_reference("http://127.0.0.1:9000/photos/a%252e%252e.jpg", LOCAL).key == "a%2e%2e.jpg"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "scheme_refused"),
        ("a.jpg", "scheme_refused"),
        ("file:///etc/passwd", "scheme_refused"),
        ("gopher://127.0.0.1/x", "scheme_refused"),
        ("ftp://photos/x", "scheme_refused"),
        ("S3://photos/a.jpg", "scheme_refused"),
        ("http://169.254.169.254/latest/meta-data/", "host_not_allowed"),
        ("http://127.0.0.1/photos/x", "host_not_allowed"),
        ("http://[::1]/photos/x", "host_not_allowed"),
        ("http://0x7f000001/photos/x", "host_not_allowed"),
        ("http://2130706433/photos/x", "host_not_allowed"),
        ("https://evil.example/photos/x", "host_not_allowed"),
        ("https://photos.s3.eu-west-1.amazonaws.com.evil.example/x", "host_not_allowed"),
        ("http://photos.s3.eu-west-1.amazonaws.com/x", "host_not_allowed"),  # not the endpoint's scheme
        ("https://photos.s3.eu-west-1.amazonaws.com:8443/x", "host_not_allowed"),
        ("https://s3.eu-west-1.amazonaws.com\\@evil/photos/x", "reference_invalid"),
        ("https://ok\\@evil/x", "reference_invalid"),
        ("https://[broken/x", "reference_invalid"),
        ("https://s3.eu-west-1.amazonaws.com:port/photos/x", "reference_invalid"),
        ("https://user:word@s3.eu-west-1.amazonaws.com/photos/x", "userinfo_refused"),
        ("s3://key:secret@photos/x", "userinfo_refused"),
        ("s3://other/a.jpg", "bucket_not_allowed"),
        ("https://other.s3.eu-west-1.amazonaws.com/a.jpg", "bucket_not_allowed"),
        ("s3:///a.jpg", "bucket_not_allowed"),
        ("s3://photos", "key_invalid"),
        ("s3://photos/", "key_invalid"),
        ("s3://photos/../other/a.jpg", "key_invalid"),
        ("s3://photos/a/..", "key_invalid"),
        ("s3://photos/./a", "key_invalid"),
        ("https://s3.eu-west-1.amazonaws.com/photos/%2e%2e/other", "key_invalid"),
        ("https://s3.eu-west-1.amazonaws.com/photos/%ff", "key_invalid"),
        ("s3://photos/a\x00b", "key_invalid"),
        ("s3://photos/a\nb", "key_invalid"),
        ("s3://photos/\ud800", "key_invalid"),
        ("s3://photos/" + "k" * 1025, "key_invalid"),
        ("s3://photos/" + "ü" * 513, "key_invalid"),
        ("s3://photos/a.jpg?X-Amz-Signature=abc", "credential_in_key"),
    ],
)
def test_everything_else_is_refused_by_a_stable_code(text: str, code: str) -> None:
    assert code_of(text) == code


@pytest.mark.parametrize(
    "text",
    [
        "https://evil.example/x?X-Amz-Signature=topsecret",
        "https://user:topsecret@evil.example/x",
        "s3://key:topsecret@photos/x",
        "s3://photos/a.jpg?X-Amz-Signature=topsecret",
        "ftp://user:topsecret@host/x",
    ],
)
def test_a_refusal_never_repeats_a_credential(text: str) -> None:
    with pytest.raises(RejectedError) as refused:
        parse_reference(text, AWS)
    assert "topsecret" not in refused.value.message


URL_PARTS = st.sampled_from(
    [
        "s3://",
        "https://",
        "photos",
        "/",
        "s3.eu-west-1.amazonaws.com",
        "@",
        "\\",
        "..",
        "%2e",
        "%00",
        "?",
        "#",
        ":",
        "[",
        "]",
        "\x00",
        "é",
        "\ud800",
    ]
)


@given(st.one_of(st.text(), st.lists(URL_PARTS, max_size=12).map("".join), st.text().map("s3://photos/".__add__)))
def test_no_text_raises_anything_but_a_rejection(text: str) -> None:
    try:
        reference = parse_reference(text, AWS)
    except RejectedError as error:
        error.message.encode()  # can be stored and shown
        return
    assert reference.bucket in AWS.buckets
    assert 0 < len(reference.key.encode()) <= 1024
    assert ".." not in reference.key.split("/")
    assert "\x00" not in reference.key
