"""Callback addresses: checked URLs, and the networks that they may lead to."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

MAX_URL_LENGTH = 2_048
PORTS = {"https": 443, "http": 80}
PUBLIC_PORTS = (443, 8443)

# The characters of a URL (RFC 3986): with others, such as spaces, URL parsers can be deceived.
_WRITTEN = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+")
_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))+")
# Names of hosts in private networks.
_INTERNAL = ("localhost", "localdomain", "local", "internal", "home.arpa", "lan", "intranet")


class Refused(ValueError):
    """A URL that must not be called; the message is a sentence with the reason."""


@dataclass(frozen=True, kw_only=True)
class Receiver:
    """Where a callback goes: `host` is a name or an address, `path` has the query with it."""

    is_secure: bool
    host: str
    port: int
    authority: str
    path: str

    @classmethod
    def of(cls, url: str) -> Receiver:
        """Parse and check a URL without a DNS look-up; raise Refused."""
        private: bool = settings.CALLBACK_ALLOW_PRIVATE
        parts, port = _split(url)
        host = (parts.hostname or "").rstrip(".")
        if not private and (parts.scheme != "https" or port not in PUBLIC_PORTS):
            raise Refused("Must be https, on port 443 or 8443.")
        address = written_address(host)
        if address is None:
            _check_name(host, private=private)
        elif not may_reach(address, private=private):
            raise Refused("Must be on the public Internet.")
        return cls(
            is_secure=parts.scheme == "https",
            host=host,
            port=port,
            authority=parts.netloc,
            path=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        )


def mistake_in(url: str) -> str | None:
    """Return what is wrong with a callback URL, None if nothing is."""
    try:
        Receiver.of(url)
    except Refused as refused:
        return str(refused)
    return None


def _split(url: str) -> tuple[SplitResult, int]:
    if len(url) > MAX_URL_LENGTH or not _WRITTEN.fullmatch(url):
        raise Refused("Must be a URL of at most 2,048 characters, without a fragment.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused("The URL cannot be parsed: check its host and port.") from None
    if parts.scheme not in PORTS or not parts.hostname:
        raise Refused("Must begin with https:// and a host.")
    if "@" in parts.netloc:
        raise Refused("Must not contain a user or a password.")
    return parts, PORTS[parts.scheme] if port is None else port


def _check_name(host: str, *, private: bool) -> None:
    if private and host:
        return
    if not _NAME.fullmatch(host) or len(host) > 253:
        raise Refused("The host must be a full domain name.")
    if any(f".{host.lower()}".endswith(f".{name}") for name in _INTERNAL):
        raise Refused("Must be on the public Internet.")


_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# The only range of IPv6 from which public addresses are allocated.
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")


def may_reach(address: IPv4Address | IPv6Address, *, private: bool) -> bool:
    """Return whether a callback may go there: only to the public Internet, unless `private`.

    Never to link-local addresses, where clouds serve credentials to machines, nor to multicast.
    """
    where = _unwrapped(address)
    if where.is_link_local or where.is_multicast or where.is_unspecified:
        return False
    if private and (where.is_private or where.is_loopback):
        return True
    if where.is_reserved or where.is_private or where.is_loopback:
        return False
    return where.is_global and (where.version == 4 or where in _GLOBAL_UNICAST)


def written_address(host: str) -> IPv4Address | IPv6Address | None:
    """Return the address that a host is written as, in any form that systems accept.

    None for a name; without a DNS look-up. 2130706433, 0x7f.1 and 127.1 are all 127.0.0.1.
    """
    try:
        entries = socket.getaddrinfo(
            host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )
    except (OSError, UnicodeError):
        return None
    return ipaddress.ip_address(str(entries[0][4][0]))


def _unwrapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address embedded in an IPv6 address, or the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
