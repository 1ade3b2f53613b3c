"""Addresses: where the site answers, as shown at the start and as called by its own check."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Self

from django.conf import settings
from django.http.request import validate_host

from taskproject.address_settings import is_loopback

LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104
# Addresses for documentation: no packet is sent to choose the own address towards them.
_ELSEWHERE = {"0.0.0.0": (socket.AF_INET, "192.0.2.1"), "::": (socket.AF_INET6, "2001:db8::1")}  # noqa: S104


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Base URLs of the site: on this machine, for its users, and a sentence about others."""

    local: str
    host_header: str
    public: str
    elsewhere: str

    @classmethod
    def of_settings(cls) -> Self:
        """Return the addresses that follow from HOST, PORT, HTTPS and ALLOWED_HOSTS."""
        host, port = settings.HOST, settings.PORT
        near = _bracketed(LOOPBACK.get(host, host))
        local = f"http://{near}:{port}"
        far = _own_address(host)
        elsewhere = ""
        if settings.HTTPS and (name := _site_name()):
            public = f"https://{name}"
        elif far and _is_allowed(far):
            public = f"http://{far}:{port}"
        else:
            public = local
            if far:
                elsewhere = (
                    f"Other machines reach it at http://{far}:{port} once ALLOWED_HOSTS has {far}."
                )
        header = f"{near}:{port}" if _is_allowed(near) else _allowed_name()
        return cls(local=local, host_header=header, public=public, elsewhere=elsewhere)


def _own_address(host: str) -> str | None:
    """Return this machine's address in its network, where the server listens on all of them."""
    if host not in _ELSEWHERE:
        return None
    family, target = _ELSEWHERE[host]
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((target, 9))
            address = str(probe.getsockname()[0])
    except OSError:
        return None
    return None if is_loopback(address) else _bracketed(address)


def _site_name() -> str | None:
    """Return the first name of the site in ALLOWED_HOSTS that is not this machine's own."""
    names = (name.lstrip(".") for name in settings.ALLOWED_HOSTS if name != "*")
    return next((name for name in names if not is_loopback(name)), None)


def _allowed_name() -> str:
    """Return a name that ALLOWED_HOSTS accepts."""
    return str(settings.ALLOWED_HOSTS[0]).lstrip(".") if settings.ALLOWED_HOSTS else "localhost"


def _is_allowed(name: str) -> bool:
    return validate_host(name, settings.ALLOWED_HOSTS)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
