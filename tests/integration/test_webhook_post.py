"""One POST, against real servers: the certificate, the pinned address, and everything that must not be reached."""

import ssl
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.integration.broken_store import BrokenStore, answer, drip
from tests.integration.webhook_world import Receiver, receiver
from worker.moderation.targets import Resolve
from worker.webhooks.post import Answer, Poster

NAME = "hooks.example"  # which no name server knows: whoever looks it up for himself gets nowhere


def to(*addresses: str) -> Resolve:
    """A resolver that says these."""
    return lambda _host, _port: addresses


async def post(
    url: str, resolve: Resolve, *, private_targets: bool = True, tls: ssl.SSLContext | None = None, total: float = 5.0
) -> Answer:
    poster = Poster(private_targets=private_targets, resolve=resolve, tls=tls, total=total)
    try:
        return await poster.post(url, {"content-type": "application/json", "webhook-id": "evt_1"}, b"{}")
    finally:
        await poster.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for NAME, its own authority, with its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - timedelta(1), now + timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def https(certificate: Path) -> Iterator[tuple[Receiver, list[str | None]]]:
    """A server with that certificate, and the names that clients asked for."""
    asked: list[str | None] = []
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    with receiver() as there:
        there.server.socket = context.wrap_socket(there.server.socket, server_side=True)
        yield there, asked


async def test_the_certificate_is_verified_against_the_name_while_the_connection_goes_to_the_address(
    https: tuple[Receiver, list[str | None]], certificate: Path
) -> None:
    there, asked = https
    port = there.server.server_port
    got = await post(f"https://{NAME}:{port}/a?b=c", to("127.0.0.1"), tls=ssl.create_default_context(cafile=certificate))
    assert (got.status, got.error_code) == (204, None)
    assert asked == [NAME]
    assert there.received[0].headers["host"] == f"{NAME}:{port}"
    assert there.received[0].path == "/a?b=c"


async def test_a_certificate_of_another_name_or_authority_is_refused(https: tuple[Receiver, list[str | None]], certificate: Path) -> None:
    there, _ = https
    port = there.server.server_port
    trusting = ssl.create_default_context(cafile=certificate)
    assert (await post(f"https://other.example:{port}/", to("127.0.0.1"), tls=trusting)).error_code == "tls_failed"
    assert (await post(f"https://{NAME}:{port}/", to("127.0.0.1"))).error_code == "tls_failed"
    assert there.received == []


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "0.0.0.1", "169.254.169.254", "10.0.0.1", "fd00::1", "fe80::1"]
)
async def test_a_name_that_turned_private_after_it_was_accepted_is_not_connected_to(address: str) -> None:
    with receiver() as there:
        got = await post(f"https://{NAME}:{there.server.server_port}/", to("8.8.8.8", address), private_targets=False)
    assert got.error_code == "webhook_target_private"
    assert there.received == []


async def test_the_name_is_looked_up_once_per_send_so_that_a_second_answer_has_no_effect() -> None:
    asked = threading.Lock()
    said: list[Sequence[str]] = [["127.0.0.1"], ["10.0.0.1"]]

    def rebinding(_host: str, _port: int) -> Sequence[str]:
        with asked:
            return said.pop(0)

    with receiver() as there:
        got = await post(f"http://{NAME}:{there.server.server_port}/", rebinding)
    assert got.accepted
    assert said == [["10.0.0.1"]]


async def test_a_redirect_is_a_failure_and_leads_nowhere() -> None:
    with receiver() as inside, receiver(307) as there:
        there.headers["location"] = inside.url
        got = await post(there.url, to("127.0.0.1"))
    assert (got.status, got.error_code) == (307, "http_307")
    assert inside.received == []


async def test_the_next_address_is_tried_when_one_cannot_be_reached() -> None:
    with receiver() as there:
        got = await post(f"http://{NAME}:{there.server.server_port}/", to("127.0.0.77", "::1", "127.0.0.1"))
    assert got.accepted


async def test_a_look_up_that_hangs_is_cut_off() -> None:
    released = threading.Event()

    def hanging(_host: str, _port: int) -> Sequence[str]:
        released.wait(20)
        return ["127.0.0.1"]

    got = await post(f"http://{NAME}/", hanging, total=0.2)
    released.set()
    assert got.error_code == "timeout"
    assert got.seconds < 2


async def test_an_answer_that_drips_is_known_by_its_head() -> None:
    with BrokenStore(drip(10_000, seconds_between=0.05)) as there:
        got = await post(f"{there.endpoint}/", to("127.0.0.1"), total=0.5)
    assert (got.status, got.error_code) == (200, None)
    assert got.seconds < 2


async def test_a_head_that_never_ends_is_a_time_out() -> None:
    def endless(client: object) -> None:
        try:
            for _ in range(200):
                client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")  # type: ignore[attr-defined]
                threading.Event().wait(0.05)
        except OSError:
            return

    with BrokenStore(endless) as there:
        got = await post(f"{there.endpoint}/", to("127.0.0.1"), total=0.5)
    assert got.error_code == "timeout"


@pytest.mark.parametrize("text", ["not http at all\r\n\r\n", ""])
async def test_what_is_not_http_is_an_error_with_a_code(text: str) -> None:
    with BrokenStore(lambda client: client.sendall(text.encode())) as there:
        got = await post(f"{there.endpoint}/", to("127.0.0.1"))
    assert (got.status, got.error_code) == (None, "connection_lost")


@pytest.mark.parametrize(("said", "seconds"), [("120", 120.0), ("-1", 0.0), ("soon", 0.0), ("9" * 50, 0.0), ("٣", 0.0)])
async def test_only_plain_seconds_of_retry_after_count(said: str, seconds: float) -> None:
    with BrokenStore(answer("503 Busy", extra=f"Retry-After: {said}\r\n")) as there:
        got = await post(f"{there.endpoint}/", to("127.0.0.1"))
    assert (got.error_code, got.retry_after) == ("http_503", seconds)


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as proxy, receiver() as there:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert (await post(there.url, to("127.0.0.1"))).accepted
    assert proxy.received == []
