"""Whom to call back: a checked URL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from tasks.callbacks.network import may_reach, written_address

MAX_URL_LENGTH = 2_048
PORTS = {"https": 443, "http": 80}
PUBLIC_PORTS = (443, 8443)

# What a URL is written in (RFC 3986); controls, spaces and backslashes are how parsers are fooled.
_WRITTEN = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+")
_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))+")
# Names that lead into a network of somebody's own.
_INTERNAL = ("localhost", "localdomain", "local", "internal", "home.arpa", "lan", "intranet")


class Refused(ValueError):
    """A URL that must not be called; says why in a sentence."""


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
        """Read a URL without asking anybody; raise Refused."""
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
    """Return what is wrong with a URL that somebody wants to be called, if anything is."""
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
        given = parts.port
    except ValueError:
        raise Refused("This is no URL.") from None
    if parts.scheme not in PORTS or not parts.hostname:
        raise Refused("Must begin with https:// and a host.")
    if "@" in parts.netloc:
        raise Refused("Must not hold a user or a password.")
    return parts, PORTS[parts.scheme] if given is None else given


def _check_name(host: str, *, private: bool) -> None:
    if private and host:
        return
    if not _NAME.fullmatch(host) or len(host) > 253:
        raise Refused("The host must be a full domain name.")
    if any(f".{host.lower()}".endswith(f".{name}") for name in _INTERNAL):
        raise Refused("Must be on the public Internet.")
