"""Sign-ins under way, as their browsers carry them; and the addresses that secrets may travel to."""

import pytest
from pydantic import ValidationError

from api.sign_in.attempts import SECONDS, Attempt, Attempts
from api.sign_in.discovery import metadata_of
from worker.moderation.people import SCOPES, Role
from worker.moderation.scopes import Scope
from worker.moderation.settings import Settings, is_safe_address

OLD, NEW = "o" * 32, "n" * 32
ISSUER = "https://id.example.com"
METADATA = {name: f"{ISSUER}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")} | {"issuer": ISSUER}


def test_an_attempt_comes_back_whole_until_it_expires() -> None:
    attempts, attempt = Attempts([NEW]), Attempt.begin("/a?b=c", "default")
    sealed = attempts.seal(attempt, now=1_000)
    assert attempts.open(sealed, now=1_000 + SECONDS - 1) == attempt
    assert attempts.open(sealed, now=1_000 + SECONDS) is None
    assert attempt.verifier not in sealed


def test_an_attempt_opens_under_an_older_key_and_never_under_another() -> None:
    attempt = Attempt.begin("/", "default")
    sealed = Attempts([OLD]).seal(attempt, now=0)
    assert Attempts([NEW, OLD]).open(sealed, now=0) == attempt
    assert Attempts([NEW]).open(sealed, now=0) is None


@pytest.mark.parametrize("text", ["", "x", "a.b.c.d.e", "....", "eyJhbGciOiJub25lIn0.e30.", "\u00e9" * 20])
def test_what_is_no_attempt_of_ours_opens_to_nothing(text: str) -> None:
    assert Attempts([NEW]).open(text, now=0) is None


def test_an_attempt_that_was_touched_opens_to_nothing() -> None:
    sealed = Attempts([NEW]).seal(Attempt.begin("/", "default"), now=0)
    for place in (5, len(sealed) // 2, len(sealed) - 30):
        touched = sealed[:place] + ("A" if sealed[place] != "A" else "B") + sealed[place + 1 :]
        assert Attempts([NEW]).open(touched, now=0) is None


def test_every_role_reads_and_only_admins_administer() -> None:
    assert set(SCOPES) == set(Role)
    assert all(Scope.READ in scopes for scopes in SCOPES.values())
    assert [role for role, scopes in SCOPES.items() if Scope.ADMIN in scopes] == [Role.ADMIN]


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://id.example.com/realms/a", True),
        ("http://127.0.0.1:8080", True),
        ("http://[::1]:8080", True),
        ("http://id.example.com", False),
        ("http://127.0.0.1.example.com", False),
        ("https://user@id.example.com", False),
        ("https://id.example.com/?a=b", False),
        ("https://", False),
        ("https://[", False),
        ("ftp://127.0.0.1", False),
    ],
)
def test_secrets_travel_by_tls_or_not_beyond_this_machine(url: str, safe: bool) -> None:  # noqa: FBT001
    assert is_safe_address(url) is safe


@pytest.mark.parametrize("wrong", ["http://zoomin.example.com", "https://zoomin.example.com/app", "zoomin.example.com"])
def test_a_public_address_is_an_origin(wrong: str) -> None:
    with pytest.raises(ValidationError):
        Settings(public_url=wrong)
    assert Settings(public_url="https://Zoomin.example.com/").public_url == "https://zoomin.example.com"
    assert Settings(public_url="").public_url is None


@pytest.mark.parametrize("wrong", [{"issuer": ISSUER + "/"}, {"token_endpoint": "http://id.example.com/token"}, {"jwks_uri": None}])
def test_metadata_of_another_issuer_or_without_tls_is_not_used(wrong: dict[str, str | None]) -> None:
    assert metadata_of(ISSUER, METADATA).issuer == ISSUER
    with pytest.raises(ValueError, match=r"issuer|https|string"):
        metadata_of(ISSUER, METADATA | wrong)
