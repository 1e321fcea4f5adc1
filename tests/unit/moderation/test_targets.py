from ipaddress import ip_address

import pytest

from worker.moderation.errors import RejectedError
from worker.moderation.targets import LONGEST_URL, checked_target, is_public, judge_addresses, parse_target

PUBLIC = ("93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::8.8.8.8", "::ffff:8.8.8.8", "2002:808:808::1")
NOT_PUBLIC = (
    "127.0.0.1", "127.255.255.254", "0.0.0.1", "0.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "100.100.100.200",
    "169.254.169.254", "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1",
    "255.255.255.255", "168.63.129.16",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "fe80::1", "fe80::1%eth0", "fec0::1",
    "fc00::1", "fd00::1", "fd00:ec2::254", "ff02::1", "100::1", "2001::1", "2001:db8::1", "3fff::1", "2002:7f00:1::1", "2002:a9fe:a9fe::",
    "64:ff9b::127.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::1", "5f00::1",
)  # fmt: skip


def code(url: str, *addresses: str, private_targets: bool = False) -> str:
    with pytest.raises(RejectedError) as caught:
        checked_target(url, private_targets=private_targets, resolve=lambda _host, _port: addresses)
    return caught.value.code


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_public_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_no_other_address_is_in_whatever_wrapping(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_a_name_with_one_bad_address_among_good_ones_is_refused(address: str) -> None:
    assert code("https://hooks.example/", "8.8.8.8", address) == "webhook_target_private"


@pytest.mark.parametrize(
    "host",
    [
        "127.1",
        "127.0.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "017700000001",
        "0177.0.0.1",
        "127.0.0.01",
        "1",
        "0",
        "a.0x7f",
        "127.0.0.1.",
    ],
)
def test_unusual_spellings_of_an_address_are_refused_before_any_look_up(host: str) -> None:
    assert code(f"https://{host}/", "8.8.8.8") == "webhook_target_malformed"


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "[fd00::1]", "[fe80::1]"])  # noqa: S104
def test_a_private_address_in_its_usual_spelling_is_refused(host: str) -> None:
    assert code(f"https://{host}/", host.strip("[]")) == "webhook_target_private"


def test_localhost_is_what_the_system_says_it_is() -> None:
    for name in ("localhost", "localhost.", "LOCALHOST", "anything.localhost"):
        assert code(f"https://{name}/", "127.0.0.1", "::1") == "webhook_target_private"


@pytest.mark.parametrize(
    "url",
    [
        "https://user@example.com/", "https://user:password@example.com/", "https://example.com\\@evil.example/", "https://example.com#@evil/",
        "https://exa mple.com/", "https://example.com/\r\nx: y", "https://example.com/\x00", "https://пример.рф/", "https:///path", "https://",
        "https://example.com:99999/", "https://example.com:x/", "https://[::1/", "https://[v1.x]/", "https://-a.example/", "https://a..b/",
        "//example.com/", "https://%6c%6f%63alhost/", "https://[fe80::1%25eth0]x/", "https://" + "a" * LONGEST_URL,
    ],
)  # fmt: skip
def test_a_url_that_two_parsers_could_read_differently_is_refused(url: str) -> None:
    with pytest.raises(RejectedError):
        parse_target(url, private_targets=True)


@pytest.mark.parametrize(
    "url", ["http://example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "javascript:1"]
)
def test_only_https_will_do(url: str) -> None:
    with pytest.raises(RejectedError) as caught:
        parse_target(url, private_targets=False)
    assert caught.value.code == "webhook_target_insecure"


@pytest.mark.parametrize(("port", "good"), [(443, True), (8443, True), (1024, True), (22, False), (25, False), (80, False), (0, False)])
def test_ports_of_other_services_are_refused(port: int, *, good: bool) -> None:
    if good:
        assert parse_target(f"https://example.com:{port}/", private_targets=False).port == port
    else:
        with pytest.raises(RejectedError, match="port"):
            parse_target(f"https://example.com:{port}/", private_targets=False)


def test_private_targets_are_this_machine_alone_and_plain_http_goes_nowhere_else() -> None:
    assert checked_target("http://localhost:8000/x", private_targets=True, resolve=lambda *_: ["127.0.0.1", "::1"]).port == 8000
    assert code("http://hooks.example/", "8.8.8.8", private_targets=True) == "webhook_target_private"
    assert code("https://hooks.example/", "10.0.0.1", private_targets=True) == "webhook_target_private"
    assert code("https://hooks.example/", "169.254.169.254", private_targets=True) == "webhook_target_private"


def test_a_name_without_an_address_says_so() -> None:
    assert code("https://hooks.example/") == "webhook_target_unresolved"


def test_the_refusal_does_not_tell_what_our_names_resolve_to() -> None:
    with pytest.raises(RejectedError) as caught:
        checked_target("https://db.internal/", private_targets=False, resolve=lambda *_: ["10.1.2.3"])
    assert "10.1.2.3" not in caught.value.message


def test_a_target_is_put_together_around_the_address() -> None:
    target = parse_target("HTTPS://Hooks.Example:8443/a%20b?c=d", private_targets=False)
    assert target.at("93.184.216.34") == "https://93.184.216.34:8443/a%20b?c=d"
    assert target.at("2606::1") == "https://[2606::1]:8443/a%20b?c=d"
    assert target.authority == "hooks.example:8443"
    assert parse_target("https://hooks.example", private_targets=False).authority == "hooks.example"
    assert parse_target("https://[2606::1]/", private_targets=False).authority == "[2606::1]"


def test_a_name_with_many_addresses_is_tried_at_a_few_each_once() -> None:
    target = parse_target("https://hooks.example/", private_targets=False)
    many = ["8.8.8.8", "8.8.8.8", *(f"8.8.4.{n}" for n in range(1, 9))]
    assert judge_addresses(target, many, private_targets=False) == ["8.8.8.8", "8.8.4.1", "8.8.4.2"]
