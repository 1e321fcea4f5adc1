"""Where webhooks may go. A target is judged by every address its name resolves to, when it is made and again at every send.

Only addresses of the public Internet will do, in whatever notation, since a tenant must not make us speak to our own network. The
caller connects to the very address that was judged: a name that resolves to something else a moment later gains nothing.
"""

import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from worker.moderation.errors import RejectedError

LONGEST_URL = 2048  # characters
HTTPS, LOWEST_FREE_PORT = 443, 1024  # the other ports below speak mail, shells and directories
ADDRESSES_TRIED = 3  # of those a name has

_URL = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%#]+")  # RFC 3986's alphabet: no space, backslash, quote or control character
_PLACE = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:]+)(:[0-9]+)?")  # urlsplit passes over what stands beside the brackets
_NAME = re.compile(r"(?=.{1,253}\.?$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.?")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")  # a last label like this makes the whole an IPv4 address, in C libraries' eyes
_GLOBAL_V6 = IPv6Network("2000::/3")  # all that IANA has given out; everything else is local, reserved, or wraps an IPv4 address
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the last 32 bits
# `is_global` says yes to these, or does in some Python versions.
_REFUSED = (
    IPv4Network("168.63.129.16/32"),  # Azure's host, which hands out credentials
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),  # relays into IPv6
    IPv6Network("2001::/23"),  # Teredo, ORCHID, benchmarks
    IPv6Network("3fff::/20"),  # documentation
)

Resolve = Callable[[str, int], Sequence[str]]  # name and port → addresses, in the order to try


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A URL taken apart. Whoever sends puts it together again around an address, so no second parser can read it otherwise."""

    url: str
    scheme: str
    host: str  # lower case; an IPv6 address without brackets
    port: int
    path: str  # with the query

    @property
    def authority(self) -> str:
        """What belongs into the header `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == {"https": HTTPS, "http": 80}[self.scheme] else f"{host}:{self.port}"

    def at(self, address: str) -> str:
        """The URL with an address in place of the name."""
        host = f"[{address}]" if ":" in address else address
        return f"{self.scheme}://{host}:{self.port}{self.path}"


def checked_target(url: str, *, private_targets: bool, resolve: Resolve | None = None) -> Target:
    """The target, once its name was looked up and every address judged: call it outside any transaction. Raises RejectedError."""
    target = parse_target(url, private_targets=private_targets)
    judge_addresses(target, (resolve or system_addresses)(target.host, target.port), private_targets=private_targets)
    return target


def parse_target(url: str, *, private_targets: bool) -> Target:
    """The parts of a URL that may be sent to, as far as its text tells. Raises RejectedError."""
    if len(url) > LONGEST_URL or not _URL.fullmatch(url):
        raise _malformed("an https URL of at most 2,048 ASCII characters (internationalised names as xn--…, the rest %-encoded)")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _malformed("a URL with a host and a port number") from None
    scheme = parts.scheme.lower()
    if scheme != "https" and not (private_targets and scheme == "http"):
        raise RejectedError("webhook_target_insecure", "A webhook's URL must begin with https://.")
    if "@" in parts.netloc or "#" in url:
        raise _malformed("without user, password or fragment: the signature is what proves us")
    if not _PLACE.fullmatch(parts.netloc):
        raise _malformed("with a host name, or an address in its usual notation")
    port = port if port is not None else {"https": HTTPS, "http": 80}[scheme]
    if not private_targets and port != HTTPS and port < LOWEST_FREE_PORT:
        raise RejectedError("webhook_target_port", f"A webhook's port must be {HTTPS}, or {LOWEST_FREE_PORT} and above.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(url=url, scheme=scheme, host=_host(host), port=port, path=path)


def judge_addresses(target: Target, addresses: Sequence[str], *, private_targets: bool) -> list[str]:
    """The addresses to try, once all were found good. Raises RejectedError, without naming any: our names are nobody's business."""
    if not addresses:
        raise RejectedError("webhook_target_unresolved", f"The name {target.host} has no address.")
    for text in addresses:
        address = ip_address(text)
        near = private_targets and _unwrapped(address).is_loopback
        if not near and (target.scheme != "https" or not is_public(address)):
            raise RejectedError("webhook_target_private", f"{target.host} is not an address of the public Internet.")
    return list(dict.fromkeys(addresses))[:ADDRESSES_TRIED]


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of the public Internet; so must be the IPv4 address that it wraps."""
    if isinstance(address, IPv6Address):
        if address.scope_id:
            return False
        inner = _unwrapped(address)
        if isinstance(inner, IPv4Address):
            return is_public(inner)
        if address not in _GLOBAL_V6:
            return False
    refused = any(address in network for network in _REFUSED)
    return address.is_global and not (address.is_multicast or address.is_reserved or refused)


def system_addresses(host: str, port: int) -> list[str]:
    """What the system's resolver says; blocks for as long as it likes. Raises RejectedError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise RejectedError("webhook_target_unresolved", f"The name {host} has no address.") from None
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


def _unwrapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one stands for (mapped, 6to4, NAT64), else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _host(host: str) -> str:
    """A name or an address in its canonical spelling. Raises RejectedError for 127.1, 0x7f.1, 2130706433 and their like."""
    if ":" in host or _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        try:
            return str(ip_address(host))
        except ValueError:
            raise _malformed("with a host name, or an address in its usual notation") from None
    if not _NAME.fullmatch(host):
        raise _malformed("with a host name")
    return host


def _malformed(wanted: str) -> RejectedError:
    return RejectedError("webhook_target_malformed", f"A webhook's URL must be {wanted}.")
