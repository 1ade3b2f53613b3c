"""Addresses among the settings: where the site listens, who may reach it, and other services."""

from __future__ import annotations

import re
from ipaddress import ip_address

from django.core.exceptions import ImproperlyConfigured

from taskproject.environment import Environment, words

LOCALHOST = "localhost"
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_NUMBER = r"(?:[0-9]+|0[Xx][0-9A-Fa-f]*)"
_IPV6 = r"\[[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\]"


def http_url(env: Environment, name: str, default: str) -> str:
    """Read the address of a service, returned without a slash at its end."""
    raw = env.given(name, "http_url")[0].strip() or default
    # A password in it would end up in logs, and so the address is not repeated.
    if raw and not _is_origin(raw, rest=r"(?:/[!-~]*)?", without="?#"):
        example = default or "https://example.org/path"
        raise ImproperlyConfigured(
            f"{name} must be an http(s) address without user, query or fragment, such as {example}."
        )
    return raw.rstrip("/")


def _is_origin(text: str, *, host: str = _NAME, rest: str = "", without: str = "") -> bool:
    match = re.fullmatch(rf"https?://(?:{host}|{_IPV6})(?::([0-9]{{1,5}}))?{rest}", text)
    is_port = match and 0 < int(match[1] or 80) < 65536
    return bool(is_port) and not set(text) & set(without)


def listening_address(env: Environment, name: str, default: str) -> str:
    """Read the address or the name of this machine on which the site listens."""
    raw = env.given(name, "listening_address")[0].strip() or default
    # An address with a zone cannot be listened to.
    if _is_address(raw) and "%" not in raw:
        return str(ip_address(raw))
    # Systems differ in the address that they see in 1.5 or 0x10; no name ends in a number.
    if not re.fullmatch(_NAME, raw) or re.fullmatch(rf"(?:.*\.)?{_NUMBER}", raw):
        raise ImproperlyConfigured(
            f"{name}={raw!r} is not the address or name of a machine, such as 127.0.0.1 or ::1."
        )
    return raw


def _is_address(text: str) -> bool:
    try:
        return bool(ip_address(text))
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address, which may be in brackets."""
    host = host.strip("[]")
    return ip_address(host).is_loopback if _is_address(host) else host.lower() == LOCALHOST


def check_open(host: str, *, debug: bool, anonymous: bool) -> None:
    """Check that a site without protection listens to this machine only."""
    if is_loopback(host):
        return
    for name, is_open, danger in (
        ("DEBUG", debug, "shows its code and settings"),
        ("API_ALLOW_ANONYMOUS", anonymous, "runs tasks without a key"),
    ):
        if is_open:
            raise ImproperlyConfigured(
                f"{name}=true {danger} for everyone who can reach HOST={host!r}: "
                f"set {name}=false, or HOST to 127.0.0.1."
            )


def allowed_hosts(env: Environment, name: str, default: str) -> list[str]:
    """Read the names by which the site may be called, as Django compares them."""
    entries = words(env, name, default, type="allowed_hosts")
    for entry in entries:
        if not re.fullmatch(rf"\*|\.?{_NAME}|{_IPV6}", entry):
            raise ImproperlyConfigured(
                f"{name}: {entry!r} is not a host name without scheme and port, such as "
                "tasks.example.com, .example.com for all names below it, 192.0.2.1 or [::1]."
            )
    return entries


def trusted_origins(env: Environment, name: str) -> list[str]:
    """Read origins whose forms are accepted, as Django compares them."""
    entries = words(env, name, "", type="trusted_origins")
    for entry in entries:
        if not _is_origin(entry, host=rf"(?:\*\.)?{_NAME}"):
            raise ImproperlyConfigured(
                f"{name}: {entry!r} is not an origin without path, such as "
                "https://tasks.example.com, or https://*.example.com for all names below it."
            )
    return entries
