"""EMAIL_URL and EMAIL_FROM: how messages about alerts are sent, and by whom."""

from __future__ import annotations

import re
from email.utils import quote
from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email

from taskproject.environment import Environment

# Scheme, and the port where the URL has none.
_PORTS = {"smtp": 25, "smtp+tls": 587, "smtps": 465}
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")

# A name of printable characters, in quotes or not, and an address in angle brackets.
_NAMED_ADDRESS = re.compile(r'"?([^"<>\x00-\x1f\x7f]*[^"<>\s\x00-\x1f\x7f])"?\s*<([^<>]*)>')


def email_from_url(env: Environment, name: str) -> dict[str, Any]:
    """Return Django's settings for the mail server that a URL names; the host is empty for none."""
    raw = env.given(name, "email_from_url")[0].strip()
    server = _server(raw) if raw else ("", "", 25, "", "")
    if server is None:
        # The URL may hold a password and stays out of the sentence.
        raise ImproperlyConfigured(
            f"{name} is not a mail server: use smtp+tls://user:password@host:587 (STARTTLS),"
            " smtps://user:password@host:465 (TLS) or smtp://host:25 (neither)."
        )
    scheme, host, port, user, password = server
    return {
        "EMAIL_HOST": host,
        "EMAIL_PORT": port,
        "EMAIL_HOST_USER": user,
        "EMAIL_HOST_PASSWORD": password,
        "EMAIL_USE_TLS": scheme == "smtp+tls",
        "EMAIL_USE_SSL": scheme == "smtps",
    }


def email_sender(env: Environment, name: str, default: str) -> str:
    """Read an e-mail address, or a name and an address in angle brackets (RFC 5322, 3.4)."""
    raw = env.given(name, "email_sender")[0].strip() or default
    match = _NAMED_ADDRESS.fullmatch(raw)
    display_name, address = match.groups() if match else ("", raw)
    try:
        validate_email(address)
    except ValidationError:
        raise ImproperlyConfigured(
            f"{name}={raw!r} is not an e-mail address, such as tasks@example.com, nor a name and an"
            " address, such as Tasks of example.com <tasks@example.com>."
        ) from None
    return f'"{quote(display_name)}" <{address}>' if display_name else address


def _server(raw: str) -> tuple[str, str, int, str, str] | None:
    """Return scheme, host, port, user and password; None for what is not a mail server."""
    try:
        parts = urlsplit(raw)
        port = parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    is_whole = not (parts.path.strip("/") or parts.query or parts.fragment)
    is_printable = raw.isascii() and raw.isprintable() and (user + password).isprintable()
    if not (is_whole and is_printable and _HOST.fullmatch(parts.hostname or "")):
        return None
    return parts.scheme, parts.hostname or "", port, user, password
