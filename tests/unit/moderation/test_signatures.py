import base64

import pytest

from worker.moderation.errors import RejectedError
from worker.moderation.signatures import key_of, new_secret, sign, signed_headers, verify

# The vector that the standard's own libraries are tested with (standard-webhooks/standard-webhooks, "sign function works").
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE_ID, TIMESTAMP, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def code(secret: str, headers: dict[str, str], body: bytes = BODY, now: float = TIMESTAMP) -> str:
    with pytest.raises(RejectedError) as caught:
        verify(secret, headers, body, now=now)
    return caught.value.code


def test_the_standards_own_vector() -> None:
    assert sign(SECRET, MESSAGE_ID, TIMESTAMP, BODY) == SIGNATURE


def test_a_signed_message_verifies() -> None:
    headers = signed_headers([SECRET], MESSAGE_ID, TIMESTAMP, BODY)
    assert headers == {"webhook-id": MESSAGE_ID, "webhook-timestamp": str(TIMESTAMP), "webhook-signature": SIGNATURE}
    assert verify(SECRET, headers, BODY, now=TIMESTAMP + 299) == MESSAGE_ID


def test_during_a_rotation_either_secret_verifies() -> None:
    old, new = new_secret(), new_secret()
    headers = signed_headers([new, old], MESSAGE_ID, TIMESTAMP, BODY)
    assert headers["webhook-signature"].count("v1,") == 2
    assert verify(old, headers, BODY, now=TIMESTAMP) == verify(new, headers, BODY, now=TIMESTAMP) == MESSAGE_ID
    assert code(new_secret(), headers) == "webhook_forged"


def test_signatures_of_other_schemes_beside_ours_are_passed_over() -> None:
    headers = signed_headers([SECRET], MESSAGE_ID, TIMESTAMP, BODY)
    headers["webhook-signature"] = "v1a,abc v2,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= ü " + headers["webhook-signature"]
    assert verify(SECRET, headers, BODY, now=TIMESTAMP) == MESSAGE_ID


@pytest.mark.parametrize("changed", ["webhook-id", "webhook-timestamp", "body"])
def test_nothing_signed_can_be_changed(changed: str) -> None:
    headers = signed_headers([SECRET], MESSAGE_ID, TIMESTAMP, BODY)
    if changed == "body":
        assert code(SECRET, headers, BODY + b" ") == "webhook_forged"
    else:
        headers[changed] = {"webhook-id": "msg_other", "webhook-timestamp": str(TIMESTAMP + 1)}[changed]
        assert code(SECRET, headers) == "webhook_forged"


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_every_header_is_needed(missing: str) -> None:
    headers = signed_headers([SECRET], MESSAGE_ID, TIMESTAMP, BODY)
    del headers[missing]
    assert code(SECRET, headers) == "webhook_unsigned"


@pytest.mark.parametrize("now", [TIMESTAMP - 301, TIMESTAMP + 301])
def test_a_replay_is_stale(now: float) -> None:
    assert code(SECRET, signed_headers([SECRET], MESSAGE_ID, TIMESTAMP, BODY), now=now) == "webhook_stale"


def test_a_timestamp_that_is_no_number_is_refused() -> None:
    headers = {**signed_headers([SECRET], MESSAGE_ID, TIMESTAMP, BODY), "webhook-timestamp": "hello"}
    assert code(SECRET, headers) == "webhook_unsigned"


def test_a_new_secret_is_unlike_the_last_and_of_the_standards_length() -> None:
    assert new_secret() != new_secret()
    assert 24 <= len(key_of(new_secret())) <= 64


@pytest.mark.parametrize("length", [0, 23, 65])
def test_a_key_too_short_or_too_long_is_refused(length: int) -> None:
    with pytest.raises(RejectedError, match="24 to 64"):
        key_of("whsec_" + base64.b64encode(b"x" * length).decode())


def test_a_key_that_is_not_base64_or_has_no_prefix_is_refused() -> None:
    for secret in ("whsec_%%%%", base64.b64encode(b"x" * 32).decode()):
        with pytest.raises(RejectedError):
            key_of(secret)
