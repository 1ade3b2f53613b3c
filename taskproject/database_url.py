"""DATABASE_URL and DATABASE_DIRECT_URL: PostgreSQL URIs, read by libpq's own rules."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote

import psycopg
from django.core.exceptions import ImproperlyConfigured
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

from taskproject.environment import Environment, boolean_value

# Django's setting for a pooler in transaction mode; all others are libpq's.
POOLER = "DISABLE_SERVER_SIDE_CURSORS"
# The URI holds a password, no part of which may get into the sentence.
_INVALID = (
    "{name} is not of the form postgres://user:password@host:5432/database, where each of "
    "the characters @ / ? # % and space in a user or password is percent-encoded (@ is %40)."
)
# libpq does not look at these before it connects, and psycopg fails on some of them.
_NUMBERS = (
    "connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count",
    "tcp_user_timeout",
)  # fmt: skip
_CHOICES = {
    "channel_binding": ("disable", "prefer", "require"),
    "gssencmode": ("disable", "prefer", "require"),
    "load_balance_hosts": ("disable", "random"),
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "target_session_attrs": (
        "any", "read-write", "read-only", "primary", "standby", "prefer-standby",
    ),
}  # fmt: skip


def database_from_url(env: Environment, name: str) -> dict[str, Any]:
    """Read the URI of a PostgreSQL database as Django's settings, empty for none."""
    url = env.given(name, "database_from_url")[0].strip()
    return _parsed(url, name) if url else {}


def _parsed(url: str, setting: str) -> dict[str, Any]:
    match = re.fullmatch(r"(postgres(?:ql)?://)([^/?#\s]*)((?:/[^/?#@\s]*)?)(\?[^#@\s]*)?", url)
    # Of two "@", the first may end a host, and what follows it be the rest of a password.
    if not match or match[2].count("@") > 1:
        raise ImproperlyConfigured(_INVALID.format(name=setting))
    query, pooler = _split_query((match[4] or "").removeprefix("?"), setting)
    try:
        parsed = conninfo_to_dict(f"{match[1]}{match[2]}{match[3]}{query and '?'}{query}")
    except (psycopg.ProgrammingError, UnicodeDecodeError):
        # libpq's message quotes what it could not read, and Python's the bytes.
        raise ImproperlyConfigured(_INVALID.format(name=setting)) from None
    hosts, ports = str(parsed.pop("host", "")), str(parsed.pop("port", ""))
    name = parsed.pop("dbname", "")
    if not (name and all(map(_is_host, hosts.split(","))) and all(map(_is_port, ports.split(",")))):
        raise ImproperlyConfigured(_INVALID.format(name=setting))
    settings = {
        "NAME": name,
        "USER": parsed.pop("user", ""),
        "PASSWORD": parsed.pop("password", ""),
        "HOST": hosts,
        "PORT": ports,
        "OPTIONS": {key: _option(key, str(value), setting) for key, value in parsed.items()},
    }
    return {**settings, POOLER: pooler}


def _split_query(query: str, setting: str) -> tuple[str, bool]:
    """Return the parameters that are libpq's, and whether a pooler is named."""
    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()} | {"ssl"}
    kept, pooler = [], False
    names: set[str] = set()
    for parameter in filter(None, query.split("&")):
        key, _, value = parameter.partition("=")
        name = POOLER if key.upper() == POOLER else unquote(key)
        if name not in {*known, POOLER} and re.fullmatch(r"\w+", key, re.ASCII):
            raise ImproperlyConfigured(
                f"{setting} has a parameter {key} that is neither libpq's nor {POOLER}."
            )
        if name in names & {*known, POOLER}:
            raise ImproperlyConfigured(f"{setting} has the parameter {name} more than once.")
        if name == POOLER:
            pooler = boolean_value(f"{POOLER} in {setting}", unquote(value))
        else:
            kept.append(parameter)
        names.add(name)
    return "&".join(kept), pooler


def _is_host(host: str) -> bool:
    """Return whether it is a name, an address or the directory of a socket; may be empty."""
    # An "@" begins the name of an abstract socket.
    if host.startswith(("/", "@")) or re.fullmatch(r"[A-Za-z0-9._-]*", host):
        return True
    try:
        return bool(ip_address(host))
    except ValueError:
        return False


def _is_port(port: str) -> bool:
    return not port or bool(re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) < 65536)


def _option(key: str, value: str, setting: str) -> str | int:
    if key in _NUMBERS:
        if not re.fullmatch(r"[0-9]{1,9}", value):
            raise ImproperlyConfigured(f"{key} in {setting} must be a whole number.")
        return int(value)
    if key in _CHOICES and value not in _CHOICES[key]:
        raise ImproperlyConfigured(f"{key} in {setting} must be one of {', '.join(_CHOICES[key])}.")
    return value
