"""Which addresses of the network callbacks may go to: no one's internals, ours above all."""

from __future__ import annotations

import ipaddress
import socket
from ipaddress import IPv4Address, IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# All that was ever given out of version 6 for the Internet.
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")


def may_reach(address: IPv4Address | IPv6Address, *, private: bool) -> bool:
    """Say whether a callback may go there: only to the public Internet, unless `private`.

    Never to where a machine talks to its own cloud (link-local), nor to many at once (multicast).
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
    """Return the address that a host spells out, in any of the ways that systems understand.

    None for a name. Asks nobody: 2130706433, 0x7f.1 and 127.1 are all 127.0.0.1.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return None
    return ipaddress.ip_address(str(found[0][4][0]))


def _unwrapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the version 4 address that a version 6 address stands for, if it does."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
