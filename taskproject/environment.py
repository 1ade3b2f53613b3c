"""Environment values: readers that refuse an invalid one with a sentence that names it."""

from __future__ import annotations

import base64
import re
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

# Standard Webhooks requires 24 to 64 bytes.
_SHORTEST_SECRET = 24
_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def _raw(env: environ.Env, name: str, default: str, also: str | None) -> tuple[str, str]:
    """Return the value and the name under which it was found."""
    if also and name not in env.ENVIRON and also in env.ENVIRON:
        name = also
    return str(env.str(name, default=default)).strip(), name


def number(
    env: environ.Env, name: str, default: int, *, low: int, high: int, also: str | None = None
) -> int:
    """Read a whole number between `low` and `high`, under `name` or its other spelling."""
    raw, source = _raw(env, name, str(default), also)
    if not re.fullmatch(r"-?\d{1,18}", raw) or not low <= int(raw) <= high:
        raise ImproperlyConfigured(
            f"{source}={raw!r} is not a whole number between {low} and {high}."
        )
    return int(raw)


def seconds(
    env: environ.Env, name: str, default: str, *, low: float, also: str | None = None
) -> float:
    """Read a duration in seconds: "30", "0.5", "30s", "5m", "1h"."""
    raw, source = _raw(env, name, default, also)
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|)", raw)
    if not match or (value := float(match[1]) * _UNITS[match[2]]) < low:
        raise ImproperlyConfigured(
            f"{source}={raw!r} is not a duration of at least {low:g} s, such as 30, 30s or 5m."
        )
    return value


def words(env: environ.Env, name: str, default: str) -> list[str]:
    """Read a list separated by commas."""
    raw = str(env.str(name, default=default))
    return [word.strip() for word in raw.split(",") if word.strip()]


def http_url(env: environ.Env, name: str, default: str) -> str:
    """Read the address of a service, returned without a slash at its end.

    It may be empty only where the default is.
    """
    raw = str(env.str(name, default=default)).strip()
    if raw == default == "":
        return ""
    try:
        parts = urlsplit(raw)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    # A password in it would end up in logs.
    if not usable or parts.username or parts.query or parts.fragment:
        example = default or "https://example.org/path"
        raise ImproperlyConfigured(
            f"{name} must be an http(s) address without user, query or fragment, such as {example}."
        )
    return raw.rstrip("/")


def api_key(env: environ.Env, name: str) -> str:
    """Read the key of a service, empty for none; an invalid one is not repeated in the sentence."""
    key = str(env.str(name, default="")).strip()
    if not re.fullmatch(r"[!-~]*", key):
        raise ImproperlyConfigured(
            f"{name} must contain only printable ASCII characters, without spaces."
        )
    return key


def webhook_secret(env: environ.Env, name: str) -> str:
    """Read a secret of Standard Webhooks, empty for none; an invalid one is not repeated."""
    secret = api_key(env, name)
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if secret and len(key) < _SHORTEST_SECRET:
        raise ImproperlyConfigured(
            f"{name} is not a valid secret: it must be whsec_ followed by at least "
            f"{_SHORTEST_SECRET} bytes encoded in base64."
        )
    return secret


def cache_from_url(env: environ.Env, name: str, default: str) -> dict[str, Any]:
    """Return Django's settings for the cache that a URL names."""
    try:
        return dict(env.cache_url(name, default=default))
    except (ImproperlyConfigured, ValueError, KeyError) as error:
        # The URL may hold a password and stays out of the sentence.
        raise ImproperlyConfigured(
            f"{name} is not a supported cache: use {default} or an address such as "
            "redis://host:6379/0."
        ) from error


def secret_key(env: environ.Env, data_dir: Path) -> str:
    """Return SECRET_KEY, or one generated once and kept under the data directory."""
    secret = str(env.str("SECRET_KEY", default=""))
    if secret:
        return secret
    file = data_dir / "secret_key"
    if not file.exists():
        try:
            data_dir.mkdir(parents=True, exist_ok=True)
            new = data_dir / f".secret_key.{secrets.token_hex(8)}"
            new.touch(mode=0o600)
            new.write_text(secrets.token_urlsafe(64))
            # Two processes that start at once agree: the first link wins.
            file.hardlink_to(new)
        except FileExistsError:
            pass
        except OSError as error:
            raise ImproperlyConfigured(
                f"DATA_DIR={str(data_dir)!r} cannot be written ({error.strerror}): "
                "set DATA_DIR to a directory that this user may write to, "
                "or set SECRET_KEY and DATABASE_URL."
            ) from error
        new.unlink()
    return file.read_text()


def database_from_url(url: str) -> dict[str, Any]:
    """Return Django's settings for a PostgreSQL URL.

    Raises ImproperlyConfigured for anything that is not one.
    """
    try:
        parsed: dict[str, Any] = dict(environ.Env.db_url_config(url))
    except (ValueError, KeyError, TypeError) as error:
        raise ImproperlyConfigured(_invalid_url()) from error
    if parsed.pop("ENGINE", None) != "django.db.backends.postgresql" or not parsed.get("NAME"):
        raise ImproperlyConfigured(_invalid_url())
    return parsed


def _invalid_url() -> str:
    # The URL itself holds a password and stays out of the sentence.
    return "DATABASE_URL is not of the form postgres://user:password@host:5432/database."
